"""Deployment `nightly-train`: train what is stale, and promote what is better; a promotion starts the release."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tasks
from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from exsitu.settings import load_settings


def train() -> None:
    """Every stage from data to the adapted model that is stale; two transfer variants at once."""
    tasks.data()
    tasks.prepare()
    tasks.pretrain()
    for done in [tasks.transfer.submit(variant) for variant in load_settings().transfer.variants]:
        done.result()
    tasks.evaluate()
    tasks.adapt()


@flow(
    name="nightly-train",
    task_runner=ThreadPoolTaskRunner(max_workers=2),
    timeout_seconds=12 * 3600,
    description=__doc__,
)
def nightly_train(promote: bool = True) -> bool:  # noqa: FBT001, FBT002 - a parameter of the deployment, given by name
    """
    Train what is stale of the whole way, and promote the outcome if the policy lets it.

    Args:
        promote: Whether to hold the new model against the champion; otherwise it waits in build/adapted.

    Returns:
        Whether there is another champion now; the deployment `release` starts by the event of it.
    """
    with tasks.children_end_with_flow():
        train()
        changed = tasks.promote() if promote else False
        if changed:
            tasks.announce()
    return changed


if __name__ == "__main__":
    nightly_train()
