"""The main job: from mock surveys to released catalogs. `make catalog` runs this file; deployments run its flow."""

import os
import sys
from pathlib import Path

# Nothing phones home; set before Prefect is imported.
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# The embedded server needs more than its default 20 s where other work shares the cores.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
sys.path.insert(0, str(Path(__file__).parent))

import tasks
from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from exsitu.settings import load_settings


@flow(name="catalog", task_runner=ThreadPoolTaskRunner(max_workers=2), description=__doc__)
def catalog(surveys: tuple[str, ...] = ("standin", "hipparcos2")) -> list[Path]:
    """
    Run every stage that is stale, promote, release and verify.

    Parameters
    ----------
    surveys : tuple of str
        Surveys of ``params.yaml`` to release.

    Returns
    -------
    list of Path
        Folders of the releases.
    """
    settings = load_settings()
    tasks.data()
    tasks.prepare()
    tasks.pretrain()
    for done in [tasks.transfer.submit(variant) for variant in settings.transfer.variants]:
        done.result()
    tasks.evaluate()
    tasks.adapt()
    tasks.promote()
    folders = [tasks.release(survey) for survey in surveys]
    for survey, folder in zip(surveys, folders, strict=True):
        tasks.verify(folder, audit=settings.surveys[survey].truth is not None)
    return folders


def _farewell(folders: list[Path]) -> str:
    looks = [f"  {folder}/README.md, {folder}/catalog.fits (TOPCAT), {folder}/sky.png" for folder in folders]
    return "\n".join(
        [
            "",
            "Released:",
            *looks,
            "Look also at build/evaluation/*.png, `exsitu compare`, and `mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db`.",
        ]
    )


if __name__ == "__main__":
    sys.stderr.write(_farewell(catalog()) + "\n")
