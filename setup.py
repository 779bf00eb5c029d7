"""Packaging: what setup.cfg cannot say. All metadata is there.

The compiled kernel (see `naslib_swap.patterns`) is optional: without a compiler or Python's
headers, the package installs all the same and counts with numpy and torch.

A normal wheel carries the two start-up files (see `naslib_swap.plugin.startup`) as data files.
Setuptools leaves data files out of editable wheels, so they are copied into those here.
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


class EditableWheelWithStartupFiles(editable_wheel):
    """An editable wheel that also holds the start-up files, so that uninstall removes them."""

    def _run_build_commands(self, dist_name, unpacked_wheel, *args):
        outputs = super()._run_build_commands(dist_name, unpacked_wheel, *args)
        for source in sorted(SITE.glob("naslib_swap.*")):
            copy(source, unpacked_wheel)
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
    cmdclass={"editable_wheel": EditableWheelWithStartupFiles},
    ext_modules=[kernel],
    options={"bdist_wheel": {"py_limited_api": "cp39"}} if STABLE else {},
)
