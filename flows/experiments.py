"""Deployment `experiments`: the paper's experiments and those beyond it, where stale; then the report."""

import sys
from enum import StrEnum
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tasks
from prefect import flow

from exsitu.experiments.registry import EXPERIMENTS

Name = StrEnum("Name", {name: name for name in EXPERIMENTS})  # a choice in Prefect's form


@flow(name="experiments", timeout_seconds=24 * 3600, description=__doc__)
def experiments(names: tuple[Name, ...] = ()) -> None:
    """
    Run experiments that data, settings or code have changed for; the artifacts have their findings and figures.

    Args:
        names: Experiments to look at, all of them if none is named; what is current is left alone.
    """
    with tasks.children_end_with_flow():
        for name in names or Name:
            tasks.experiment(name.value)
        tasks.report()


if __name__ == "__main__":
    experiments()
