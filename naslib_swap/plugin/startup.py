"""What the interpreter runs at start: put the import hook in place, and nothing else.

Two files in site-packages call `start`: `naslib_swap.pth`, and `naslib_swap.start` (PEP 829).
It costs about a millisecond beside the interpreter's own start, and imports neither torch nor
NASLib. `NASLIB_SWAP_DISABLE=1` switches it off.
"""

from __future__ import annotations

import os

DISABLE_VARIABLE = "NASLIB_SWAP_DISABLE"


def disabled() -> bool:
    """Whether the user has switched the plugin off for this process."""
    return os.environ.get(DISABLE_VARIABLE, "").strip().lower() not in ("", "0", "false", "no")


def start() -> None:
    """Install the import hook, unless it is switched off; may run any number of times."""
    if disabled():
        return
    # An interpreter must start whatever state this package is in (half removed, half upgraded):
    # the failure is said on stderr and the hook stays out.
    try:
        from naslib_swap.plugin.hook import install

        install()
    except Exception as error:
        import sys

        sys.stderr.write(f"naslib-swap: the NASLib hook is not installed: {error!r}\n")
