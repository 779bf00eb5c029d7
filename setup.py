"""Packaging: all metadata is in setup.cfg; this file only helps editable installs.

A normal wheel carries the start-up file (see `naslib_swap.plugin.startup`) as a data file.
Setuptools leaves data files out of editable wheels, so it is copied into those here.
"""

from pathlib import Path
from shutil import copy

from setuptools import setup
from setuptools.command.editable_wheel import editable_wheel

SITE = Path(__file__).parent / "naslib_swap" / "plugin" / "site"


class EditableWheelWithStartupFile(editable_wheel):
    """An editable wheel that also holds the start-up file, so that uninstall removes it."""

    def _run_build_commands(self, dist_name, unpacked_wheel, *args):
        outputs = super()._run_build_commands(dist_name, unpacked_wheel, *args)
        copy(SITE / "naslib_swap.pth", unpacked_wheel)
        return outputs


setup(cmdclass={"editable_wheel": EditableWheelWithStartupFile})
