"""Deployment `release`: score surveys with the champion, publish catalogs, verify them. Started by a promotion."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tasks
from prefect import flow

from exsitu.settings import load_settings


def publish(surveys: tuple[str, ...], *, audit: bool) -> list[Path]:
    """
    Release surveys and verify what came out.

    Parameters
    ----------
    surveys : tuple of str
        Surveys of ``params.yaml``.
    audit : bool
        Whether to compare with the truth, where one is known.

    Returns
    -------
    list of Path
        Folders of the releases.
    """
    known = load_settings().surveys
    folders = [tasks.release(survey) for survey in surveys]
    for survey, folder in zip(surveys, folders, strict=True):
        tasks.verify(folder, audit=audit and known[survey].truth is not None)
    return folders


@flow(name="release", timeout_seconds=6 * 3600, description=__doc__)
def release(
    surveys: tuple[str, ...] = ("standin", "hipparcos2"),
    audit: bool = True,  # noqa: FBT001, FBT002 - a parameter of the deployment, given by name
) -> list[Path]:
    """
    Publish a release of each survey, unless the newest was made of the same model and stars.

    Args:
        surveys: Surveys of params.yaml to release.
        audit: Whether to compare with the truth, where one is known.

    Returns:
        Folders of the releases.
    """
    with tasks.children_end_with_flow():
        return publish(surveys, audit=audit)


if __name__ == "__main__":
    release()
