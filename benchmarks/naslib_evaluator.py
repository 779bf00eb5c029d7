"""The same proxies on the same architectures: NASLib's ZeroCostPredictorEvaluator, and ours.

    NASLIB_ROOT=... NASLIB_SWAP_DATA=... python benchmarks/naslib_evaluator.py [--archs 24]

NASLib's evaluator computes its thirteen proxies live, a run each, on as many torch threads as there
are cores; ours computes the same thirteen with as many one-thread workers. Both see 16 images.
What is compared is wall time an architecture; imports, downloads and tables are left out of both.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from naslib_swap import Plan, ground_truth
from naslib_swap.evaluation.planning import study_with
from naslib_swap.scoring import Execution
from naslib_swap.scoring.runs import run
from naslib_swap.scoring.store import MemoryStore
from naslib_swap.scoring.study import sample_architectures

ROOT = Path(os.environ["NASLIB_ROOT"])
PROXIES = (
    *("params", "flops", "l2_norm", "nwot", "jacov", "epe_nas", "grad_norm"),
    *("snip", "plain", "fisher", "grasp", "synflow", "zen"),
)
SAMPLES = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archs", type=int, default=24)
    options = parser.parse_args()
    known = ground_truth.load("suite-zero", space="nasbench201", task="cifar10").accuracy
    archs = sample_architectures(list(known), options.archs, seed=0)
    print(f"{len(archs)} architectures, {SAMPLES} images, {os.cpu_count()} cores")
    print("| proxy | NASLib, s an architecture |\n|---|---:|")
    theirs = 0.0
    for proxy in PROXIES:
        seconds = naslib_seconds(proxy, archs)
        theirs += seconds
        print(f"| {proxy} | {seconds:.3f} |", flush=True)
    ours = our_seconds(archs)
    print(f"| all {len(PROXIES)} | {theirs:.3f} |\n| all {len(PROXIES)}, ours | {ours:.3f} |")
    print(f"NASLib takes {theirs / ours:.1f} times as long.")


def naslib_seconds(proxy: str, archs: tuple[str, ...]) -> float:
    """Seconds an architecture of NASLib's evaluator, as it reports them (`query_time`)."""
    config = naslib_config(proxy, len(archs))  # first: it brings NASLib, and what we repair in it
    from naslib import utils
    from naslib.evaluators.zc_evaluator import ZeroCostPredictorEvaluator
    from naslib.predictors import ZeroCost
    from naslib.search_spaces import get_search_space

    utils.set_seed(0)
    space = get_search_space(name="nasbench201", dataset="cifar10")
    evaluator = ZeroCostPredictorEvaluator(ZeroCost(method_type=proxy), config=config)
    evaluator.use_zc_api = False  # compute, look nothing up
    evaluator.adapt_search_space(space, dataset_api=None)
    hashes = [eval(arch) for arch in archs]
    evaluator.single_evaluate((hashes, [float(i) for i in range(len(hashes))], [], []), {})
    return float(evaluator.results[-1]["query_time"])


def naslib_config(proxy: str, size: int) -> Any:
    """The configuration of NASLib's zc runner, as it reads it."""
    runner = ROOT / "naslib" / "runners" / "zc" / "runner.py"
    arguments = {"predictor": proxy, "test_size": size, "batch_size": SAMPLES}
    sys.path[:0] = [str(ROOT)]
    kept = sys.argv
    with tempfile.TemporaryDirectory() as out:
        words = [str(word) for pair in arguments.items() for word in pair]
        sys.argv = [str(runner), *words, "out_dir", out]
        try:
            from naslib import utils

            return utils.get_config_from_args(config_type="zc")
        finally:
            sys.argv = kept


def our_seconds(archs: tuple[str, ...]) -> float:
    workers = Execution(workers=os.cpu_count())
    study = study_with(Plan(proxies=PROXIES, samples=SAMPLES), archs)
    warm = replace(study_with(Plan(proxies=PROXIES, samples=SAMPLES), archs[:3]), seeds=(1,))
    run([warm], MemoryStore(), workers)  # the workers stay, with what they imported
    start = time.perf_counter()
    run([study], MemoryStore(), workers)
    return (time.perf_counter() - start) / len(archs)


if __name__ == "__main__":
    torch.set_num_threads(os.cpu_count() or 1)
    main()
