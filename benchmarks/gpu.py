"""Counts, speed and memory on a GPU beside the CPU, in one run of under eight minutes.

    python benchmarks/gpu.py > gpu.md

Prints Markdown, section by section; a run that is cut off has what came before. Parts for which no
time is left say so. Nothing but the package is needed: the images are its natural crops.
`--device cpu --quick` rehearses the script where there is no GPU: its figures mean nothing.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import re
import statistics
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from core import activations, forward, our_count, textbook_count
from torch import Tensor, nn

from naslib_swap import proxies, spaces, swap_score
from naslib_swap.scoring import (
    Architecture,
    Execution,
    Images,
    Score,
    Study,
    conditions_for,
    score,
)
from naslib_swap.scoring import run as score_all
from naslib_swap.scoring.store import MemoryStore
from naslib_swap.spaces.nasbench201 import indexed

T = TypeVar("T")

TASK = "cifar10"
SAMPLES = 16
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Run:
    """What the whole script was asked for, and when it has to be over."""

    device: str
    quick: bool
    end: float

    @property
    def left(self) -> float:
        return self.end - time.monotonic()

    def number(self, whole: int, quick: int) -> int:
        return quick if self.quick else whole

    def until(self, seconds: float) -> float:
        """The end of a part that may take so long."""
        return min(self.end, time.monotonic() + seconds)

    def wait(self) -> None:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)

    def timed(self, call: Callable[..., Any], *arguments: Any) -> float:
        self.wait()
        start = time.perf_counter()
        call(*arguments)
        self.wait()
        return time.perf_counter() - start

    def peak(self, call: Callable[..., Any], *arguments: Any) -> str:
        """Megabytes on the GPU at most, beyond what is there before."""
        if not self.device.startswith("cuda"):
            return "-"
        self.wait()
        before = torch.cuda.memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        call(*arguments)
        self.wait()
        return f"{(torch.cuda.max_memory_allocated(self.device) - before) / MEGABYTE:.0f} MB"


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)


def head(*columns: str) -> None:
    say("", row(columns), row(["---"] + ["---:"] * (len(columns) - 1)))


def row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def within(items: Sequence[T], end: float, cut: list[str]) -> Iterator[T]:
    """Items while there is time; `cut` then says how many there were."""
    for done, item in enumerate(items):
        if time.monotonic() > end:
            cut.append(f"Stopped after {done} of {len(items)}: the time of this part was over.")
            return
        yield item


# Networks


class Transformer(nn.Module):
    """A small vision transformer: patches, layers with GELU, the mean of all tokens."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, stride=4)
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, 0.0, activation="gelu", batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(self.patches(x).flatten(2).transpose(1, 2)).mean(1))


def transformer(width: int, layers: int) -> nn.Module:
    torch.manual_seed(0)
    return Transformer(width, layers)


def images(samples: int) -> Tensor:
    batch = Images(samples=samples).batch(spaces.get("nasbench201").task(TASK), 0)
    return torch.as_tensor(batch.images)


def drawn(space: str, count: int, variant: str | None = None) -> list[Architecture]:
    """Random architectures of a space, always the same."""
    found, rng = spaces.get(space), np.random.default_rng(0)
    texts = (found.encode(found.canonical(found.sample(rng))) for _ in range(count))
    return [Architecture(space, TASK, text, variant) for text in texts]


def networks(run: Run) -> list[tuple[str, Callable[[], nn.Module]]]:
    """About a dozen, each with a function that builds it on the CPU."""
    cells = [
        (f"NAS-Bench-201 {a.text}", partial(a.build, 0))
        for a in drawn("nasbench201", run.number(6, 1))
    ]
    tiny = [
        (f"DARTS tiny {i}", partial(a.build, 0))
        for i, a in enumerate(drawn("darts", run.number(4, 1), "tiny"))
    ]
    sizes = [(64, 2)] if run.quick else [(192, 4), (256, 6)]
    gelu = [(f"transformer {w} x {n}, GELU", partial(transformer, w, n)) for w, n in sizes]
    return [*cells, *tiny, *gelu]


# Sections


def machine(run: Run) -> None:
    """The machine"""
    say("")
    if run.device.startswith("cuda"):
        found = torch.cuda.get_device_properties(run.device)
        say(f"- GPU: {found.name}, {found.total_memory / 2**30:.0f} GiB")
    else:
        say("- GPU: none, this is a rehearsal on the CPU")
    say(f"- torch {torch.__version__}, CUDA {torch.version.cuda}, Python {sys.version.split()[0]}")
    try:
        names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        names = []
    say(f"- CPU: {names[0] if names else platform.processor()}, {os.cpu_count()} cores")


def parity(run: Run) -> None:
    """The same counts as on the CPU"""
    x = images(SAMPLES)
    end, cut, unequal, done = run.until(90), list[str](), 0, 0
    say("", f"The same weights and images, S = {SAMPLES}. In float64 counts have to be equal.")
    head("network", "V", "float64: CPU", "GPU", "float32: CPU", "GPU", "difference", "%")
    for name, build in within(networks(run), end, cut):
        net = build()
        single = [swap_score(net, x, device=device) for device in ("cpu", run.device)]
        net = net.double()
        double = [swap_score(net, x.double(), device=device) for device in ("cpu", run.device)]
        unequal += double[0].psi != double[1].psi
        done += 1
        counts = [f"{found.score:.0f}" for found in (*double, *single)]
        apart = single[1].score - single[0].score
        per_cent = f"{100 * abs(apart) / single[0].score:.3f}"
        say(row([name, f"{single[0].values:,}", *counts, f"{apart:+.0f}", per_cent]))
    say("", f"In float64, {done - unequal} of {done} counts are equal.", *cut)


def as_scored() -> AbstractContextManager[Any]:
    """The settings of kernels that scores are made with; see `naslib_swap.seeding.repeatable`."""
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )


def forward_as_scored(net: nn.Module, x: Tensor) -> None:
    with as_scored():
        forward(net, x)


def cost(run: Run) -> None:
    """What a score costs beside a forward pass, and the count beside the textbook's"""
    one = Architecture("nasbench201", TASK, "(2, 0, 3, 2, 0, 4)")
    cells = partial(one.build, 0)
    cases = [("NAS-Bench-201", cells, samples) for samples in (16, 32, 128)]
    cases.append(("transformer, GELU", partial(transformer, 256, 6), 32))
    if run.quick:
        cases = [("transformer, GELU", partial(transformer, 64, 2), 16)]
    rounds = run.number(15, 2)
    end, cut = run.until(90), list[str]()
    say(
        "",
        f"Medians of {rounds} rounds, in turns; the forward pass has the settings of scores "
        "(repeatable kernels, no TF32), and in brackets torch's own. The textbook's count is "
        "`torch.unique(torch.sign(A).T, dim=0)` on the same device.",
    )
    head(
        *("network", "S", "V", "forward", "swap_score / forward", "our count", "textbook / ours"),
        *("memory: forward", "swap_score", "our count", "textbook"),
    )
    for name, build, samples in within(cases, end, cut):
        net, x = build().train().to(run.device), images(samples).to(run.device)
        for _ in range(2):  # warm up
            swap_score(net, x)
            forward_as_scored(net, x)
            forward(net, x)
        bare, own, ratios = [], [], []
        before = run.timed(forward_as_scored, net, x)
        for _ in range(rounds):
            ours = run.timed(swap_score, net, x)
            after = run.timed(forward_as_scored, net, x)
            bare.append(after)
            ratios.append(2 * ours / (before + after))
            own.append(run.timed(forward, net, x))
            before = run.timed(forward_as_scored, net, x)
        peaks = [run.peak(forward_as_scored, net, x), run.peak(swap_score, net, x)]
        with as_scored():
            found = activations(net, x)
        assert our_count(found) == textbook_count(found)
        counts = [
            (run.timed(our_count, found), run.timed(textbook_count, found))
            for _ in range(run.number(3, 1))
        ]
        peaks += [run.peak(our_count, found), run.peak(textbook_count, found)]
        values = sum(a.shape[1] for a, _ in found)
        say(
            row(
                [
                    *(name, samples, f"{values:,}"),
                    f"{1000 * statistics.median(bare):.1f} ({1000 * statistics.median(own):.1f}) "
                    "ms",
                    f"{statistics.median(ratios):.2f}",
                    f"{1000 * statistics.median(ours for ours, _ in counts):.1f} ms",
                    f"{statistics.median(book / ours for ours, book in counts):.0f}",
                    *peaks,
                ]
            )
        )
    for sentence in cut:
        say("", sentence)


def scored(
    run: Run, archs: Sequence[Architecture], names: Sequence[str], device: str, end: float
) -> tuple[list[dict[str, Score]], float]:
    """The scores of as many as there is time for, after one to warm up, and all their seconds."""
    conditions = conditions_for(
        "nasbench201", TASK, names=names, images=Images(samples=SAMPLES), device=device
    )
    score(archs[-1], names, conditions)
    found: list[dict[str, Score]] = []
    run.wait()
    start = time.perf_counter()
    for arch in within(archs, end, []):
        found.append(score(arch, names, conditions))
    run.wait()
    return found, time.perf_counter() - start


def rate(run: Run) -> None:
    """Networks per second: SWAP alone"""
    archs = drawn("nasbench201", run.number(200, 3))
    say("", f"Random NAS-Bench-201 networks, S = {SAMPLES}, with building them on the CPU.")
    head("device", "networks", "seconds", "networks per second")
    values, speeds = [], []
    for device, seconds in ((run.device, 60), ("cpu", 45)):
        found, took = scored(run, archs, ["swap"], device, run.until(seconds))
        values.append([each["swap"].value for each in found])
        speeds.append(len(found) / took)
        name = "CPU, one thread" if device == "cpu" else "GPU"
        say(row([name, len(found), f"{took:.1f}", f"{speeds[-1]:.1f}"]))
    both = list(zip(*values))
    equal = sum(there == here for there, here in both)
    say(
        "",
        f"The GPU scores {speeds[0] / speeds[1]:.1f} times as many networks a second as one CPU "
        f"thread. {equal} of {len(both)} scores are equal (float32).",
    )


def in_flight(run: Run) -> None:
    """Several networks at once: worker processes that share the GPU"""
    archs = {arch.text: arch for arch in drawn("nasbench201", run.number(600, 3))}
    conditions = conditions_for(
        "nasbench201", TASK, names=["swap"], images=Images(samples=SAMPLES), device=run.device
    )
    study = Study("nasbench201", TASK, archs, ("swap",), conditions=conditions)
    say("", f"{len(archs)} random NAS-Bench-201 networks, with starting the processes.")
    head("workers", "seconds", "networks per second", "failed")
    cut: list[str] = []
    for workers in within((1, 2, 4), run.until(90), cut):
        store = MemoryStore()
        took = run.timed(score_all, [study], store, Execution(workers=workers, rescore=True))
        failed = sum(record.score.error is not None for record in store.records())
        say(row([workers, f"{took:.1f}", f"{len(archs) / took:.1f}", failed]))
    say(*cut)


def every_proxy(run: Run) -> None:
    """All proxies"""
    names = list(proxies.names())
    archs = drawn("nasbench201", run.number(20, 1))
    kinds = (run.device, "cpu")
    made = [scored(run, archs, names, kind, run.until(50))[0] for kind in kinds]
    say(
        "",
        f"{len(made[0])} NAS-Bench-201 networks on the GPU, {len(made[1])} on the CPU (one "
        f"thread), S = {SAMPLES}: mean seconds of each proxy alone, and the largest relative "
        "difference between their values.",
    )
    head("proxy", "GPU", "CPU", "CPU / GPU", "difference", "failed on the GPU", "on the CPU")
    errors: dict[str, set[str]] = defaultdict(set)
    for name in names:
        on = [[found[name] for found in there] for there in made]
        seconds = [statistics.mean(each.seconds for each in there) for there in on]
        apart = [
            abs(a.value - b.value) / max(abs(b.value), 1e-12)
            for a, b in zip(*on)
            if a.value is not None and b.value is not None
        ]
        failed = [sum(each.error is not None for each in there) for there in on]
        errors[name] |= {each.error for each in on[0] if each.error is not None}
        times = f"{seconds[1] / seconds[0]:.1f}" if seconds[0] else "-"
        most = f"{max(apart, default=math.nan):.1e}"
        say(row([name, *(f"{s:.4f}" for s in seconds), times, most, *failed]))
    reasons = [f"- {name}: {error}" for name in names for error in sorted(errors[name])]
    say("", "What failed on the GPU:" if reasons else "Nothing failed on the GPU.", *reasons)


def whole_space(run: Run) -> None:
    """All of NAS-Bench-201"""
    space = spaces.get("nasbench201")
    # The benchmark's own order is shuffled: the first so many are a random choice.
    distinct = list(dict.fromkeys(map(space.canonical, indexed())))
    archs = [Architecture("nasbench201", TASK, space.encode(arch)) for arch in distinct]
    archs = archs[: run.number(len(archs), 3)]
    found, took = scored(run, archs, ["swap"], run.device, run.end)
    failed = sum(each["swap"].error is not None for each in found)
    whole = took * len(distinct) / len(found)
    say(
        "",
        f"{len(found):,} of the {len(distinct):,} distinct networks among all {len(indexed()):,}, "
        f"S = {SAMPLES}: {took:.0f} s, {len(found) / took:.1f} networks a second, {failed} failed.",
    )
    if len(found) < len(distinct):
        say(f"**Extrapolated**, not measured: all of them would take {whole / 60:.1f} minutes.")


# Each with the seconds below which it is not worth starting.
SECTIONS = [
    (machine, 0),
    (parity, 20),
    (cost, 20),
    (rate, 20),
    (in_flight, 60),
    (every_proxy, 20),
    (whole_space, 5),
]


def main() -> None:
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=float, default=450, help="seconds for all")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu as a rehearsal")
    parser.add_argument("--quick", action="store_true", help="a few of everything")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("torch sees no GPU here; --device cpu --quick rehearses without one.")
    # The last step begins before the end and may take a few seconds.
    if options.device == "cpu":
        torch.set_num_threads(1)
    run = Run(options.device, options.quick, started + options.budget - 5)
    broken = 0
    say("# naslib-swap on a GPU" if options.device != "cpu" else "# Rehearsal on the CPU")
    for section, least in SECTIONS:
        say("", f"## {section.__doc__}")
        if run.left < least:
            say("", f"Left out: {max(0, run.left):.0f} of {options.budget:.0f} seconds were left.")
            continue
        try:
            section(run)
        except Exception:  # the other sections are worth having; the exit code says so
            say("", "This part failed:", "", "```", traceback.format_exc(), "```")
            broken += 1
    say("", f"{time.monotonic() - started:.0f} s in all; {broken} part(s) failed.")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
