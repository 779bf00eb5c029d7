"""What encoders and their scores can be told: plain names, for everybody who asks for them."""

from __future__ import annotations

FIDELITIES = ("paper", "trained")
OPERATIONS = ("stated", "attention")
MODES = ("train", "eval")
COTANGENTS = ("paper", "random")
MAX_LENGTH = 512
