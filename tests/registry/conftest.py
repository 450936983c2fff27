"""An empty registry in a working directory, and one with a champion."""

import shutil

import pytest
from registry_store import FILE, SETTINGS, candidate

from exsitu import registry, tracking


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory):
    """A store with its tables made, once: MLflow takes seconds over them."""
    folder = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking.connect(SETTINGS, create=True)
    return folder


@pytest.fixture
def place(empty_registry, tmp_path, monkeypatch):
    """A working directory with an empty registry."""
    folder = tmp_path / "checkout"
    shutil.copytree(empty_registry, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder


@pytest.fixture
def champion(place):
    """A champion, promoted from build/first."""
    return registry.promote(SETTINGS, candidate("first"), champion_file=FILE, expected=None)
