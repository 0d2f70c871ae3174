"""Packaging follows from the folders: a plugin is ``plugins/ptx_NAME``, and is named nowhere else.

Everything that does not change when a plugin comes or goes stands in pyproject.toml.
"""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

plugins = sorted(init.parent.name for init in Path("plugins").glob("ptx_*/__init__.py"))
rooms = find_packages("plugins", include=[pattern for name in plugins for pattern in (name, f"{name}.*")])


class Build(build_py):
    """The documentation is pages: the scripts that write some of them stay in the repository."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """The modules of a package; ``ptx.docs`` has none."""
        return [] if package == "ptx.docs" else super().find_package_modules(package, package_dir)


setup(
    cmdclass={"build_py": Build},
    packages=["ptx", "ptx.conf", "ptx.docs", *(f"ptx.{room}" for room in find_packages("ptx")), *rooms],
    entry_points={
        "console_scripts": ["ptx = ptx.cli:main"],
        "pytest11": ["ptx = ptx.testing"],
        "ptx": ["builtin = ptx.builtin", *(f"{name.removeprefix('ptx_')} = {name}" for name in plugins)],
    },
)
