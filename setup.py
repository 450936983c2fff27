"""Put the repository's settings into the package where it is built; everything else stands in pyproject.toml."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SETTINGS = "params.yaml"


class BuildWithSettings(build_py):
    """The package and a copy of the settings, so that there is one file to edit and one to ship."""

    def run(self) -> None:
        """Build, then copy; an editable install reads the repository's own file."""
        super().run()
        if not self.editable_mode:
            self.copy_file(SETTINGS, str(Path(self.build_lib) / "exsitu" / SETTINGS))


setup(cmdclass={"build_py": BuildWithSettings})
