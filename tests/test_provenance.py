"""Files appear whole or not at all, and digests name their content."""

import errno
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from exsitu import provenance


def names_in(folder):
    """Names in a folder, hidden ones too."""
    return sorted(p.name for p in folder.iterdir())


def half_written(publish, *names):
    """Write something below what is published, then fail."""
    with publish as staged:
        staged.joinpath(*names).write_text("half")
        raise RuntimeError


def test_the_digest_of_a_file_is_sha256_of_its_bytes(tmp_path):
    content = bytes(range(256)) * 10_000  # more than one block
    (tmp_path / "a").write_bytes(content)
    assert provenance.sha256_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_the_digest_of_a_folder_sees_names_and_content_and_not_the_order_of_writing(tmp_path):
    def filled(name, files):
        for path, text in files:
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return provenance.sha256_tree(tmp_path / name)

    first = filled("one", [("a", "1"), ("sub/b", "2")])
    assert filled("two", [("sub/b", "2"), ("a", "1")]) == first
    assert filled("renamed", [("a", "1"), ("sub/c", "2")]) != first
    assert filled("changed", [("a", "1"), ("sub/b", "3")]) != first
    assert filled("more", [("a", "1"), ("sub/b", "2"), ("c", "")]) != first


def test_the_digest_of_a_folder_can_be_of_some_files(tmp_path):
    (tmp_path / "a.npz").write_text("1")
    before = provenance.sha256_tree(tmp_path, "*.npz")
    (tmp_path / "b.txt").write_text("2")
    assert provenance.sha256_tree(tmp_path, "*.npz") == before


def test_the_digest_of_json_ignores_the_order_of_keys_alone():
    assert provenance.sha256_json({"a": 1, "b": [1, 2]}) == provenance.sha256_json({"b": [1, 2], "a": 1})
    assert provenance.sha256_json({"a": [1, 2]}) != provenance.sha256_json({"a": [2, 1]})


def test_the_code_digest_is_stable_within_a_checkout():
    assert provenance.code_digest() == provenance.code_digest()
    assert len(provenance.code_digest()) == 64


def git(folder, *words):
    """Run git in a folder as somebody."""
    environment = {
        **os.environ, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b", "GIT_CONFIG_GLOBAL": os.devnull,
    }  # fmt: skip
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, env=environment)


def test_the_git_revision_says_when_tracked_files_were_changed(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "one")
    clean = provenance.git_revision(tmp_path)
    assert len(clean) == 40
    (tmp_path / "untracked").write_text("x")
    assert provenance.git_revision(tmp_path) == clean
    (tmp_path / "a").write_text("2")
    assert provenance.git_revision(tmp_path) == f"{clean}-dirty"


def test_what_a_run_of_the_pipeline_writes_itself_does_not_make_a_revision_dirty(tmp_path):
    git(tmp_path, "init")
    names = ("data.dvc", "dvc.lock", "experiments/dvc.lock", "champion.json", "promotions.jsonl", "sub/champion.json")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-m", "one")
    for name in names[:-1]:
        (tmp_path / name).write_text("2")
    assert len(provenance.git_revision(tmp_path)) == 40
    assert len(provenance.git_revision(tmp_path / "sub")) == 40
    (tmp_path / "sub/champion.json").write_text("2")
    assert provenance.git_revision(tmp_path).endswith("-dirty")


def test_a_git_that_refuses_is_quoted(tmp_path, monkeypatch, caplog):
    git(tmp_path, "init")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert provenance.git_revision(tmp_path) == "unknown"
    assert "detected dubious ownership" in caplog.text
    assert "safe.directory" in caplog.text


def test_the_git_revision_outside_a_checkout_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_revision(tmp_path) == "unknown"
    monkeypatch.setenv("PATH", "")
    assert provenance.git_revision(tmp_path) == "unknown"


def test_a_published_file_has_its_content_and_an_ordinary_mode(tmp_path):
    target = tmp_path / "new" / "a.txt"
    with provenance.publish_file(target) as staged:
        assert staged.suffix == ".txt"
        staged.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert target.stat().st_mode & 0o777 == 0o644
    assert names_in(target.parent) == ["a.txt"]


def test_an_exception_leaves_the_file_as_it_was(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError):
        half_written(provenance.publish_file(target))
    assert target.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    "publish", [provenance.publish_file, lambda path: provenance.publish_folder(path, replace=True)]
)
def test_a_full_disk_names_what_was_being_written(tmp_path, publish):
    with pytest.raises(OSError, match="No space left") as full, publish(tmp_path / "target"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert full.value.filename == str(tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_published_folder_appears_whole(tmp_path):
    target = tmp_path / "new" / "folder"
    with provenance.publish_folder(target, replace=False) as staged:
        (staged / "sub").mkdir()
        (staged / "sub" / "a").write_text("1")
        assert not target.exists()
    assert (target / "sub" / "a").read_text() == "1"
    assert target.stat().st_mode & 0o777 == 0o755
    assert names_in(target.parent) == ["folder"]


def test_a_folder_is_replaced_whole_and_only_where_allowed(tmp_path):
    target = tmp_path / "folder"
    with provenance.publish_folder(target, replace=False) as staged:
        (staged / "old").write_text("1")
    with pytest.raises(FileExistsError), provenance.publish_folder(target, replace=False):
        pass
    with provenance.publish_folder(target, replace=True) as staged:
        (staged / "new").write_text("2")
    assert names_in(target) == ["new"]
    assert names_in(tmp_path) == ["folder"]


def test_an_exception_leaves_the_folder_as_it_was(tmp_path):
    target = tmp_path / "folder"
    with provenance.publish_folder(target, replace=False) as staged:
        (staged / "old").write_text("1")
    with pytest.raises(RuntimeError):
        half_written(provenance.publish_folder(target, replace=True), "half")
    assert names_in(target) == ["old"]
    assert names_in(tmp_path) == ["folder"]


VICTIM = """
    import sys, time
    from pathlib import Path
    from exsitu import provenance
    target = Path(sys.argv[2])
    publish = provenance.publish_file if sys.argv[1] == "file" else lambda p: provenance.publish_folder(p, replace=True)
    with publish(target) as staged:
        (staged if sys.argv[1] == "file" else staged / "a").write_text("half")
        print("writing", flush=True)
        time.sleep(600)
"""


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_kill_leaves_the_target_as_it_was(tmp_path, kind):
    target = tmp_path / "target"
    if kind == "file":
        target.write_text("old")
    else:
        target.mkdir()
        (target / "a").write_text("old")
    victim = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(VICTIM), kind, str(target)], stdout=subprocess.PIPE, text=True
    )
    assert victim.stdout.readline() == "writing\n"
    victim.kill()
    assert victim.wait(timeout=60) == -signal.SIGKILL
    victim.stdout.close()
    assert (target if kind == "file" else target / "a").read_text() == "old"
    left = [name for name in names_in(tmp_path) if name != "target"]
    assert all(name.startswith(".target-") for name in left), left


def test_json_is_written_readably_and_read_back(tmp_path):
    value = {"name": "Σχ²", "numbers": [1, 2.5]}
    provenance.write_json(tmp_path / "a.json", value)
    assert "Σχ²" in (tmp_path / "a.json").read_text()
    assert provenance.read_json(tmp_path / "a.json") == value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_numbers_that_are_not_finite_and_leaves_the_old_file(tmp_path, value):
    path = tmp_path / "a.json"
    provenance.write_json(path, {"x": 1})
    with pytest.raises(ValueError, match="JSON"):
        provenance.write_json(path, {"x": value})
    assert json.loads(path.read_text()) == {"x": 1}


def test_what_a_killed_writer_left_is_cleared_and_what_a_living_one_holds_stays(tmp_path):
    for name in (".out-dead", ".out-alive"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.bin").write_bytes(b"partial")
    handle = os.open(tmp_path / ".out-alive", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with provenance.publish_folder(tmp_path / "out", replace=True) as staged:
            (staged / "whole.bin").write_bytes(b"whole")
    finally:
        os.close(handle)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out-alive", "out"]
