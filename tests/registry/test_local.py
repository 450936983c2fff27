"""A promotion is of this checkout until it is committed: what git carries stays as it is; every command knows both."""

import json
import shutil
from pathlib import Path

import pytest
from registry_store import FILE, SETTINGS, alias, candidate

from exsitu import registry
from exsitu.errors import InputError, PromotionError
from exsitu.registry import committing

LOG = Path("promotions.jsonl")
LOCAL, LOCAL_LOG = Path(".exsitu/champion.json"), Path(".exsitu/promotions.jsonl")


def promote(made):
    return registry.promote(SETTINGS, made, champion_file=FILE, expected=registry.find_champion(FILE), local=True)


@pytest.fixture
def clone(place, empty_registry, monkeypatch):
    """A fresh clone: git brought the champion and its log, nobody the tracking store or the weights."""
    registry.promote(SETTINGS, candidate("first"), champion_file=FILE, expected=None)
    registry.promote(SETTINGS, candidate("second"), champion_file=FILE, expected=registry.read_champion(FILE))
    folder = place.with_name("clone")
    shutil.copytree(empty_registry, folder)
    for file in (FILE, LOG):
        shutil.copy(file, folder)
    monkeypatch.chdir(folder)
    return folder, FILE.read_bytes(), LOG.read_bytes()


def unchanged(clone):
    return (FILE.read_bytes(), LOG.read_bytes()) == clone[1:]


def test_the_champion_made_again_in_a_fresh_clone_changes_no_file_and_is_found_by_its_digest(clone):
    committed = registry.read_champion(FILE)
    assert committed.version == "2"
    for _ in range(2):
        assert promote(candidate("second")) == committed
    assert unchanged(clone)
    assert not LOCAL.exists()
    assert alias("champion") == "1"  # the number is this registry's own
    shutil.rmtree("build")  # of the committed run this store knows nothing
    found = registry.find_weights(committed, [], SETTINGS)
    assert (found / "weights.npz").read_bytes() == b"second"
    shutil.rmtree(found.parent)


def test_another_model_is_champion_here_and_the_committed_files_stay(clone):
    here = promote(candidate("third"))
    assert unchanged(clone)
    assert registry.champion_source(FILE) == LOCAL
    assert registry.read_champion(FILE) == here == registry.registered_champion(SETTINGS)
    assert registry.read_named(FILE).version == "2"
    (entry,) = registry.read_log(LOCAL_LOG)
    assert (entry.was["version"], entry.now["weights_sha256"]) == ("2", here.weights_sha256)
    assert registry.find_weights(here, [Path("build/third")], SETTINGS) == Path("build/third")


def test_promotions_follow_each_other_here_and_are_committed_together(clone):
    promote(candidate("third"))
    last = promote(candidate("fourth"))
    assert unchanged(clone)
    assert registry.read_champion(FILE) == last
    written = registry.commit(SETTINGS, FILE)
    assert written == registry.read_named(FILE) == registry.read_champion(FILE)
    assert written.identity == last.identity
    assert set(written.promoted) == {"git_revision", "code_digest"}
    assert LOG.read_bytes().startswith(clone[2])
    assert registry.read_log(LOG)[2:] == registry.read_log(LOCAL_LOG)
    assert registry.champion_source(FILE) == FILE
    with pytest.raises(PromotionError, match="nothing to commit"):
        registry.commit(SETTINGS, FILE)
    promote(candidate("fifth"))  # after that, the next is local again
    assert registry.read_named(FILE) == written
    registry.commit(SETTINGS, FILE)
    assert [entry.now["version"] for entry in registry.read_log(LOG)[2:]] == ["1", "2", "3"]


def test_a_commit_without_any_promotion_here_is_refused(clone):
    with pytest.raises(PromotionError, match="nothing to commit"):
        registry.commit(SETTINGS, FILE)
    assert unchanged(clone)


def test_a_champion_that_comes_by_git_is_newer_than_the_one_promoted_here_and_blocks_nothing(clone):
    promote(candidate("third"))
    pulled = {**json.loads(FILE.read_text()), "cut": 0.5}
    FILE.write_text(json.dumps(pulled))
    assert registry.champion_source(FILE) == FILE
    assert registry.read_champion(FILE).cut == 0.5
    here = promote(candidate("fourth"))
    assert registry.read_champion(FILE) == here
    assert json.loads(FILE.read_text()) == pulled


def test_going_back_here_leaves_the_committed_files_too(clone):
    first = promote(candidate("third"))
    promote(candidate("fourth"))
    back = registry.restore(
        SETTINGS, first.version, champion_file=FILE, folders=[Path("build/third")], reason="lost", local=True
    )
    assert back.identity == first.identity
    assert registry.read_champion(FILE) == back
    assert unchanged(clone)
    assert registry.read_log(LOCAL_LOG)[-1].action == "rollback"


def test_where_nothing_was_committed_yet_the_first_promotion_is_local_too(place):
    here = promote(candidate("first"))
    assert registry.read_champion(FILE) == here
    assert not FILE.exists()
    assert registry.commit(SETTINGS, FILE).identity == here.identity
    assert [entry.action for entry in registry.read_log(LOG)] == ["promote"]


def test_a_commit_whose_file_cannot_be_written_leaves_file_and_log(clone, monkeypatch):
    promote(candidate("third"))

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(committing, "write_json", full)
    with pytest.raises(OSError, match="no space"):
        registry.commit(SETTINGS, FILE)
    assert unchanged(clone)


def test_a_local_file_that_is_none_is_refused_with_what_to_do(clone):
    LOCAL.parent.mkdir()
    LOCAL.write_text("{")
    with pytest.raises(InputError, match=r"\.exsitu/champion\.json is not JSON.*remove \.exsitu/champion\.json"):
        registry.read_champion(FILE)
