"""Deployment `promote`: by hand, with a dry run, by force with a reason, or back to an older champion."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tasks
from prefect import flow


@flow(name="promote", timeout_seconds=3600, description=__doc__)
def promote(  # noqa: FBT001, FBT002, RUF100 - parameters of the deployment, given by name
    run_id: str | None = None,
    to_version: str | None = None,
    dry_run: bool = False,  # noqa: FBT001, FBT002
    force: bool = False,  # noqa: FBT001, FBT002
    reason: str | None = None,
) -> bool:
    """
    Judge a model by the promotion policy and make it champion, or go back; the artifact `promotion` has the numbers.

    Args:
        run_id: MLflow run of an adapted model; the one in build/adapted otherwise.
        to_version: Version that was champion before, to go back to.
        dry_run: Judge and change nothing.
        force: Promote even if a criterion fails; needs a reason.
        reason: Why, for the log promotions.jsonl.

    Returns:
        Whether there is another champion now; the deployment `release` starts by the event of it.
    """
    named = {"--run": run_id, "--to": to_version, "--reason": reason}
    words = [word for name, value in named.items() if value for word in (name, value)]
    words += [name for name, asked in {"--dry-run": dry_run, "--force": force}.items() if asked]
    with tasks.children_end_with_flow():
        changed = tasks.promote(words)
        if changed:
            tasks.announce()
    return changed


if __name__ == "__main__":
    promote()
