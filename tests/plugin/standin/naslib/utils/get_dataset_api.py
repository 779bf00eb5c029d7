import json
from pathlib import Path


def get_project_root():
    return Path(__file__).parent.parent


def get_zc_benchmark_api(search_space, dataset):
    path = get_project_root() / "data" / f"zc_{search_space}.json"
    return json.loads(path.read_text())[dataset]


def load_sampled_architectures(search_space, postfix=""):
    path = get_project_root() / "data" / "archs" / f"archs_{search_space}{postfix}.json"
    return json.loads(path.read_text())


def get_dataset_api(search_space=None, dataset=None):
    path = get_project_root() / "data" / "benchmark.pickle"
    assert path.exists(), f"Could not find {path}"
    return {"data": path}
