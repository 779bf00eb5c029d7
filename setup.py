"""Packaging: what setup.cfg cannot say. All metadata is there.

The compiled kernel (see `naslib_swap.patterns`) is optional: without a compiler or Python's
headers, the package installs all the same and counts with numpy and torch.

A normal wheel carries the start-up file (see `naslib_swap.plugin.startup`) as a data file.
Setuptools leaves data files out of editable wheels, so it is copied into those here.
"""

import os
import sysconfig
from pathlib import Path
from shutil import copy

from setuptools import Extension, setup
from setuptools.command.editable_wheel import editable_wheel

SITE = Path(__file__).parent / "naslib_swap" / "plugin" / "site"
# One build serves every Python from 3.9 on; free-threaded ones have no stable interface.
STABLE = not sysconfig.get_config_var("Py_GIL_DISABLED")


class EditableWheelWithStartupFile(editable_wheel):
    """An editable wheel that also holds the start-up file, so that uninstall removes it."""

    def _run_build_commands(self, dist_name, unpacked_wheel, *args):
        outputs = super()._run_build_commands(dist_name, unpacked_wheel, *args)
        copy(SITE / "naslib_swap.pth", unpacked_wheel)
        return outputs


kernel = Extension(
    "naslib_swap._patterns",
    ["naslib_swap/_patterns.c"],
    optional=True,
    # Python itself may have been built with less; nothing here is fast without vectors.
    extra_compile_args=["/O2"] if os.name == "nt" else ["-O3", "-g0"],
    define_macros=[("Py_LIMITED_API", "0x03090000")] if STABLE else [],
    py_limited_api=STABLE,
)

setup(
    cmdclass={"editable_wheel": EditableWheelWithStartupFile},
    ext_modules=[kernel],
    options={"bdist_wheel": {"py_limited_api": "cp39"}} if STABLE else {},
)
