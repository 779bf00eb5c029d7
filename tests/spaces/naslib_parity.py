"""Compare our networks with NASLib's; a process of its own, as it changes how NASLib imports.

Usage: naslib_parity.py NASLIB_ROOT SPACE. Prints one JSON object a line: what was compared.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap import spaces
from naslib_swap.plugin import startup

TASKS_OF = {"transbench101_micro": ("class_scene", "jigsaw", "segmentsemantic", "normal")}
TASKS_OF["transbench101_macro"] = TASKS_OF["transbench101_micro"]


def main(root: str, name: str) -> None:
    torch.set_num_threads(1)
    sys.path.insert(0, root)
    startup.start()
    rng = np.random.default_rng(0)
    space = spaces.get(name)
    for task in TASKS_OF.get(name, ("cifar10", "cifar10")):
        print(json.dumps(compare(name, space.sample(rng), task)))


def compare(name: str, arch: tuple, task: str) -> dict[str, object]:
    space = spaces.get(name)
    spec = space.task(task)
    ours = space.build(arch, variant=spec.variant, num_classes=spec.num_classes)
    theirs = naslib_network(name, arch, task)
    copy_weights(name, arch, ours, theirs)
    small = (2, *spec.input_shape[:-2], 32, 32)
    images = torch.randn(small, generator=torch.Generator().manual_seed(0))
    mine, relus = run(ours, images)
    reference, their_relus = run(theirs, images)
    return {
        "arch": space.encode(arch),
        "task": task,
        "parameters": sum(p.numel() for p in ours.parameters()),
        "their_parameters": sum(
            p.numel() for n, p in theirs.named_parameters() if not is_unused(n)
        ),
        "difference": float((mine - reference).abs().max()),
        "scale": float(reference.abs().max()),
        "relus": relus,
        "their_relus": their_relus,
    }


def naslib_network(name: str, arch: tuple, task: str) -> nn.Module:
    from naslib import search_spaces

    if name == "nasbench101":
        graph = search_spaces.NasBench101SearchSpace()
    elif name == "nasbench201":
        graph = search_spaces.NasBench201SearchSpace()
    elif name == "nasbench301":
        graph = search_spaces.NasBench301SearchSpace(auxiliary=False)
    elif name == "transbench101_micro":
        graph = search_spaces.TransBench101SearchSpaceMicro(dataset=task)
    else:
        graph = search_spaces.TransBench101SearchSpaceMacro(dataset=task)
    graph.set_spec(arch)
    graph.parse()
    return graph


def copy_weights(name: str, arch: tuple, ours: nn.Module, theirs: nn.Module) -> None:
    named = [(n, p) for n, p in theirs.named_parameters() if not is_unused(n)]
    if name == "nasbench301":
        named = [
            item for prefix in prefixes_301(arch) for item in named if item[0].startswith(prefix)
        ]
    if name == "nasbench101":
        pairs = list(zip(in_order_of_use(ours), in_order_of_use(theirs)))
    else:
        pairs = [(p, q) for p, (_, q) in zip(ours.parameters(), named)]
    assert len(pairs) == len(list(ours.parameters()))
    with torch.no_grad():
        for mine, reference in pairs:
            assert mine.shape == reference.shape
            mine.copy_(reference)


def is_unused(name: str) -> bool:
    """nasbench_pytorch's cells have placeholders and a marker; a discriminator judges only."""
    return name.endswith((".a", ".dev_param")) or ".discriminator." in name


def prefixes_301(arch: tuple) -> Iterator[str]:
    """NASLib's names of the weighted edges, in the order of our modules."""
    yield "makrograph-edge(1,2)."
    for node in range(4, 12):
        before, previous = {4: (2, None), 5: (2, 4)}.get(node, (node - 2, node - 1))
        yield f"makrograph-edge({before},{node})."
        yield f"makrograph-edge({previous},{node})." if previous else "makrograph-edge(2,3)."
        kind, cell = ("reduction", arch[1]) if node in (6, 9) else ("normal", arch[0])
        for position, (source, _) in enumerate(cell):
            edge = f"{kind}_cell-edge({source + 1},{position // 2 + 3})"
            yield f"makrograph-subgraph_at({node}).{edge}."
    yield "makrograph-edge(11,12)."


def in_order_of_use(net: nn.Module) -> list[nn.Parameter]:
    used: list[nn.Parameter] = []
    handles = [
        module.register_forward_hook(lambda m, _, __: used.extend(m.parameters()))
        for module in net.modules()
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d, nn.Linear))
    ]
    run(net, torch.zeros(2, 3, 8, 8))
    for handle in handles:
        handle.remove()
    return used


def run(net: nn.Module, images: Tensor) -> tuple[Tensor, int]:
    """The output in train mode, and how many values its ReLU modules gave in all."""
    values = 0

    def count(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        nonlocal values
        values += output.numel()

    handles = [
        module.register_forward_hook(count)
        for module in net.modules()
        if isinstance(module, nn.ReLU)
    ]
    with torch.no_grad():
        output = net.train()(images)
    for handle in handles:
        handle.remove()
    return output, values


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
