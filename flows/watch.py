"""Deployment `watch`: releases still verify, data are what they were, new stars look like those learnt on."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tasks
from prefect import flow


@flow(name="watch", timeout_seconds=3 * 3600, description=__doc__)
def watch(inputs: tuple[str, ...] = ()) -> None:
    """
    Look at all releases, the data, and the drift of the surveys that params.yaml names under `watch`.

    Args:
        inputs: Files of new stars to hold against the training stars too.
    """
    with tasks.children_end_with_flow():
        tasks.watch(inputs)


if __name__ == "__main__":
    watch()
