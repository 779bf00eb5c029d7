"""What is imported when: nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCORE = """
import torch
before = set(sys.modules)
from naslib_swap import swap_score
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
swap_score(net, torch.randn(2, 3))
imported = set(sys.modules) - before
"""


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import naslib_swap; imported = set(sys.modules)", {"torch", "numpy", "scipy"}),
        ("import naslib_swap.cli.main; imported = set(sys.modules)", {"torch", "numpy", "pandas"}),
        ("import naslib_swap.scoring; imported = set(sys.modules)", {"torch", "transformers"}),
        (SCORE, {"torch._dynamo", "sympy", "scipy", "pandas"}),
    ],
    ids=["package", "command", "scoring", "first score"],
)
def test_nothing_heavy_is_imported_before_it_is_needed(code: str, heavy: set[str]):
    line = f"import sys\n{code}\nprint(sorted({heavy!r} & imported))"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
