"""Packaging beyond pyproject.toml: only a checkout has the command `lego-arta`."""

from pathlib import Path

from setuptools import setup
from setuptools.command.editable_wheel import editable_wheel


class EditableWheel(editable_wheel):
    """What `pip install -e .` installs.

    A built wheel holds `lego_arta.py` alone, without the packages that the command runs, so it may
    not name the command; and names like `core` or `tasks` do not belong into site-packages.
    """

    def run(self) -> None:
        """Add the command to the wheel's metadata."""
        self._ensure_dist_info()
        points = "[console_scripts]\nlego-arta = scripts.main:main\n"
        Path(self.dist_info_dir, "entry_points.txt").write_text(points, encoding="utf-8")
        super().run()


setup(cmdclass={"editable_wheel": EditableWheel})
