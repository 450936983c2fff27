"""Where the command line looks and writes unless it is told otherwise; all below the folder it is called in."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import click


class TablePath(click.Path):
    """
    Path of a table, or ``-`` for standard input, which is kept in a temporary file while the command runs.

    Parameters
    ----------
    folders : bool
        Whether a folder may be given.
    """

    def __init__(self, *, folders: bool) -> None:
        super().__init__(path_type=Path, dir_okay=folders, allow_dash=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """
        Turn what was given into a path.

        Parameters
        ----------
        value : object
            What was given.
        param : click.Parameter or None
            The option.
        ctx : click.Context or None
            The command, whose end removes the temporary file.

        Returns
        -------
        Path
        """
        if str(value) != "-" or ctx is None:
            return super().convert(value, param, ctx)
        kept = Path(ctx.with_resource(tempfile.TemporaryDirectory(prefix="exsitu-"))) / "standard-input"
        with kept.open("wb") as stream:
            shutil.copyfileobj(sys.stdin.buffer, stream)
        return kept


FOLDER = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
TABLE = TablePath(folders=False)
TABLE_OR_FOLDER = TablePath(folders=True)
"""Kinds of arguments."""

DATA = Path("data")
BUILD = Path("build")
SAMPLES = BUILD / "samples"
PRETRAINED = BUILD / "pretrained"
TRANSFERRED = BUILD / "transfer"
EVALUATION = BUILD / "evaluation"
ADAPTED = BUILD / "adapted"
MODELS = (ADAPTED, BUILD / "adapted-real")
"""Where a champion's weights may lie; the MLflow registry is asked next."""
EXPERIMENTS = BUILD / "experiments"
GATES = BUILD / "gates"
PARTICLES = BUILD / "particles"
MOCKS = BUILD / "mocks"
CHECKED = BUILD / "mocks-check"
RELEASES = Path("releases")
REPORTS = Path("reports")
SUITES = Path("expectations")
CHAMPION = Path("champion.json")
