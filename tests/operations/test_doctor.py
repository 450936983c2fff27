"""The doctor finds what is out of order, names the remedy, and is content with a sound machine."""

import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest
from checkouts import make_checkout
from project import free_port

from exsitu import SILENCE
from exsitu.operations import doctor as module
from exsitu.operations.doctor import doctor, versions
from exsitu.settings import Servers


@pytest.fixture
def root(tmp_path, repository, monkeypatch):
    """A sound checkout."""
    for name, value in SILENCE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    (tmp_path / "pyproject.toml").write_text((repository / "pyproject.toml").read_text())
    make_checkout(tmp_path)
    return tmp_path


def wrong(root, **ports):
    servers = Servers(**{"prefect_port": free_port(), "mlflow_port": free_port(), "worker_limit": 1, **ports})
    return {finding.name: finding.detail for finding in doctor(root, servers) if not finding.fine}


def test_a_sound_machine_is_fine(root):
    assert wrong(root) == {}


def test_a_folder_that_is_no_checkout_is_said_and_nothing_else(tmp_path, monkeypatch):
    assert set(wrong(tmp_path)) == {"checkout"}
    assert "cd there" in wrong(tmp_path)["checkout"]


def test_what_is_wrong_with_the_checkout_comes_first(root):
    shutil.rmtree(root / ".git")
    assert set(wrong(root)) == {"git checkout"}


def test_a_package_that_is_missing_or_not_as_pinned_is_named_with_its_pin():
    found = {f.name: f for f in versions(["numpy>=2,<3", "click<1", "no-such-package>=4"])}
    assert not found["click"].fine
    assert "needs click<1: `make install`" in found["click"].detail
    assert "not installed, needs no-such-package>=4" in found["no-such-package"].detail
    assert found["packages"].detail == "1 of 3 as pinned in pyproject.toml"


def test_a_package_for_another_system_is_not_asked_for():
    (packages,) = versions(["numpy>=2,<3", "no-such-package>=4; sys_platform == 'amiga'"])
    assert packages.detail == "1 of 1 as pinned in pyproject.toml"


def test_another_python_is_wrong(root):
    text = (root / "pyproject.toml").read_text().replace('requires-python = ">=3.11"', 'requires-python = ">=3.99"')
    (root / "pyproject.toml").write_text(text)
    assert "needs >=3.99" in wrong(root)["python"]


@pytest.mark.parametrize("name", sorted(SILENCE))
def test_telemetry_that_somebody_switched_on_is_wrong(root, monkeypatch, name):
    monkeypatch.setenv(name, "true" if SILENCE[name] != "true" else "false")
    assert name in wrong(root)["telemetry"]


def test_a_full_disk_is_wrong(root, monkeypatch):
    usage = namedtuple("usage", "total used free")(10 << 30, 9 << 30, 1 << 30)  # noqa: PYI024 - shutil's own form
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    assert "1.0 GiB free, less than 5 GiB" in wrong(root)["disk"]


def test_a_folder_that_cannot_be_written_is_wrong(root, monkeypatch):
    (root / "build").mkdir()
    allowed = module.os.access  # root may write everything, so a refusal is played
    monkeypatch.setattr(module.os, "access", lambda path, mode: allowed(path, mode) and Path(path) != root / "build")
    assert "cannot be written" in wrong(root)["write build"]


def test_a_command_that_is_not_there_is_wrong(root, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None if name == "dvc" else f"/bin/{name}")
    assert set(wrong(root)) == {"dvc"}


def test_a_port_that_another_program_has_is_wrong(root):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        found = wrong(root, prefect_port=taken.getsockname()[1])
    assert set(found) == {"prefect port"}
    assert "servers.prefect_port" in found["prefect port"]
