"""A small survey, its release, and copies of it to damage."""

import importlib.util
import shutil
from pathlib import Path

import pytest

_PROGRAM = Path(__file__).parent / "small_survey.py"


@pytest.fixture(scope="session")
def small_survey():
    """The module ``small_survey`` of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location("small_survey", _PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def suites(repository):
    return repository / "expectations"


@pytest.fixture(scope="session")
def finished(small_survey, suites, tmp_path_factory):
    """One release, made once; not to be written to."""
    return small_survey.build(tmp_path_factory.mktemp("finished") / "releases", suites)


@pytest.fixture
def copied(finished, tmp_path):
    """A copy of the release that a test may damage."""
    target = tmp_path / "releases" / finished.name
    shutil.copytree(finished, target)
    target.chmod(0o755)
    for path in target.iterdir():
        path.chmod(0o644)
    return target
