"""Arrays of plain numbers, made by our own code from bytes that others wrote.

NumPy would build whatever a file's description of an array says, objects over raw memory among it.
Here a type of number comes from a fixed list, and a shape must fit the bytes.
"""

from __future__ import annotations

import ast
import math
from typing import IO, Any

import numpy as np

from naslib_swap.nesting import Record
from naslib_swap.quoting import shown
from naslib_swap.restricted_pickle import Allowed

_NUMBERS = frozenset({"b1", "i1", "u1", *(f"{kind}{n}" for kind in "iuf" for n in (2, 4, 8))})
_LONGEST_HEADER = 10_000


def plain_dtype(text: Any) -> np.dtype:
    """Make the type of number that a text such as ``"u1"`` or ``"<f4"`` names.

    Raises
    ------
    ValueError
        It is no boolean, integer or float of at most eight bytes.
    """
    name = text.decode("latin1") if isinstance(text, bytes) else text
    order, bare = (name[:1], name[1:]) if str(name)[:1] in tuple("<>=|") else ("=", name)
    if not isinstance(bare, str) or bare not in _NUMBERS:
        raise ValueError(f"{shown(text, 60)} is no plain type of number, such as u1, i8 or f4")
    return np.dtype(order + bare)


def plain_array(raw: bytes, dtype: np.dtype, shape: Any, fortran: bool = False) -> np.ndarray:
    """View bytes as an array.

    Parameters
    ----------
    raw
        The numbers.
    dtype
        Their type, from `plain_dtype`.
    shape
        The sizes of the dimensions, whose product must be the number of numbers.
    fortran
        Whether the first index varies fastest.

    Raises
    ------
    ValueError
        The shape is none, or does not fit.
    """
    if count_of(shape) * dtype.itemsize != len(raw):
        raise ValueError(
            f"an array of {dtype} {shown(shape, 60)} does not fit its {len(raw):,} bytes"
        )
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")


def count_of(shape: Any) -> int:
    """How many numbers an array of that shape has; `ValueError` where it is no shape."""
    if (
        not isinstance(shape, tuple)
        or len(shape) > 8
        or any(type(size) is not int or not 0 <= size < 1 << 48 for size in shape)
    ):
        raise ValueError(f"{shown(shape, 60)} is no shape of an array")
    return math.prod(shape)


class Header:
    """What a ``.npy`` says of its array: type of number, shape and order."""

    def __init__(self, file: IO[bytes]) -> None:
        """Read the header and stop where the numbers begin; `ValueError` where it is none."""
        if file.read(6) != b"\x93NUMPY":
            raise ValueError("an array does not begin as .npy does")
        version = file.read(2)[:1]
        length = int.from_bytes(file.read(2 if version == b"\x01" else 4), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"the header of an array has {length:,} bytes")
        # A literal is only read, never run.
        fields = ast.literal_eval(file.read(length).decode("latin1").strip())
        if not isinstance(fields, dict) or set(fields) != {"descr", "fortran_order", "shape"}:
            raise ValueError(f"{shown(fields)} is no header of an array")
        self.dtype = plain_dtype(fields["descr"])
        self.shape: tuple[int, ...] = fields["shape"]
        self.fortran = bool(fields["fortran_order"])
        self.bytes = count_of(self.shape) * self.dtype.itemsize


class PickledDtype(Record):
    """Stands in for `numpy.dtype` in a pickle: a plain type of number, or an error."""

    __slots__ = ("dtype",)

    def __init__(self, text: Any, align: Any = False, copy: Any = False) -> None:
        super().__init__()
        self.dtype = plain_dtype(text)

    def set_state(self, state: Any) -> None:
        """Take the byte order; anything that a plain type has no need of is refused."""
        plain = (None, None, None, -1, -1, 0)
        if not isinstance(state, tuple) or state[0] not in (3, 4) or state[2:8] != plain:
            raise ValueError("the type of an array is not plain")
        if len(state) > 8:
            raise ValueError("the type of an array has metadata")
        order = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        self.dtype = plain_dtype(f"{order}{self.dtype.str[1:]}")


class PickledArray(Record):
    """Stands in for an array in a pickle; `array` is made from its state."""

    __slots__ = ("array",)

    def __init__(self, kind: Any = None, shape: Any = (0,), code: Any = b"b") -> None:
        super().__init__()
        if tuple(shape) != (0,):
            raise ValueError("an array is not empty when it is made")
        self.array: np.ndarray = np.empty(0, np.uint8)

    def set_state(self, state: Any) -> None:
        """Make the array from (version, shape, type, Fortran order, bytes)."""
        _, shape, dtype, fortran, raw = state
        self.array = _made(raw, dtype, shape, bool(fortran))


def _made(raw: Any, dtype: Any, shape: Any, fortran: bool) -> np.ndarray:
    if type(dtype) is not PickledDtype or type(raw) is not bytes:
        raise ValueError("an array's type or numbers are missing")
    return plain_array(raw, dtype.dtype, shape, fortran)


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> PickledArray:
    """Stand in for the function that protocol 5 makes arrays with."""
    if order not in ("C", "F"):
        raise ValueError("the order of an array is neither C nor F")
    made = PickledArray()
    made.array = _made(raw, dtype, shape, order == "F")
    return made


def _scalar(dtype: Any, raw: Any) -> Any:
    """Stand in for the function that makes single numbers; Python's own come out."""
    return _made(raw, dtype, (), False).item()


def _encode(text: Any, encoding: Any) -> bytes:
    """Stand in for _codecs.encode, by which protocol 2 writes bytes."""
    if type(text) is not str or encoding != "latin1":
        raise ValueError("only latin1 encodes bytes")
    return text.encode("latin1")


PICKLED: Allowed = {
    ("numpy", "ndarray"): PickledArray,
    ("numpy", "dtype"): PickledDtype,
    ("_codecs", "encode"): _encode,
    # By which protocols 0 to 2 write no bytes at all.
    ("__builtin__", "bytes"): lambda: b"",
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", PickledArray),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}
"""What a pickle of arrays of numbers needs."""
