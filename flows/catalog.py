"""The main job: from mock surveys to released catalogs. `make catalog` runs this file; deployments run its flow."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tasks
from nightly_train import train
from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner
from release import publish

from exsitu.errors import ExsituError, InputError
from exsitu.operations.outcome import OUTCOME, compared, measured_outcome, read_outcome
from exsitu.operations.record import differences
from exsitu.settings import load_settings


@flow(name="catalog", task_runner=ThreadPoolTaskRunner(max_workers=2), timeout_seconds=24 * 3600, description=__doc__)
def catalog(surveys: tuple[str, ...] = ("standin", "hipparcos2")) -> list[Path]:
    """
    Run every stage that is stale, promote, release and verify.

    Args:
        surveys: Surveys of ``params.yaml`` to release.

    Returns:
        Folders of the releases.
    """
    with tasks.children_end_with_flow():
        train()
        tasks.promote()  # announces nothing: the releases follow here
        return publish(surveys, audit=True)


def _against_readme() -> list[str]:
    """How the numbers of this run compare with those that README promises."""
    try:
        here = measured_outcome(load_settings(), build=tasks.BUILD, releases=Path("releases"), root=Path())
        return compared(read_outcome(OUTCOME), here)
    except ExsituError as error:
        return [str(error)]


def _farewell(folders: list[Path]) -> str:
    looks = [f"  {folder}/README.md, {folder}/catalog.fits (TOPCAT), {folder}/score.png" for folder in folders]
    return "\n".join(
        [
            "",
            "Released:",
            *looks,
            *_against_readme(),
            *(f"Not as in the commit: {why}" for why in differences(Path())),
            "Look also at build/evaluation/*.png, `exsitu compare`, and `mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db`.",
        ]
    )


if __name__ == "__main__":
    try:
        tasks.require_ready()
    except InputError as refusal:
        sys.exit(f"exsitu: {refusal}")
    sys.stderr.write(_farewell(catalog()) + "\n")
