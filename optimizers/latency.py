"""How long networks take on devices: from a table, or measured on this machine and kept.

A measurement is written to a file before anything depends on it. A search that is resumed reads it
there, so that it goes on as it would have gone.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naslib_swap import spaces
from naslib_swap.csv_files import read_rows
from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.files import write_text
from naslib_swap.ground_truth import catalogue
from naslib_swap.ground_truth.table import canonical, number
from naslib_swap.quoting import listed, one_line

if TYPE_CHECKING:
    from torch import nn

PREFIX = "latency:"
COLUMN = "_latency"
MEASURED = ("cpu", "cuda")
TABLES = {("nasbench201", "cifar10"): "nasbench201-hardware"}
"""The catalogue's tables of latencies, by space and task."""

_WARMING, _LEAST_PASSES, _MOST_PASSES, _SECONDS = 3, 9, 200, 0.25


def limit(text: str) -> tuple[str, float]:
    """Read ``DEVICE:MS``.

    Raises
    ------
    BadArgument
        Another form, or a time that is not positive.

    Examples
    --------
    >>> limit("raspi4:20")
    ('raspi4', 20.0)
    """
    device, colon, time_ = text.rpartition(":")
    try:
        milliseconds = float(time_)
    except ValueError:
        milliseconds = math.nan
    if not colon or not device or not 0 < milliseconds < math.inf:
        raise BadArgument(
            f"got the latency limit {text!r}, expected a device and milliseconds, such as "
            "raspi4:20 or cpu:5."
        )
    return device, milliseconds


Table = Mapping[str, Mapping[str, float]]
"""``table[device][arch]`` in milliseconds, by the space's own notation."""


def read_table(space: str, path: Path) -> Table:
    """Read a table of latencies: a column ``arch``, and ``DEVICE_latency`` for each device.

    A latency that is empty, or not above 0, is not known.

    Raises
    ------
    BadFile
        The file cannot be read; there is no ``arch`` or no latency; a text is no architecture.
    """
    names, *rows = read_rows(path)
    where = one_line(path)
    places = {
        name[: -len(COLUMN)]: place for place, name in enumerate(names) if name.endswith(COLUMN)
    }
    if "arch" not in names or not places:
        raise BadFile(
            f"{where}: expected a column arch and columns such as raspi4{COLUMN} (milliseconds), "
            f"found {listed(names)}."
        )
    key_of, home = canonical(space), names.index("arch")
    keys = [key_of(row[home]) for row in rows]
    found: dict[str, dict[str, float]] = {}
    for device, place in places.items():
        values = {key: number(row[place]) for key, row in zip(keys, rows)}
        # HW-NAS-Bench marks what a device cannot run by a negative number.
        found[device] = {key: ms for key, ms in values.items() if ms is not None and ms > 0}
    return found


@dataclass
class Latencies:
    """The latencies of one kind of network on devices.

    Attributes
    ----------
    space
        The space's name.
    table
        Known ones, by device.
    build
        Makes a network to be measured.
    input_shape
        Of one image.
    kept
        What was measured, by device and canonical architecture.
    """

    space: str
    table: Table
    build: Callable[[Any], nn.Module]
    input_shape: tuple[int, ...]
    kept: dict[tuple[str, str], float] = field(default_factory=dict)
    _file: Path | None = None

    def check(self, device: str) -> None:
        """Complain of a device of which nothing can be known.

        Raises
        ------
        BadArgument
            It is in no table and is not this machine's.
        """
        if device in self.table:
            return
        if device in MEASURED:
            from naslib_swap.devices import usable

            usable(device)
            return
        raise BadArgument(
            f"got the device {device!r}, expected one with a table of latencies "
            f"({listed(self.table) or 'none is known for this space and task'}), or "
            f"{' or '.join(MEASURED)}, which are measured here. --latency-file takes a table: "
            f"arch, and a column {device}{COLUMN}."
        )

    def measures(self, device: str) -> bool:
        """Whether latencies on this device are measured, not looked up."""
        return device not in self.table

    def of(self, device: str, arch: Any) -> float:
        """Return milliseconds for one image; NaN where the table does not have the network."""
        space = spaces.get(self.space)
        same = space.encode(space.canonical(arch))
        if not self.measures(device):
            known = self.table[device]
            return known.get(space.encode(arch), known.get(same, math.nan))
        if (device, same) not in self.kept:
            net = self.build(space.canonical(arch))
            self.kept[device, same] = milliseconds(net, self.input_shape, device)
            self._append(device, same)
        return self.kept[device, same]

    def recall(self, path: Path) -> None:
        """Take over what a file holds from an earlier run.

        Raises
        ------
        BadFile
            The file is damaged.
        """
        if path.exists():
            self.kept.update(_read(path))

    def keep(self, path: Path) -> None:
        """Write to a file what was measured, and what will be, in the place of what it holds.

        Raises
        ------
        BadFile
            The file cannot be written.
        """
        self._file = path
        if self.kept:
            write_text(path, "".join(_line(*key, value) for key, value in self.kept.items()))

    def _append(self, device: str, arch: str) -> None:
        if self._file is None:
            return
        line = _line(device, arch, self.kept[device, arch])
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise BadFile(
                f"cannot write {self._file}: {error.strerror or error}. Make room and resume."
            ) from error


def _line(device: str, arch: str, value: float) -> str:
    return json.dumps({"device": device, "arch": arch, "ms": value}) + "\n"


def _read(path: Path) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for place, line in enumerate(lines[:-1]):  # what follows the last line end was cut off
        try:
            one = json.loads(line)
            found[str(one["device"]), str(one["arch"])] = float(one["ms"])
        except (ValueError, TypeError, KeyError):
            raise BadFile(
                f"{path}, line {place + 1} is damaged, expected a latency as this program writes "
                "it. It was left as it is; search anew in another folder."
            ) from None
    return found


def latencies_of(
    space: str,
    task: str,
    build: Callable[[Any], nn.Module],
    input_shape: tuple[int, ...],
    *,
    file: str | None = None,
) -> Latencies:
    """Return the latencies of a space's networks, by the user's table or the catalogue's.

    Raises
    ------
    SwapError
        A table that cannot be read or found.
    """
    if file is not None:
        return Latencies(space, read_table(space, Path(file)), build, input_shape)
    name = TABLES.get((space, task))
    table: Table = {}
    if name is not None and catalogue.find(catalogue.entry(name)) is not None:
        table = read_table(space, catalogue.locate(name))
    return Latencies(space, table, build, input_shape)


def milliseconds(net: nn.Module, input_shape: tuple[int, ...], device: str) -> float:
    """Return the median time of a forward pass of one image, in eval mode.

    On the CPU with one thread. At least nine passes, after three that do not count.
    """
    import torch

    from naslib_swap.seeding import one_thread

    image = torch.zeros(1, *input_shape, device=device)
    net = net.to(device).eval()
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    with one_thread(), torch.inference_mode():
        times: list[float] = []
        begun = time.perf_counter()
        for count in range(_WARMING + _MOST_PASSES):
            start = time.perf_counter()
            net(image)
            wait()
            end = time.perf_counter()
            if count >= _WARMING:
                times.append(1000 * (end - start))
            if len(times) >= _LEAST_PASSES and end - begun > _SECONDS:
                break
    return statistics.median(times)
