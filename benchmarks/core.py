"""Speed and memory of swap_score beside a bare forward pass and the textbook count.

    python benchmarks/core.py [--threads 2] [--rounds 15]

Forward passes and swap_score take turns, and so do the two counts; what is printed are medians of
the ratios of neighbours, so that a machine that slows down slows both. Extra memory
is the peak resident size of a process of its own, less that of one that runs forward passes only:
all run one, then what is measured. NASLIB_SWAP_KERNEL=numpy measures without the compiled kernel.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap import spaces, swap_score
from naslib_swap.activations import Kind, recording
from naslib_swap.patterns import PatternCounter, kernel

# The first random one of other spaces.
NB201 = "(2, 0, 3, 2, 0, 4)"
CASES = [
    ("nasbench201", 16),
    ("nasbench201", 32),
    ("nasbench201", 128),
    ("nasbench301", 16),
    ("nasbench101", 16),
    ("transbench101_micro", 16),
    ("transbench101_macro", 16),
    ("gelu", 32),
]


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name != "gelu":
        space = spaces.get(name)
        first = space.sample(np.random.default_rng(0))
        return space.build(space.parse(NB201) if name == "nasbench201" else first).train()
    layer = nn.TransformerEncoderLayer(256, 4, 1024, 0.0, activation="gelu", batch_first=True)
    return nn.TransformerEncoder(layer, 6, enable_nested_tensor=False).train()


def batch(name: str, samples: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    side = 64 if name.startswith("transbench101") else 32
    shape = (128, 256) if name == "gelu" else (3, side, side)
    return torch.randn(samples, *shape, generator=generator)


def forward(net: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        net(x)


def activations(net: nn.Module, x: Tensor) -> list[tuple[Tensor, bool]]:
    found: list[tuple[Tensor, bool]] = []

    def keep(output: Any, kind: Kind) -> bool:
        found.append((output.flatten(1), kind.signed))
        return True

    with torch.no_grad(), recording(net, keep):
        net(x)
    return found


def textbook_count(found: list[tuple[Tensor, bool]]) -> int:
    matrix = torch.sign(torch.cat([a for a, _ in found], dim=1)).T
    return len(torch.unique(matrix, dim=0))


def our_count(found: list[tuple[Tensor, bool]]) -> int:
    counter = PatternCounter(len(found[0][0]), found[0][0].device)
    for activation, signed in found:
        counter.add(activation, signed=signed)
    return counter.count()


def timed(call: Callable[..., Any], *arguments: Any) -> float:
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def peak(name: str, samples: int, what: str, threads: int) -> float:
    """Peak resident megabytes of a process that does only this."""
    command = [sys.executable, __file__, "--memory", name, str(samples), what]
    done = subprocess.run(
        [*command, "--threads", str(threads)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def use(name: str, samples: int, what: str) -> None:
    net, x = network(name), batch(name, samples)
    forward(net, x)
    if what == "forward":
        forward(net, x)
    elif what == "swap_score":
        swap_score(net, x)
    elif what == "textbook":
        textbook_count(activations(net, x))
    # Not getrusage: its maximum is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text()
    print(int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024)  # type: ignore[union-attr]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--memory", nargs=3, metavar=("NET", "S", "WHAT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory:
        name, samples, what = options.memory
        use(name, int(samples), what)
        return
    print(
        f"torch {torch.__version__}, {options.threads} thread(s), {options.rounds} rounds, "
        f"kernel: {kernel()}"
    )
    print(
        "| network | S | V | forward | swap_score / forward | textbook count / our count "
        "| extra memory: ours | textbook | ours / textbook |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")  # fmt: skip
    for name, samples in CASES:
        net, x = network(name), batch(name, samples)
        swap_score(net, x)
        found = activations(net, x)
        assert our_count(found) == textbook_count(found)
        bare, ratios = [], []
        before = timed(forward, net, x)
        for _ in range(options.rounds):
            ours = timed(swap_score, net, x)
            after = timed(forward, net, x)
            bare.append(after)
            ratios.append(2 * ours / (before + after))
            before = after
        counts = [timed(textbook_count, found) / timed(our_count, found) for _ in range(3)]
        values = sum(a.shape[1] for a, _ in found)
        base = peak(name, samples, "forward", options.threads)
        ours_mb = peak(name, samples, "swap_score", options.threads) - base
        book_mb = peak(name, samples, "textbook", options.threads) - base
        print(
            f"| {name} | {samples} | {values:,} | {1000 * statistics.median(bare):.0f} ms "
            f"| {statistics.median(ratios):.2f} | {statistics.median(counts):.0f} "
            f"| {ours_mb:.0f} MB | {book_mb:.0f} MB | {ours_mb / book_mb:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
