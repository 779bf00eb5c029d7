import json

from naslib import utils
from naslib.optimizers import RegularizedEvolution

config = utils.get_config_from_args(config_type="nas")
supported_optimizers = {"re": RegularizedEvolution(config)}
optimizer = supported_optimizers[config.optimizer]
before = config.optimizer
optimizer.before_training()
print(json.dumps([type(optimizer).__name__, optimizer.config.optimizer, before, config.optimizer]))
