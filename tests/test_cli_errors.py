"""Whatever is raised, the command line ends in one line and a status; tracebacks are kept for those who mend exsitu."""

import errno
import json
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from exsitu.cli import main
from exsitu.cli_errors import DEBUG, explain
from exsitu.errors import InputError


@pytest.fixture
def fails(repository, tmp_path, monkeypatch):
    """Run `exsitu expectations`, whose work raises what a test wants."""
    monkeypatch.chdir(repository)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv(DEBUG, raising=False)

    def with_error(error, *words):
        def work(_):
            raise error

        monkeypatch.setattr("exsitu.gates.write_suites", work)
        return CliRunner().invoke(main, ["expectations", *words])

    return with_error


def lines(said):
    assert "Traceback" not in said.output
    return said.output.splitlines()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space is left on the disk of here/x.parquet: make room"),
        (errno.EROFS, "here/x.parquet may not be read or written (Read-only file system): chown or chmod it"),
        (errno.EACCES, "here/x.parquet may not be read or written (Permission denied)"),
        (errno.ENOENT, "no here/x.parquet; name another file"),
        (errno.EISDIR, "here/x.parquet is in the way (Is a directory)"),
        (errno.EIO, "here/x.parquet: Input/output error"),
    ],
)
def test_what_the_system_refuses_is_one_line_with_the_file(fails, number, words):
    said = fails(OSError(number, os.strerror(number), "here/x.parquet"))
    assert said.exit_code == 1
    (line,) = lines(said)
    assert line.startswith(f"exsitu: {words}")


def test_a_full_disk_is_said_of_what_a_library_raised_without_a_file(fails):
    (line,) = lines(fails(OSError(errno.ENOSPC, "Error writing bytes to file")))
    assert line.startswith(f"exsitu: no space is left on the disk of {Path.cwd()}")


def test_a_tracking_database_that_cannot_be_used_is_named(fails):
    wrapped = RuntimeError("(sqlite3.OperationalError) attempt to write a readonly database [SQL: …")
    wrapped.__cause__ = sqlite3.OperationalError("attempt to write a readonly database")
    (line,) = lines(fails(wrapped))
    assert "the tracking database cannot be used: attempt to write a readonly database; see tracking.uri" in line


def test_an_unexpected_error_is_one_line_that_names_the_file_of_its_traceback(fails):
    said = fails(KeyError("sha256"))
    assert said.exit_code == 1
    (line,) = lines(said)
    assert line.startswith("exsitu (unexpected): KeyError: 'sha256'. This is a fault of exsitu: report it with ")
    kept = Path(re.search(r"with (\S+\.log),", line)[1]).read_text()
    assert kept.startswith("Traceback")
    assert kept.rstrip().endswith("KeyError: 'sha256'")


def test_a_traceback_that_cannot_be_kept_is_printed(fails, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    said = fails(KeyError("sha256"))
    assert "Traceback" in said.output
    assert said.output.splitlines()[-1] == "exsitu (unexpected): KeyError: 'sha256'"


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_debugging_shows_the_traceback_at_once(fails, monkeypatch, how):
    monkeypatch.setenv(DEBUG, "" if how == "flag" else "1")
    said = fails(KeyError("sha256"), *(["--debug"] if how == "flag" else []))
    assert isinstance(said.exception, KeyError)
    full = fails(OSError(errno.ENOSPC, "No space left on device")).output
    assert full.startswith("Traceback")
    assert full.splitlines()[-1].startswith("exsitu: no space is left")
    refused = fails(InputError("no such star"))  # what is explained is explained all the same
    assert refused.output == "exsitu: no such star\n"


def test_only_what_a_user_can_mend_is_explained():
    assert explain(ZeroDivisionError("division by zero")) is None
    assert explain(MemoryError()).startswith("not enough memory")
    assert explain(sqlite3.ProgrammingError("Incorrect number of bindings")) is None


@pytest.fixture
def project(tmp_path, repository, monkeypatch):
    shutil.copy(repository / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(DEBUG, raising=False)
    return lambda *words: CliRunner().invoke(main, list(words))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"profile: \xff\xfe", "params.yaml is not UTF-8 text"),
        (b"profile: [quick", "params.yaml is not YAML"),
        (b"profile: !!python/object:os.system {}", "params.yaml is not YAML"),
        (b"\x00\x01", "params.yaml is not YAML"),
        (b"- a\n- b\n", "params.yaml needs a mapping"),
        (b"profile: [quick]\nprofiles: {quick: {}}\n", "no profile ['quick']"),
        (b"profile: quick\nprofiles: {quick: [1]}\n", "profile 'quick' is not a mapping"),
        (b"1: 2\nprofile: quick\nprofiles: {quick: {}}\n", "params.yaml"),
    ],
)
def test_settings_that_are_none_are_refused_in_one_line(project, content, words):
    Path("params.yaml").write_bytes(content)
    said = project("prepare")
    assert said.exit_code == 2
    assert words in said.output
    assert len(lines(said)) == 1


def test_data_whose_record_is_broken_or_lacks_something_say_what_to_run(project):
    Path("data").mkdir()
    record = Path("data/data.json")
    for content in ("{", "[]", "{}", '{"identity": "x"}'):
        record.write_text(content)
        (line,) = lines(project("prepare"))
        assert "data/data.json" in line
        assert "run `exsitu data`" in line


def test_a_model_folder_without_a_recipe_says_what_to_do(project):
    from exsitu.stages.score import _recipe_cut

    Path("build/pretrained").mkdir(parents=True)
    with pytest.raises(InputError, match=r"no build/pretrained/recipe\.json: run `exsitu adapt` first.*--cut"):
        _recipe_cut(Path("build/pretrained"))
    Path("build/pretrained/recipe.json").write_text(json.dumps({"variant": "zm_last"}))
    with pytest.raises(InputError, match=r"recipe\.json lacks cut"):
        _recipe_cut(Path("build/pretrained"))


@pytest.mark.parametrize("content", ["{", "[]", '{"variant": "zm_last", "cut": 0.5}'])
def test_promoting_a_model_whose_recipe_is_broken_is_refused_in_one_line(project, content):
    Path("build/adapted").mkdir(parents=True)
    Path("build/adapted/recipe.json").write_text(content)
    said = project("promote", "--dry-run")
    assert said.exit_code == 1
    (line,) = lines(said)
    assert "build/adapted/recipe.json" in line
