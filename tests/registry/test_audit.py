"""Every change of champion is a line that stays; going back is one more line; a judged model is the candidate."""

import json
import os
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from registry_store import FILE, PASSED, SETTINGS, alias, candidate, versions

from exsitu import registry, tracking
from exsitu.errors import InputError, PromotionError, ReleaseError
from exsitu.registry import Criterion, Verdict, audit, promotion

LOG = Path("promotions.jsonl")
FAILED = Verdict((Criterion("champion: purity", passed=False, detail="0.1 against 0.3", figures={"value": 0.1}),))
SOUND = Verdict((Criterion("champion: purity", passed=True, detail="0.3 against 0.3", figures={"value": 0.3}),))


def promote(made, expected=None, **more):
    return registry.promote(SETTINGS, made, champion_file=FILE, expected=expected, **more)


def entries():
    return registry.read_log(LOG)


def test_a_promotion_is_a_line_that_says_who_when_over_whom_and_by_what(place, monkeypatch):
    monkeypatch.setenv("EXSITU_FLOW_RUN_ID", "flow-7")
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "config", "user.name", "Ada"], check=True)
    first = promote(candidate("first"))
    second = promote(candidate("second"), first, verdict=SOUND, reason="it is time")
    one, two = entries()
    assert (one.action, one.was, one.now["version"]) == ("promote", None, "1")
    assert (two.was["run_id"], two.now["run_id"]) == (first.run_id, second.run_id)
    assert (two.who, two.reason, two.forced, two.flow_run) == ("Ada", "it is time", False, "flow-7")
    assert two.criteria == [criterion.as_dict() for criterion in SOUND.criteria]
    assert two.when.endswith("Z")
    assert one.when <= two.when
    assert "version 1 -> version 2: it is time" in two.text()


def test_the_same_line_is_a_tag_of_the_version(place):
    promote(candidate("first"), verdict=SOUND)
    tags = [json.loads(value) for name, value in versions()["1"].tags.items() if name.startswith("promotion/")]
    assert tags == [asdict(entry) for entry in entries()]


def test_lines_are_added_and_never_changed(place):
    first = promote(candidate("first"))
    before = LOG.read_bytes()
    promote(candidate("second"), first)
    assert LOG.read_bytes().startswith(before)
    assert len(entries()) == 2


def test_promoting_twice_is_one_line(place):
    first = promote(candidate("first"))
    promote(candidate("first"), first)
    assert len(entries()) == 1


def test_a_file_that_cannot_be_written_leaves_no_line(place, monkeypatch):
    first = promote(candidate("first"))

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(promotion, "write_json", full)
        with pytest.raises(OSError, match="no space"):
            promote(candidate("second"), first)
    assert len(entries()) == 1
    assert not list(Path().glob(".promotions*"))


def test_a_log_that_cannot_be_written_takes_the_alias_back_and_leaves_the_file(place, monkeypatch):
    first = promote(candidate("first"))

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(audit, "publish_file", full)
        with pytest.raises(OSError, match="no space"):
            promote(candidate("second"), first)
    assert alias("champion") == "1"
    assert registry.read_champion(FILE) == first


def test_a_champion_without_a_line_gets_one_at_the_next_promotion(place):
    first = promote(candidate("first"))
    LOG.unlink()  # as a kill between file and log leaves it, or a file older than logs
    promote(candidate("second"), first)
    assert [(entry.action, entry.now["version"]) for entry in entries()] == [("found", "1"), ("promote", "2")]
    assert entries()[0].now["weights_sha256"] == first.weights_sha256


def test_promoting_the_champion_again_adds_the_line_it_lacks(place):
    made = candidate("first")
    first = promote(made)
    LOG.unlink()
    promote(made, first)
    assert [entry.action for entry in entries()] == ["found"]


@pytest.mark.parametrize("line", ["{", "[]", '{"action": "promote"}', "<<<<<<< HEAD"])
def test_a_log_that_was_damaged_stops_a_promotion_before_it_changes_anything(place, line):
    first = promote(candidate("first"))
    LOG.write_text(LOG.read_text() + line + "\n")
    with pytest.raises(InputError, match=r"promotions\.jsonl, line 2"):
        promote(candidate("second"), first)
    assert registry.read_champion(FILE) == first
    assert alias("champion") == "1"


def test_the_log_survives_without_mlflow(champion):
    (Path("mlruns") / "mlflow.db").unlink()
    assert entries()[0].now["weights_sha256"] == champion.weights_sha256


@pytest.mark.parametrize(
    ("champion_file", "log"),
    [
        ("champion.json", "promotions.jsonl"),
        ("champion-real.json", "promotions-real.jsonl"),
        ("a/mine.json", "a/promotions-mine.jsonl"),
    ],
)
def test_each_champion_file_has_a_log_of_its_own(champion_file, log):
    assert registry.log_file(Path(champion_file)) == Path(log)


def test_who_is_the_account_where_git_knows_no_name(place, monkeypatch):
    monkeypatch.setenv("LOGNAME", "night-job")
    monkeypatch.setattr(os, "environ", {**os.environ, "PATH": ""})
    promote(candidate("first"))
    assert entries()[0].who == "night-job"


def test_what_failed_is_refused_with_its_numbers_and_changes_nothing(place):
    with pytest.raises(PromotionError, match=r"champion: purity: 0.1 against 0.3.*--force"):
        promote(candidate("first"), verdict=FAILED)
    assert not FILE.exists()
    assert not LOG.exists()
    assert versions() == {}


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_force_demands_a_reason(place, reason):
    with pytest.raises(PromotionError, match="needs a reason"):
        promote(candidate("first"), verdict=FAILED, force=True, reason=reason)
    assert not FILE.exists()


def test_a_forced_promotion_is_recorded_with_reason_and_failed_criterion(place):
    promote(candidate("first"), verdict=FAILED, force=True, reason="the old one is broken")
    (entry,) = entries()
    assert (entry.forced, entry.reason) == (True, "the old one is broken")
    assert entry.criteria[0]["passed"] is False


def test_force_where_nothing_failed_is_no_forced_promotion(place):
    promote(candidate("first"), verdict=SOUND, force=True, reason="to be sure")
    assert entries()[0].forced is False


def test_force_does_not_overrule_what_was_never_evaluated_nor_changed_weights(place):
    with pytest.raises(PromotionError, match="was not evaluated"):
        promote(candidate("first", evaluation={}), force=True, reason="why not")
    made = candidate("second")
    (made.folder / "weights.npz").write_bytes(b"sign flipped")
    with pytest.raises(PromotionError, match="the file was changed"):
        promote(made, force=True, reason="why not")


def test_a_refused_candidate_is_in_the_registry_under_its_alias(champion):
    version = registry.nominate(SETTINGS, candidate("second"), FAILED)
    assert (alias("candidate"), alias("champion")) == (version, champion.version)
    tags = versions()[version].tags
    assert tags["judged"] == "refused"
    assert json.loads(tags["criteria"]) == FAILED.as_dict()
    assert registry.read_champion(FILE) == champion
    assert len(entries()) == 1


def test_aliases_name_candidate_champion_and_the_one_before(place):
    first = promote(candidate("first"), verdict=SOUND)
    assert (alias("candidate"), alias("champion"), alias("previous")) == ("1", "1", None)
    promote(candidate("second"), first, verdict=SOUND)
    assert (alias("candidate"), alias("champion"), alias("previous")) == ("2", "2", "1")
    assert versions()["2"].tags["judged"] == "passed"


def test_going_back_makes_the_old_champion_champion_and_says_so(place):
    first = promote(candidate("first"))
    second = promote(candidate("second"), first)
    back = registry.restore(SETTINGS, "1", champion_file=FILE, folders=[Path("build/first")], reason="stars were lost")
    assert back == first == registry.read_champion(FILE) == registry.registered_champion(SETTINGS)
    assert (alias("champion"), alias("previous")) == ("1", "2")
    last = entries()[-1]
    assert (last.action, last.was["version"], last.now["version"]) == ("rollback", second.version, "1")
    assert last.reason == "stars were lost"
    assert len(versions()) == 2


def test_going_back_finds_the_weights_among_the_runs_artefacts_or_not_at_all(place):
    first = promote(candidate("first"))
    second = promote(candidate("second"), first)
    assert registry.restore(SETTINGS, "1", champion_file=FILE, folders=[]) == first
    registry.restore(SETTINGS, "2", champion_file=FILE, folders=[])
    kept = Path("mlruns/artifacts") / first.run_id / "artifacts" / tracking.MODEL_FILES / "weights.npz"
    kept.unlink()
    with pytest.raises(ReleaseError, match="dvc pull"):
        registry.restore(SETTINGS, "1", champion_file=FILE, folders=[])
    assert registry.read_champion(FILE) == second


def test_going_back_to_the_champion_changes_nothing(champion):
    before = FILE.read_bytes(), LOG.read_bytes()
    assert registry.restore(SETTINGS, "1", champion_file=FILE, folders=[]) == champion
    assert (FILE.read_bytes(), LOG.read_bytes()) == before


def test_a_version_that_never_was_champion_is_no_way_round_the_criteria(champion):
    version = registry.nominate(SETTINGS, candidate("second"), FAILED)
    with pytest.raises(PromotionError, match=r"never champion.*were champion: 1.*exsitu promote --run"):
        registry.restore(SETTINGS, version, champion_file=FILE, folders=[])
    assert registry.read_champion(FILE) == champion


def test_an_unknown_version_names_those_there_are(champion):
    with pytest.raises(InputError, match="no version '9'; versions that were champion: 1"):
        registry.restore(SETTINGS, "9", champion_file=FILE, folders=[])


def test_a_rollback_over_a_promotion_that_was_cut_off_is_refused(place):
    first = promote(candidate("first"))
    old = FILE.read_bytes()
    second = promote(candidate("second"), first)
    third = promote(candidate("third"), second)
    FILE.write_bytes(old)  # another checkout, on the same registry
    with pytest.raises(PromotionError, match=rf"exsitu promote --run {third.run_id}"):
        registry.restore(SETTINGS, "2", champion_file=FILE, folders=[])


def test_the_evaluation_of_a_past_champion_comes_back_with_it(place):
    first = promote(candidate("first", evaluation={**PASSED, "auc": 0.91}))
    promote(replace(candidate("second"), evaluation=PASSED), first)
    back = registry.restore(SETTINGS, "1", champion_file=FILE, folders=[])
    assert back.evaluation["auc"] == 0.91
