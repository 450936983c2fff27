"""Where the command line looks and writes unless it is told otherwise; all below the folder it is called in."""

from pathlib import Path

import click

FOLDER = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
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
