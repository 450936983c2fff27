"""What tests share."""

import os
import sys
from pathlib import Path

import pytest
from project import REPOSITORY, copy_project, run

REAL_DATA = Path(os.environ.get("EXSITU_REAL_DATA", REPOSITORY.parent / "shared" / "data" / "real"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real stars; tests that need it are skipped where it is absent, and only there."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}; set EXSITU_REAL_DATA")
    return REAL_DATA


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the flow has run once from nothing to its releases, with the embedded server."""
    root = copy_project(tmp_path_factory.mktemp("house"))
    done = run(root, sys.executable, "flows/catalog.py")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    (root / "first-run.txt").write_text(done.stderr, encoding="utf-8")
    return root
