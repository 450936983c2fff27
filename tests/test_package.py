"""What is installed brings what a command needs outside the repository: settings and suites."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from exsitu.errors import SettingsError
from exsitu.provenance import code_digest
from exsitu.settings import load_settings, shipped_params


def test_in_a_checkout_the_settings_that_exsitu_brings_are_the_repositorys(repository):
    assert shipped_params().resolve() == repository / "params.yaml"


def test_where_there_are_no_settings_those_that_exsitu_brings_are_read_and_that_is_said(
    repository, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", "exsitu")
    assert load_settings() == load_settings(repository / "params.yaml")
    assert f"no params.yaml in {tmp_path}: the settings are those that exsitu brings" in caplog.text
    with pytest.raises(SettingsError, match=r"no mine\.yaml"):
        load_settings(Path("mine.yaml"))


def test_settings_that_are_there_are_read_without_a_word(repository, tmp_path, monkeypatch, caplog):
    text = (repository / "params.yaml").read_text().replace("seed: 1907", "seed: 3")
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO", "exsitu")
    assert load_settings().seed == 3
    assert caplog.text == ""


@pytest.fixture(scope="module")
def installed(repository, tmp_path_factory):
    """Folder with what a wheel of the package holds."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "params.yaml", "README.md", "LICENSE"):
        shutil.copy(repository / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(repository / "src", source / "src", ignore=ignored)
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('out'))"
    (source / "out").mkdir()
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    with zipfile.ZipFile(next((source / "out").glob("*.whl"))) as wheel:
        wheel.extractall(out)  # a wheel that we just built
    return out


@pytest.mark.slow
def test_a_wheel_holds_the_repositorys_settings_and_the_same_code(installed, repository, tmp_path):
    assert (installed / "exsitu" / "params.yaml").read_bytes() == (repository / "params.yaml").read_bytes()
    code = "from exsitu.provenance import code_digest; from exsitu.settings import load_settings\n"
    code += "print(code_digest(), load_settings().profile)"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [code_digest(), load_settings(repository / "params.yaml").profile]


@pytest.mark.slow
def test_an_installed_exsitu_makes_a_mock_in_an_empty_folder(installed, tmp_path):
    sizes = ["--stars", "2000", "--particle-mass", "1e6", "--accreted-particle-mass", "1e6", "--snapshots", "0"]
    command = ["-m", "exsitu.cli", "mocks", "make", "--viewpoint", "0", "--no-progress", *sizes]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "build/mocks/m12i/lsr0.parquet").is_file()
    assert sorted(path.name for path in (tmp_path / "build/gates").glob("*.json"))  # the suites were checked
