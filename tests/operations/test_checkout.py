"""How a checkout was got is looked at before a run dies of it, and each remedy is named."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from checkouts import git, make_checkout
from project import free_port, run

from exsitu.errors import InputError
from exsitu.operations import checkout as module
from exsitu.operations.checkout import checkout_findings, prefect_server, require_checkout


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout by git, outside every other repository."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    (tmp_path / "checkout").mkdir()
    return make_checkout(tmp_path / "checkout")


def wrong(root):
    return {finding.name: finding.detail for finding in checkout_findings(root) if not finding.fine}


def test_a_checkout_by_git_is_fine(root):
    assert wrong(root) == {}
    require_checkout(root)


def test_an_archive_without_git_is_refused_with_what_to_do(root):
    shutil.rmtree(root / ".git")
    assert set(wrong(root)) == {"git checkout"}
    with pytest.raises(InputError, match=r"is no git repository \(an archive without .*git init .* git commit"):
        require_checkout(root)
    git(root, "init", "-q")
    assert "has no commit" in wrong(root)["git checkout"]


def test_an_archive_inside_another_repository_is_seen_too(root):
    inner = make_checkout_without_git(root / "archive")
    assert f"lies in another repository, {root}" in wrong(inner)["git checkout"]


def make_checkout_without_git(folder: Path) -> Path:
    folder.mkdir()
    shutil.rmtree(make_checkout(folder) / ".git")
    return folder


def test_a_repository_of_another_owner_is_named_with_gits_own_remedy(root, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert f"git config --global --add safe.directory {root}" in wrong(root)["git checkout"]


def test_line_ends_of_windows_are_named(root):
    (root / "params.yaml").write_bytes(b"profile: quick\r\n")
    assert "params.yaml got Windows' line ends (core.autocrlf?)" in wrong(root)["line ends"]


def test_the_repository_gives_every_checkout_the_same_line_ends(repository, tmp_path):
    shutil.copy(repository / ".gitattributes", tmp_path)
    (tmp_path / "params.yaml").write_text("a: 1\nb: 2\n")
    (tmp_path / "table.npz").write_bytes(b"PK\n\x00\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "start")
    clone = ["git", "-c", "core.autocrlf=true", "clone", "-q", str(tmp_path), str(tmp_path / "clone")]
    subprocess.run(clone, check=True, capture_output=True)
    assert (tmp_path / "clone" / "params.yaml").read_bytes() == b"a: 1\nb: 2\n"
    assert (tmp_path / "clone" / "table.npz").read_bytes() == b"PK\n\x00\n"


def test_a_dvc_folder_that_is_missing_and_a_git_that_is_not_there_are_named(root, monkeypatch):
    shutil.rmtree(root / ".dvc")
    monkeypatch.setenv("PATH", str(root))
    assert set(wrong(root)) == {"git checkout", "dvc repository"}
    assert "git is not found" in wrong(root)["git checkout"]


def test_a_name_that_the_locale_cannot_read_is_named(root, monkeypatch):
    place = root.rename(root.with_name("sterné"))
    assert "file names" not in wrong(place)
    monkeypatch.setattr(module.sys, "getfilesystemencoding", lambda: "ascii")
    assert "export LC_ALL=C.UTF-8" in wrong(place)["file names"]


def test_a_stale_address_of_prefect_is_named_and_one_that_listens_is_fine(root, monkeypatch):
    assert prefect_server("").fine
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    assert "unset PREFECT_API_URL" in wrong(root)["prefect api"]
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:99999999/api")
    assert "prefect api" in wrong(root)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        assert prefect_server(f"http://127.0.0.1:{server.getsockname()[1]}/api").fine


def test_behind_a_proxy_nothing_can_be_said(monkeypatch):
    monkeypatch.setattr(module, "getproxies", lambda: {"http": "http://proxy:8080"})
    monkeypatch.setattr(module, "proxy_bypass", lambda _: False)
    assert prefect_server("http://prefect.example/api").fine


@pytest.mark.parametrize(("stale", "words"), [(False, "is no git repository"), (True, "PREFECT_API_URL=http://127")])
def test_the_main_job_refuses_at_once_and_in_one_line(root, repository, stale, words):
    shutil.copytree(repository / "flows", root / "flows")
    if not stale:
        shutil.rmtree(root / ".git")
    more = {"PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"} if stale else {}
    done = run(root, sys.executable, "flows/catalog.py", **more)
    assert done.returncode == 1
    assert done.stderr.startswith("exsitu: ")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
