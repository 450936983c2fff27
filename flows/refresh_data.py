"""Deployment `refresh-data`: build or import the surveys where the settings changed, version them, and cut samples."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tasks
from prefect import flow


@flow(name="refresh-data", timeout_seconds=6 * 3600, description=__doc__)
def refresh_data(prepare: bool = True) -> None:  # noqa: FBT001, FBT002 - a parameter of the deployment, given by name
    """
    Bring data and samples up to date; what is current is left alone.

    Args:
        prepare: Whether to cut, label and split too.
    """
    with tasks.children_end_with_flow():
        tasks.data()
        if prepare:
            tasks.prepare()


if __name__ == "__main__":
    refresh_data()
