import json

from naslib import utils
from naslib.optimizers import RegularizedEvolution

config = utils.get_config_from_args(config_type="nas")
supported_optimizers = {"re": RegularizedEvolution(config)}
optimizer = supported_optimizers[config.optimizer]
before = config.optimizer
optimizer.before_training()
names = [type(optimizer).__name__, optimizer.config.optimizer, before, config.optimizer]
print(json.dumps([*names, config.search.population_size]))
