"""Why the records of data and stages are not those of the commit is said in a line each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from exsitu import SILENCE
from exsitu.operations.record import data_on_record, differences


def data_record(size, md5="a" * 32):
    return {"outs": [{"md5": f"{md5}.dir", "size": size, "path": "data"}]}


def lock(**stages):
    """Each stage by what it depends on and its seed, such as ``prepare=("a", 1)``."""
    return {
        "stages": {
            name: {
                "deps": [{"path": "data", "md5": md5}],
                "params": {"params.yaml": {"seed": seed}},
                "outs": [{"path": "out", "md5": out}],
            }
            for name, (md5, seed, out) in stages.items()
        }
    }


LOCK = lock(prepare=("a", 1, "x"), pretrain=("b", 1, "y"))


def write(path, held):
    path.write_text(yaml.safe_dump(held))


def git(root, *words):
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def root(tmp_path):
    """A checkout whose records are as committed."""
    git(tmp_path, "init", "-q")
    for name in ("params.yaml", "src/exsitu/columns.py", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it was")
    write(tmp_path / "data.dvc", data_record(469695898))
    write(tmp_path / "dvc.lock", LOCK)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "the record")
    return tmp_path


def test_nothing_is_said_of_records_as_committed_or_where_there_is_no_git(root, tmp_path_factory, monkeypatch):
    assert differences(root) == []
    outside = tmp_path_factory.mktemp("archive")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(outside.parent))
    write(outside / "data.dvc", data_record(1))
    assert differences(outside) == []


def test_other_bytes_of_the_same_settings_and_code_are_laid_to_the_machine(root):
    write(root / "data.dvc", data_record(470998950, "b" * 32))
    (line,) = differences(root)
    assert line.startswith("data.dvc: 470,998,950 bytes (bbbbbbbb…) here, 469,695,898 bytes (aaaaaaaa…) in the commit;")
    assert "same settings and code: made on another kind of machine" in line


@pytest.mark.parametrize(
    ("name", "words"),
    [("params.yaml", "params.yaml was changed"), ("src/exsitu/columns.py", "the code that makes them was changed")],
)
@pytest.mark.parametrize("committed", [False, True])
def test_changed_settings_and_code_are_named_before_the_machine(root, name, words, committed):
    (root / name).write_text("another")
    if committed:
        git(root, "commit", "-q", "-am", "a change")
    write(root / "data.dvc", data_record(1))
    (line,) = differences(root)
    assert words in line
    assert ("in git since data.dvc was committed" if committed else "in this checkout") in line


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (("c", 1, "z"), "data differs"),
        (("a", 2, "z"), "params.yaml seed differs"),
        (("a", 1, "z"), "same settings and code: made on another kind of machine"),
    ],
)
def test_the_first_stage_that_differs_is_named_with_its_cause(root, stage, words):
    write(root / "dvc.lock", lock(prepare=stage, pretrain=("z", 1, "zz")))
    (line,) = differences(root)
    assert line.startswith("dvc.lock: prepare, and 1 stages that follow: ")
    assert words in line


def test_a_broken_record_stops_nothing(root):
    Path(root / "dvc.lock").write_text("a: [")
    assert differences(root) == []


@pytest.mark.slow
def test_data_at_hand_are_compared_with_the_record_by_their_bytes(tmp_path):
    assert data_on_record(tmp_path) is None
    git(tmp_path, "init", "-q")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "stars").write_text("one")
    for words in (["init", "-q"], ["add", "-q", "data"]):
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=tmp_path, check=True, env=os.environ | SILENCE)
    write(tmp_path / "params.yaml", {})
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "made")
    assert data_on_record(tmp_path) == "the same bytes as data.dvc records"
    (tmp_path / "data" / "stars").write_text("two")
    assert data_on_record(tmp_path).startswith("other bytes than data.dvc records; of the same settings and code")
