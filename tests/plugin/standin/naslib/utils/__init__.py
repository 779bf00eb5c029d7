import argparse
import sys
from pathlib import Path

import numpy as np
import yaml
from sklearn import metrics

from .dataset import get_train_val_loaders
from .get_dataset_api import get_dataset_api, get_project_root, get_zc_benchmark_api
from .zerocost import compute_scores

__all__ = [
    "compute_scores",
    "get_dataset_api",
    "get_project_root",
    "get_train_val_loaders",
    "get_zc_benchmark_api",
    "metrics",
]


class Config(dict):
    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name, value):
        self[name] = value

    def clone(self):
        return Config({k: v.clone() if isinstance(v, Config) else v for k, v in self.items()})


def default_argument_parser():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config-file", default=None)
    parser.add_argument("--seed", default=None)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("opts", nargs=argparse.REMAINDER)
    return parser


def parse_args(parser=default_argument_parser(), args=sys.argv[1:]):  # noqa: B008
    return parser.parse_args(args)


def load_config(path):
    return _config(yaml.safe_load(Path(path).read_text()))


def load_default_config(config_type="nas"):
    return load_config(Path(__file__).parent.parent / "runners" / config_type / "config.yaml")


def _config(tree):
    return Config({k: _config(v) if isinstance(v, dict) else v for k, v in tree.items()})


def get_config_from_args(args=None, config_type="nas"):
    if args is None:
        args = parse_args()
    config = load_config(args.config_file) if args.config_file else load_default_config(config_type)
    words = iter(args.opts)
    for key, value in zip(words, words):
        node = config
        *nodes, name = key.split(".")
        for part in nodes:
            node = node[part]
        node[name] = type(node[name])(value) if name in node else eval(value)
    config.resume = args.resume
    return config


def count_parameters_in_MB(model):
    named = model.named_parameters()
    return np.sum(np.prod(v.size()) for n, v in named if "auxiliary" not in n) / 1e6
