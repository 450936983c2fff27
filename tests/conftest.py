"""What tests share."""

import os
from pathlib import Path

import pytest
from project import REPOSITORY

REAL_DATA = Path(os.environ.get("EXSITU_REAL_DATA", REPOSITORY.parent / "shared" / "data" / "real"))
CASES = Path(os.environ.get("EXSITU_CASES", REPOSITORY.parent / "shared" / "cases"))


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
def cases() -> Path:
    """Folder of tables people have; tests that need it are skipped where it is absent, and only there."""
    if not CASES.is_dir():
        pytest.skip(f"no cases at {CASES}; set EXSITU_CASES")
    return CASES
