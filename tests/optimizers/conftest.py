"""A search space small enough to know by heart."""

from __future__ import annotations

import numpy as np
import pytest

from naslib_swap.optimizers.fitness import Scored


class LetterSpace:
    """Words over a, b and c; an architecture is a tuple of letters."""

    name = "letters"

    def __init__(self, length: int) -> None:
        self.length = length

    def sample(self, rng: np.random.Generator) -> tuple[str, ...]:
        return tuple("abc"[i] for i in rng.integers(3, size=self.length))

    def mutate(self, arch: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
        place = int(rng.integers(self.length))
        letters = sorted(set("abc") - {arch[place]})
        return (*arch[:place], letters[int(rng.integers(2))], *arch[place + 1 :])

    def crossover(
        self, a: tuple[str, ...], b: tuple[str, ...], rng: np.random.Generator
    ) -> tuple[str, ...]:
        return tuple(x if coin else y for x, y, coin in zip(a, b, rng.random(self.length) < 0.5))

    def canonical(self, arch: tuple[str, ...]) -> tuple[str, ...]:
        return arch

    def encode(self, arch: tuple[str, ...]) -> str:
        return "".join(arch)

    def parse(self, text: str) -> tuple[str, ...]:
        return tuple(text)


class CountingMeasure:
    """Score: how many c, plus one; size: how many b. Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, arch: tuple[str, ...]) -> Scored:
        self.asked.append("".join(arch))
        return Scored(score=1.0 + arch.count("c"), size=float(arch.count("b")))


class UnorderedSpace(LetterSpace):
    """Words whose letters may stand in any order: anagrams are one network."""

    name = "bags"

    def canonical(self, arch: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(arch))


@pytest.fixture
def bags() -> UnorderedSpace:
    """Bags of three letters: 27 words, ten of them different."""
    return UnorderedSpace(3)


@pytest.fixture
def letters() -> LetterSpace:
    """Words of eight letters: 6561 architectures."""
    return LetterSpace(8)


@pytest.fixture
def pairs() -> LetterSpace:
    """Words of two letters: nine architectures."""
    return LetterSpace(2)


@pytest.fixture
def counting() -> CountingMeasure:
    """A measure that remembers its calls."""
    return CountingMeasure()
