"""Packaging: all metadata is in setup.cfg; this file only helps editable installs.

A normal wheel carries the two start-up files (see `naslib_swap.plugin.startup`) as data files.
Setuptools leaves data files out of editable wheels, so they are copied into those here.
"""

from pathlib import Path
from shutil import copy

from setuptools import setup
from setuptools.command.editable_wheel import editable_wheel

SITE = Path(__file__).parent / "naslib_swap" / "plugin" / "site"


class EditableWheelWithStartupFiles(editable_wheel):
    """An editable wheel that also holds the start-up files, so that uninstall removes them."""

    def _run_build_commands(self, dist_name, unpacked_wheel, *args):
        outputs = super()._run_build_commands(dist_name, unpacked_wheel, *args)
        for source in sorted(SITE.glob("naslib_swap.*")):
            copy(source, unpacked_wheel)
        return outputs


setup(cmdclass={"editable_wheel": EditableWheelWithStartupFiles})
