"""What the interpreter runs at start: put a finder in place, and nothing else.

`naslib_swap.pth` in site-packages loads this file by its path, beside it, and calls `start`: the
package itself is not imported, so that no folder of the same name can stand in for it (an editable
install has no package there: that one is imported). It costs less than a millisecond, and imports
neither torch nor NASLib. What goes wrong in this file is one line on stderr, and the interpreter
goes on. `NASLIB_SWAP_DISABLE=1` switches it off.

PEP 829's `.start` files are not used: they import the package from the path and guard nothing.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Optional

PACKAGE = "naslib"
DISABLE_VARIABLE = "NASLIB_SWAP_DISABLE"


class Finder:
    """A meta-path finder that answers for NASLib's modules alone."""

    def find_spec(
        self,
        name: str,
        path: "Optional[Sequence[str]]" = None,
        target: "Optional[ModuleType]" = None,
    ) -> "Optional[ModuleSpec]":
        """Return the spec of a NASLib module, with our functions around its execution."""
        if name != PACKAGE and not name.startswith(PACKAGE + "."):
            return None
        try:
            from naslib_swap.plugin.hook import find_spec
        except Exception as error:
            # Half removed, half upgraded: NASLib is imported as if the plugin were not there.
            sys.stderr.write(f"naslib-swap: the plugin is damaged ({error}); reinstall it\n")
            sys.meta_path[:] = [finder for finder in sys.meta_path if not is_ours(finder)]
            return None
        return find_spec(name, path, target)


def start() -> None:
    """Put the finder in place, unless it is there or switched off."""
    if not disabled() and not is_installed():
        sys.meta_path.insert(0, Finder())


def disabled() -> bool:
    """Whether the user has switched the plugin off for this process."""
    return os.environ.get(DISABLE_VARIABLE, "").strip().lower() not in ("", "0", "false", "no")


def is_installed() -> bool:
    """Whether the finder is in place."""
    return any(is_ours(finder) for finder in sys.meta_path)


def is_ours(finder: object) -> bool:
    """Whether a finder is ours; by name, as this module may have been loaded twice."""
    kind = type(finder)
    return kind.__name__ == "Finder" and kind.__module__ == __name__
