"""Reading pickles that others wrote, with an interpreter of our own but for known content.

Python's unpickler trusts what it reads: a few bytes can make it allocate gigabytes, hash a tuple
that is nested a million times, or fill an object's memory. This one knows the opcodes of plain
data, calls stand-ins that the caller gives and nothing else, and keeps to a budget.
"""

from __future__ import annotations

import ast
import hashlib
import io
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from naslib_swap.errors import BadFile
from naslib_swap.nesting import Record, check_nesting
from naslib_swap.quoting import listed, one_line
from naslib_swap.reading import MOST_BYTES, damage, within

Allowed = Mapping[tuple[str, str], Callable[..., Any]]
"""(module, name) as written in the pickle, and what is called in its place here.

A stand-in returns plain data or a `Record`, whose `set_state` then gets the object's state.
"""

MOST_STEPS = 20_000_000
_LONGEST_NUMBER = 1000
_LARGEST_KEY = 128
_LARGEST_KEY_NUMBER = (1 << 61) - 2
"""Larger integers can be chosen so that all hashes are equal, and a dict takes hours to fill."""

_KEYS = (str, bytes, int, float, bool, type(None))
_MARK = object()


def load_pickle(
    content: bytes, allowed: Allowed, *, what: str, encoding: str = "ASCII", known: str = ""
) -> Any:
    """Read one pickle of plain data and the `allowed` types.

    Parameters
    ----------
    content
        The pickle, of any protocol.
    allowed
        What stands in for the types and functions that the pickle may name.
    what
        What messages call it.
    encoding
        How the byte strings of Python 2 become text; ``"bytes"`` keeps them.
    known
        The SHA-256 of content that is known to be sound: Python's own unpickler reads it, in a
        fraction of the time, with the same stand-ins.

    Returns
    -------
    object
        None, booleans, numbers, text, bytes, lists, tuples, dicts, sets, and what the stand-ins
        return.

    Raises
    ------
    BadFile
        The pickle is truncated, is no pickle, names any other type, or nests or expands beyond the
        budget; nothing that it names is imported or called.
    """
    if known and hashlib.sha256(content).hexdigest() == known:
        return _Known(content, allowed).load()
    with damage(f"{what} cannot be read: it is truncated or no pickle"):
        value = _Machine(content, allowed, what, encoding).run()
    check_nesting(value, what)
    return value


def load_torch_pickle(path: Path) -> Any:
    """Read a ``.pth`` of plain data, without tensors, as `torch.save` writes it (a zip archive).

    Raises
    ------
    BadFile
        It is no such archive, holds anything but plain data, or is beyond the budget.
    """
    name = one_line(path)
    with damage(f"{name} cannot be read as .pth"), zipfile.ZipFile(path) as archive:
        members = [member for member in archive.namelist() if member.endswith("/data.pkl")]
        if len(members) != 1:
            raise ValueError("expected one data.pkl, as torch.save writes it")
        with archive.open(members[0]) as file:
            content = within(file, path, MOST_BYTES)
    return load_pickle(content, {}, what=name)


class _Known(pickle.Unpickler):
    def __init__(self, content: bytes, allowed: Allowed) -> None:
        super().__init__(io.BytesIO(content))
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        return self._allowed[module, name]


class _Named:
    """A stand-in on the stack: the only thing that a pickle can call."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call


class _Machine:
    """The stack machine of pickle, for the opcodes of plain data."""

    def __init__(self, content: bytes, allowed: Allowed, what: str, encoding: str) -> None:
        self._content, self._at = content, 0
        self._allowed, self._what, self._encoding = allowed, what, encoding
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._steps = self._encoded = 0

    def run(self) -> Any:
        content, opcodes = self._content, _OPCODES
        while True:
            opcode = content[self._at]
            self._at += 1
            if opcode == _STOP:
                value = self._pop()
                if self._stack:
                    raise ValueError("it ends in the middle of a value")
                return value
            opcodes[opcode](self)
            self._steps += 1
            if self._steps > MOST_STEPS:
                raise BadFile(f"{self._what} is refused: it takes more than {MOST_STEPS:,} steps")

    # Reading the arguments of opcodes.

    def _take(self, count: int) -> bytes:
        start, end = self._at, self._at + count
        if count < 0 or end > len(self._content):
            raise ValueError("it ends too early")
        self._at = end
        return self._content[start:end]

    def _number(self, form: struct.Struct) -> Any:
        (number,) = form.unpack_from(self._content, self._at)
        self._at += form.size
        return number

    def _byte(self) -> int:
        byte = self._content[self._at]
        self._at += 1
        return byte

    def _line(self) -> bytes:
        end = self._content.index(b"\n", self._at)
        line = self._content[self._at : end]
        self._at = end + 1
        return line

    def _digits(self) -> str:
        line = self._line()
        if len(line) > _LONGEST_NUMBER:
            raise ValueError(f"a number has {len(line)} digits")
        return line.decode("ascii")

    def _since_mark(self) -> list[Any]:
        stack = self._stack
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("a mark is missing")
        items = stack[at + 1 :]
        del stack[at:]
        return items

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark stands in the wrong place")
        return value

    def _top(self, kind: type) -> Any:
        if type(self._stack[-1]) is not kind:
            raise ValueError(f"expected a {kind.__name__} on the stack")
        return self._stack[-1]

    # Plain data.

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def text(self, content: bytes) -> None:
        self.push(str(content, "utf-8", "surrogatepass"))

    def old_text(self, content: bytes) -> None:
        self.push(content if self._encoding == "bytes" else str(content, self._encoding))

    def quoted(self) -> None:
        line = self._line().strip()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise ValueError("a text is not in quotes")
        # A literal of bytes is the notation of protocol 0, and is only read, never run.
        value = ast.literal_eval("b" + line.decode("ascii"))
        if type(value) is not bytes:
            raise ValueError("a text is not in quotes")
        self.old_text(value)

    def integer(self) -> None:
        digits = self._digits()
        self.push({"00": False, "01": True}[digits] if digits in ("00", "01") else int(digits))

    def long(self, size: int) -> None:
        if size > _LONGEST_NUMBER:
            raise ValueError(f"a number has {size} bytes")
        self.push(int.from_bytes(self._take(size), "little", signed=True))

    def pop(self) -> None:
        self._stack.pop()

    def tuple_of(self, count: int) -> None:
        items = tuple(self._stack[-count:])
        if len(items) != count or _MARK in items:
            raise ValueError("a tuple lacks items")
        self._stack[-count:] = [items]

    def append(self) -> None:
        value = self._pop()
        self._top(list).append(value)

    def appends(self) -> None:
        values = self._since_mark()
        self._top(list).extend(values)

    def set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._top(dict)[self._key(key)] = value

    def set_items(self) -> None:
        items = self._since_mark()
        self._top(dict).update(self._pairs(items))

    def add_items(self) -> None:
        items = self._since_mark()
        self._top(set).update(map(self._key, items))

    # The memo.

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    # Names, and calls of what stands in for them.

    def name(self, module: Any, name: Any) -> None:
        if (module, name) not in self._allowed:
            expected = listed(sorted({known for _, known in self._allowed})) or "plain data only"
            raise BadFile(
                f"{self._what} is refused: its pickle asks for {one_line(module, 60)}."
                f"{one_line(name, 60)}, which it has no need of (expected {expected}); nothing of "
                "it was run"
            )
        self.push(_Named(self._allowed[module, name]))

    def stack_name(self) -> None:
        name, module = self._pop(), self._pop()
        if type(name) is not str or type(module) is not str:
            raise ValueError("a name is no text")
        self.name(module, name)

    def call(self) -> None:
        arguments, function = self._pop(), self._pop()
        if type(function) is not _Named or type(arguments) is not tuple:
            raise ValueError("a call of what is no name")
        # A stand-in may be an argument too: a kind of array is.
        value = function.call(*(a.call if type(a) is _Named else a for a in arguments))
        if type(value) is bytes:
            # Encoding the same text again and again would fill the memory.
            self._encoded += len(value)
            if self._encoded > len(self._content):
                raise ValueError("it encodes more text than it holds")
        self.push(value)

    def instance(self) -> None:
        arguments = tuple(self._since_mark())
        self.name(self._line().decode(), self._line().decode())
        self.push(arguments)
        self.call()

    def build(self) -> None:
        state, value = self._pop(), self._stack[-1]
        if not isinstance(value, Record):
            raise ValueError(f"a state for {type(value).__name__}")
        value.set_state(state)

    def _pairs(self, items: list[Any]) -> dict[Any, Any]:
        if len(items) % 2:
            raise ValueError("a key has no value")
        return dict(zip(map(self._key, items[::2]), items[1::2]))

    def _key(self, key: Any) -> Any:
        """Return a key whose hash is quick: plain, or a small tuple of plain values."""
        if type(key) is str or type(key) is bytes:
            return key
        waiting, seen = [key], 0
        while waiting:
            seen += 1
            item = waiting.pop()
            if type(item) is tuple and len(item) + seen + len(waiting) <= _LARGEST_KEY:
                waiting += item
            elif type(item) not in _KEYS or (type(item) is int and abs(item) > _LARGEST_KEY_NUMBER):
                raise ValueError("a key is neither plain nor a small tuple")
        self._steps += seen
        return key


_STOP = ord(".")
_INT4, _UINT2, _UINT4, _UINT8, _FLOAT8 = map(struct.Struct, ("<i", "<H", "<I", "<Q", ">d"))


def _opcodes() -> list[Callable[[_Machine], Any]]:
    """Each opcode's action, at its position; the letters are those of Python's `pickletools`."""

    def unknown(machine: _Machine) -> None:
        opcode = machine._content[machine._at - 1]
        raise ValueError(f"the opcode {opcode:#04x} is not one of plain data")

    known: dict[bytes, Callable[[_Machine], Any]] = {
        b"\x80": lambda m: m._take(1),
        b"\x95": lambda m: m._take(8),
        b"(": lambda m: m._stack.append(_MARK),
        b"0": _Machine.pop,
        b"1": _Machine._since_mark,
        b"2": lambda m: m.push(m._stack[-1]),
        b"N": lambda m: m.push(None),
        b"\x88": lambda m: m.push(True),
        b"\x89": lambda m: m.push(False),
        b"I": _Machine.integer,
        b"J": lambda m: m.push(m._number(_INT4)),
        b"K": lambda m: m.push(m._byte()),
        b"M": lambda m: m.push(m._number(_UINT2)),
        b"L": lambda m: m.push(int(m._digits().rstrip("L"))),
        b"\x8a": lambda m: m.long(m._byte()),
        b"\x8b": lambda m: m.long(m._number(_UINT4)),
        b"F": lambda m: m.push(float(m._digits())),
        b"G": lambda m: m.push(m._number(_FLOAT8)),
        b"S": _Machine.quoted,
        b"T": lambda m: m.old_text(m._take(m._number(_INT4))),
        b"U": lambda m: m.old_text(m._take(m._byte())),
        b"V": lambda m: m.push(str(m._line(), "raw-unicode-escape")),
        b"X": lambda m: m.text(m._take(m._number(_UINT4))),
        b"\x8c": lambda m: m.text(m._take(m._byte())),
        b"\x8d": lambda m: m.text(m._take(m._number(_UINT8))),
        b"B": lambda m: m.push(m._take(m._number(_UINT4))),
        b"C": lambda m: m.push(m._take(m._byte())),
        b"\x8e": lambda m: m.push(m._take(m._number(_UINT8))),
        b"\x96": lambda m: m.push(m._take(m._number(_UINT8))),
        b"]": lambda m: m.push([]),
        b"l": lambda m: m.push(m._since_mark()),
        b"a": _Machine.append,
        b"e": _Machine.appends,
        b")": lambda m: m.push(()),
        b"t": lambda m: m.push(tuple(m._since_mark())),
        b"\x85": lambda m: m.tuple_of(1),
        b"\x86": lambda m: m.tuple_of(2),
        b"\x87": lambda m: m.tuple_of(3),
        b"}": lambda m: m.push({}),
        b"d": lambda m: m.push(m._pairs(m._since_mark())),
        b"s": _Machine.set_item,
        b"u": _Machine.set_items,
        b"\x8f": lambda m: m.push(set()),
        b"\x90": _Machine.add_items,
        b"\x91": lambda m: m.push(frozenset(map(m._key, m._since_mark()))),
        b"\x94": _Machine.memoize,
        b"p": lambda m: m.put(int(m._digits())),
        b"q": lambda m: m.put(m._byte()),
        b"r": lambda m: m.put(m._number(_UINT4)),
        b"g": lambda m: m.get(int(m._digits())),
        b"h": lambda m: m.get(m._byte()),
        b"j": lambda m: m.get(m._number(_UINT4)),
        b"c": lambda m: m.name(m._line().decode(), m._line().decode()),
        b"\x93": _Machine.stack_name,
        b"i": _Machine.instance,
        b"R": _Machine.call,
        b"\x81": _Machine.call,
        b"b": _Machine.build,
    }
    table: list[Callable[[_Machine], Any]] = [unknown] * 256
    for opcode, action in known.items():
        table[ord(opcode)] = action
    return table


_OPCODES = _opcodes()
