"""Status says what DVC, the champion's file, the releases' manifests and the servers say, and changes nothing."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from exsitu.catalog.manifest import MANIFEST, SCHEMA_VERSION, release_files, signed
from exsitu.operations import status as module
from exsitu.operations.status import data_state, last_releases, stages_of, status
from exsitu.provenance import write_json
from exsitu.registry import Champion
from exsitu.settings import load_settings
from exsitu.stages.data_record import record_of

CHAMPION = Champion("exsitu", "2", "a" * 32, "vm_last", 0.7, "b" * 64, "c" * 64, "d" * 64)


@pytest.fixture
def dvc(tmp_path, monkeypatch):
    """A command `dvc` that says what a test wants."""
    monkeypatch.delenv("DVC_STAGE", raising=False)

    def says(text, code=0, errors=""):
        script = tmp_path / "bin" / "dvc"
        script.parent.mkdir(exist_ok=True)
        script.write_text(
            f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\necho '{text}'\necho '{errors}' >&2\nexit {code}\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")

    return says


def test_all_current(dvc, tmp_path):
    dvc("{}")
    found = stages_of(tmp_path)
    assert found.known
    assert found.text() == "stages    all current"
    assert (tmp_path / "asked").read_text().split() == ["status", "--json"]


def test_what_is_stale_is_named_with_what_changed(dvc, tmp_path):
    told = {
        "pretrain": [
            {"changed deps": {"src/model": "modified", "params.yaml": {"training.epochs": "modified"}}},
            {"changed outs": {"build/pretrained": "deleted"}},
            "changed command",
        ],
        "data.dvc": [{"changed outs": {"data": "not in cache"}}],
    }
    dvc(json.dumps(told))
    found = stages_of(tmp_path)
    assert found.stale == {
        "pretrain": [
            "src/model modified",
            "params.yaml training.epochs modified",
            "build/pretrained deleted",
            "changed command",
        ],
        "data.dvc": ["data not in cache"],
    }
    assert "2 stale; `dvc repro`" in found.text()


def test_dvc_is_not_asked_inside_a_stage(dvc, tmp_path, monkeypatch):
    dvc("{}")
    monkeypatch.setenv("DVC_STAGE", "pretrain")
    found = stages_of(tmp_path)
    assert not found.known
    assert "inside a stage" in found.text()
    assert not (tmp_path / "asked").exists()


def test_dvc_that_refuses_is_quoted(dvc, tmp_path):
    dvc("", code=255, errors="ERROR: you are not inside of a DVC repository")
    assert stages_of(tmp_path).text() == "stages    unknown: ERROR: you are not inside of a DVC repository"


def test_dvc_that_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "make install" in stages_of(tmp_path).detail


def release(folder, *, weights="b" * 64):
    """A release of one file, as its manifest says."""
    folder.mkdir(parents=True)
    (folder / "catalog.csv").write_text("stars")
    empty = {key: {} for key in ("identity", "counts", "flags", "data", "code", "provenance")}
    named = {"version": folder.name, "survey": "standin", "data_release": "gaia_dr2", "created": "2026-01-01T00:00:00Z"}
    numbers = {"schema_version": SCHEMA_VERSION, "cut": 0.7, "max_fractional_parallax_error": 0.1, "columns": []}
    model = {"weights_sha256": weights}
    manifest = {**empty, **named, **numbers, "model": model, "files": release_files(folder)}
    write_json(folder / MANIFEST, signed(manifest))


def test_the_newest_release_of_each_survey_is_looked_at(tmp_path):
    for name in ("standin-2", "standin-10", "mine-1"):
        release(tmp_path / name)
    (tmp_path / "notes-old").mkdir()
    (tmp_path / ".standin-11").mkdir()
    found = last_releases(tmp_path, CHAMPION)
    assert [r.version for r in found] == ["mine-1", "standin-10"]
    assert all(r.verifies and r.of_champion for r in found)
    assert found[0].detail == "1 files as written; made with the champion"


def test_a_changed_file_and_another_model_are_said(tmp_path):
    release(tmp_path / "standin-1", weights="e" * 64)
    (tmp_path / "standin-1" / "catalog.csv").write_text("other stars")
    (found,) = last_releases(tmp_path, CHAMPION)
    assert not found.verifies
    assert not found.of_champion
    assert found.detail == "NOT as written: catalog.csv; made with another model than the champion"


def test_a_release_without_a_manifest_does_not_verify(tmp_path):
    (tmp_path / "standin-1").mkdir()
    (found,) = last_releases(tmp_path, None)
    assert not found.verifies


@pytest.fixture
def settings(repository):
    return load_settings(repository / "params.yaml")


@pytest.fixture
def looked(settings):
    """Look at a folder."""
    return lambda folder: status(
        folder, settings, champion_file=folder / "champion.json", data=folder / "data", releases=folder / "releases"
    )


def test_data_are_current_stale_by_name_or_not_there(settings, tmp_path):
    assert "`exsitu data` and `dvc add" in data_state(tmp_path, settings)
    write_json(tmp_path / "data.json", record_of(tmp_path, settings))
    assert data_state(tmp_path, settings) == "of these settings and this code"
    heavier = settings.mocks.model_copy(update={"particle_mass_msun": 15000.0})
    found = data_state(tmp_path, settings.model_copy(update={"mocks": heavier}))
    assert found.startswith("stale: mocks.particle_mass_msun = 15000.0, made with 14000.0; `exsitu data` and `dvc add")
    write_json(tmp_path / "data.json", {**record_of(tmp_path, settings), "identity": "older"})
    assert data_state(tmp_path, settings).startswith("of these settings, but made by other code")
    (tmp_path / "data.json").write_text("{")
    assert "run `exsitu data` again" in data_state(tmp_path, settings)


def test_an_empty_checkout_says_what_to_do_first(dvc, tmp_path, looked):
    dvc("{}")
    found = looked(tmp_path)
    text = found.text()
    assert "`exsitu promote` makes one" in text
    assert "`exsitu release SURVEY` makes one" in text
    assert text.count("not started") == 3
    assert json.loads(json.dumps(found.as_dict()))["champion"] is None


def test_a_champion_is_named_with_the_line_that_made_it(dvc, tmp_path, looked):
    dvc("{}")
    from dataclasses import asdict

    from exsitu.registry.audit import added, entry_of

    write_json(tmp_path / "champion.json", asdict(CHAMPION))
    with added(tmp_path / "promotions.jsonl", [entry_of("promote", None, CHAMPION, reason="the first")]):
        pass
    found = looked(tmp_path)
    assert found.champion == CHAMPION
    assert "exsitu version 2 (vm_last" in found.text()
    assert "none -> version 2: the first" in found.text()
    assert json.loads(json.dumps(found.as_dict()))["last_promotion"]["reason"] == "the first"


def test_a_damaged_champion_file_is_said_and_does_not_stop_the_rest(dvc, tmp_path, looked):
    dvc("{}")
    (tmp_path / "champion.json").write_text("{")
    found = looked(tmp_path)
    assert found.champion is None
    assert "is not JSON" in found.text()


def test_the_real_dvc_answers_in_the_form_that_is_read_of_the_way_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    (tmp_path / "dvc.yaml").write_text("stages:\n  copy:\n    cmd: cp a b\n    deps: [a]\n    outs: [b]\n")
    (tmp_path / "a").write_text("1")
    for words in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "repro", "-q"]):
        subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    assert module.stages_of(tmp_path).stale == {}
    (tmp_path / "a").write_text("2")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "dvc.yaml").write_text(
        "stages:\n  other:\n    cmd: cp ../a c\n    deps: [../a]\n    outs: [c]\n"
    )
    assert module.stages_of(tmp_path).stale == {"copy": ["a modified"]}
    assert Path(tmp_path / "b").read_text() == "1"
