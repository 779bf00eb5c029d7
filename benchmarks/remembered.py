"""A measure that keeps what it measured on disk, so that many searches share their scores."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from naslib_swap import spaces
from naslib_swap.optimizers.fitness import Scored
from naslib_swap.optimizers.measuring import NetworkMeasure


class Remembered:
    """`measure`, looked up in a file of JSON lines first; the file is for this measure alone."""

    def __init__(self, measure: NetworkMeasure, file: Path) -> None:
        self.measure = measure
        space = spaces.get(measure.space)
        self.encode = lambda arch: space.encode(space.canonical(arch))  # equal networks score alike
        self.known: dict[str, Scored] = {}
        if file.exists():
            for line in file.read_text().splitlines():
                key, scored = json.loads(line)
                self.known[key] = Scored(**scored)
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file.open("a", buffering=1)

    def __call__(self, arch: Any) -> Scored:
        key = self.encode(arch)
        if key not in self.known:
            scored = self.known[key] = self.measure(arch)
            self.file.write(json.dumps([key, asdict(scored)]) + "\n")
        return self.known[key]
