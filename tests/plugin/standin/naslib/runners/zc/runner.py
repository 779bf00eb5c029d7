import json
import random

from naslib import utils
from naslib.predictors import ZeroCost
from naslib.search_spaces import get_search_space
from naslib.utils import get_dataset_api, get_zc_benchmark_api

config = utils.get_config_from_args(config_type="zc")
random.seed(config.seed)
dataset_api = get_dataset_api(config.search_space, config.dataset)
zc_api = get_zc_benchmark_api(config.search_space, config.dataset)
predictor = ZeroCost(method_type=config.predictor)
space = get_search_space(config.search_space, config.dataset)
space.labeled_archs = [eval(arch) for arch in zc_api.keys()]  # noqa: SIM118
space.instantiate_model = False
predicted, true = [], []
for _ in range(config.test_size):
    arch = space.clone()
    arch.sample_random_architecture(load_labeled=True)
    entry = zc_api[str(arch.get_hash())]
    predicted.append(entry[predictor.method_type]["score"])
    true.append(entry["val_accuracy"])
loaders = utils.get_train_val_loaders(config)
metrics = utils.compute_scores(true, predicted)
print(json.dumps({"config": config, "scores": predicted, "kendalltau": metrics["kendalltau"]}))
