"""Promotion is earned, happens once, loses no race, and leaves registry and file in agreement."""

import json
import shutil
import subprocess
import sys
import textwrap
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from registry_store import FILE, PASSED, SETTINGS, alias, candidate, model_files, versions

from exsitu import registry, tracking
from exsitu.errors import InputError, PromotionError, ReleaseError
from exsitu.provenance import sha256_file
from exsitu.registry import Candidate, promotion


def test_promotion_sets_alias_tags_and_file(place):
    made = candidate("first")
    champion = registry.promote(SETTINGS, made, champion_file=FILE, expected=None)
    assert registry.read_champion(FILE) == champion
    assert registry.registered_champion(SETTINGS) == champion
    assert alias("champion") == champion.version == "1"
    assert (champion.run_id, champion.variant, champion.cut) == (made.run_id, "zm_last", 0.75)
    assert champion.weights_sha256 == sha256_file(made.folder / "weights.npz")
    assert champion.data_digest == "a" * 64
    assert champion.evaluation == PASSED
    assert set(champion.promoted) == {"git_revision", "code_digest"}
    tags = versions()["1"].tags
    assert tags["weights_sha256"] == champion.weights_sha256
    assert tags["model_digest"] == champion.model_digest
    assert tags["data_digest"] == champion.data_digest
    assert (tags["cut"], tags["variant"], tags["promoted_over"]) == ("0.75", "zm_last", "none")
    assert tags["promoted_at_revision"] == champion.promoted["git_revision"]


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        ({}, "was not evaluated"),
        ({"auc": 0.99}, "was not evaluated"),
        ({"passed": False, "reasons": ["purity = 0.1 is not at least 0.2"]}, "purity = 0.1 is not at least 0.2"),
        ({"passed": "yes"}, "did not pass"),
    ],
)
def test_a_candidate_that_did_not_pass_is_refused_and_nothing_changes(place, evaluation, message):
    with pytest.raises(PromotionError, match=message):
        registry.promote(SETTINGS, candidate("bad", evaluation=evaluation), champion_file=FILE, expected=None)
    assert not FILE.exists()
    assert versions() == {}


def test_promoting_twice_is_promoting_once(place):
    made = candidate("first")
    champion = registry.promote(SETTINGS, made, champion_file=FILE, expected=None)
    before = FILE.read_bytes()
    assert registry.promote(SETTINGS, made, champion_file=FILE, expected=champion) == champion
    assert registry.promote(SETTINGS, made, champion_file=FILE, expected=None) == champion
    assert FILE.read_bytes() == before
    assert list(versions()) == ["1"]


def test_the_same_weights_trained_again_register_nothing_new(place):
    champion = registry.promote(SETTINGS, candidate("first"), champion_file=FILE, expected=None)
    assert registry.promote(SETTINGS, candidate("first"), champion_file=FILE, expected=champion) == champion
    assert list(versions()) == ["1"]


def test_the_same_weights_with_another_cut_are_another_champion(place):
    first = registry.promote(SETTINGS, candidate("first"), champion_file=FILE, expected=None)
    second = registry.promote(SETTINGS, candidate("first", cut=0.9), champion_file=FILE, expected=first)
    assert (second.version, second.cut) == ("2", 0.9)


def test_the_champion_before_stays_under_the_alias_previous_and_can_come_back(place):
    one, two = candidate("first"), candidate("second")
    first = registry.promote(SETTINGS, one, champion_file=FILE, expected=None)
    second = registry.promote(SETTINGS, two, champion_file=FILE, expected=first)
    assert (alias("champion"), alias("previous")) == ("2", "1")
    assert versions()["2"].tags["promoted_over"] == "1"
    back = registry.promote(SETTINGS, one, champion_file=FILE, expected=second)
    assert (alias("champion"), alias("previous")) == ("1", "2")
    assert back.identity == first.identity
    assert len(versions()) == 2


def test_a_promotion_that_saw_another_champion_is_refused_and_told_who_it_is(place):
    first = registry.promote(SETTINGS, candidate("first"), champion_file=FILE, expected=None)
    with pytest.raises(PromotionError, match=rf"run {first.run_id}\) is champion now"):
        registry.promote(SETTINGS, candidate("second"), champion_file=FILE, expected=None)
    assert registry.read_champion(FILE) == first
    assert alias("champion") == "1"


def test_a_registry_that_moved_on_without_the_file_is_not_overrun(place):
    first = registry.promote(SETTINGS, candidate("first"), champion_file=FILE, expected=None)
    old = FILE.read_bytes()
    second = registry.promote(SETTINGS, candidate("second"), champion_file=FILE, expected=first)
    FILE.write_bytes(old)  # another checkout, on the same registry
    with pytest.raises(PromotionError, match=rf"exsitu promote --run {second.run_id}"):
        registry.promote(SETTINGS, candidate("third"), champion_file=FILE, expected=first)


def test_a_promotion_cut_off_before_the_file_is_finished_by_promoting_again(place):
    one, two = candidate("first"), candidate("second")
    first = registry.promote(SETTINGS, one, champion_file=FILE, expected=None)
    old = FILE.read_bytes()
    registry.promote(SETTINGS, two, champion_file=FILE, expected=first)
    FILE.write_bytes(old)  # as a kill between alias and file leaves it
    second = registry.promote(SETTINGS, two, champion_file=FILE, expected=first)
    assert registry.read_champion(FILE) == second == registry.registered_champion(SETTINGS)
    assert len(versions()) == 2


def test_a_file_that_cannot_be_written_takes_the_alias_back(place, monkeypatch):
    first = registry.promote(SETTINGS, candidate("first"), champion_file=FILE, expected=None)

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(promotion, "write_json", full)
        with pytest.raises(OSError, match="no space"):
            registry.promote(SETTINGS, candidate("second"), champion_file=FILE, expected=first)
    assert alias("champion") == "1"
    assert registry.read_champion(FILE) == first


def test_a_first_promotion_whose_file_cannot_be_written_leaves_no_champion(place, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(promotion, "write_json", full)
    with pytest.raises(OSError, match="no space"):
        registry.promote(SETTINGS, candidate("first"), champion_file=FILE, expected=None)
    assert registry.registered_champion(SETTINGS) is None


def fresh_clone(place, empty_registry, monkeypatch):
    """Go to a clone: git brings the file, DVC the models, nobody the tracking store."""
    clone = place.with_name("clone")
    shutil.copytree(empty_registry, clone)
    shutil.copytree(place / "build", clone / "build")
    shutil.copy(place / "champion.json", clone)
    monkeypatch.chdir(clone)


def test_a_fresh_clone_registers_its_champion_anew_and_says_so(place, empty_registry, monkeypatch, caplog):
    registry.promote(SETTINGS, candidate("first"), champion_file=FILE, expected=None)
    champion = registry.promote(
        SETTINGS, candidate("second"), champion_file=FILE, expected=registry.read_champion(FILE)
    )
    fresh_clone(place, empty_registry, monkeypatch)
    again = candidate("second", evaluation={**PASSED, "auc": 0.95})
    healed = registry.promote(SETTINGS, again, champion_file=FILE, expected=champion)
    assert healed.identity == champion.identity
    assert (healed.evaluation, healed.promoted) == (champion.evaluation, champion.promoted)
    assert healed == registry.read_champion(FILE) == registry.registered_champion(SETTINGS)
    assert "both say version 1 now" in caplog.text


def test_a_fresh_clone_can_promote_another_model(place, empty_registry, monkeypatch):
    champion = registry.promote(SETTINGS, candidate("first"), champion_file=FILE, expected=None)
    fresh_clone(place, empty_registry, monkeypatch)
    second = registry.promote(SETTINGS, candidate("second"), champion_file=FILE, expected=champion)
    assert second == registry.read_champion(FILE) == registry.registered_champion(SETTINGS)


def test_weights_that_are_not_their_cards_are_refused(place):
    made = candidate("first")
    (made.folder / "weights.npz").write_bytes(b"sign flipped")
    with pytest.raises(PromotionError, match="the file was changed"):
        registry.promote(SETTINGS, made, champion_file=FILE, expected=None)
    (made.folder / "weights.npz").unlink()
    with pytest.raises(InputError, match="exsitu adapt"):
        registry.promote(SETTINGS, made, champion_file=FILE, expected=None)


def test_a_run_that_names_no_data_or_does_not_exist_is_refused(place):
    made = candidate("first")
    with tracking.start_run(SETTINGS, "transfer", "no data") as run:
        pass
    with pytest.raises(PromotionError, match="names no data"):
        registry.promote(SETTINGS, replace(made, run_id=run.run_id), champion_file=FILE, expected=None)
    with pytest.raises(InputError, match="no run"):
        registry.promote(SETTINGS, replace(made, run_id="f" * 32), champion_file=FILE, expected=None)


def test_a_run_without_the_model_files_gets_them_when_registered(place):
    made = candidate("first")
    with tracking.start_run(SETTINGS, "transfer", "fetched", data={"adaptation": "a" * 64}) as run:
        pass
    registry.promote(SETTINGS, replace(made, run_id=run.run_id), champion_file=FILE, expected=None)
    kept = tracking.download(SETTINGS, run.run_id, tracking.MODEL_FILES)
    assert sha256_file(kept / "weights.npz") == sha256_file(made.folder / "weights.npz")


def test_register_gives_the_same_version_for_the_same_model(place):
    made = candidate("first")
    champion = registry.promote(SETTINGS, made, champion_file=FILE, expected=None)
    assert registry.register(SETTINGS, champion, made.folder) == "1"
    assert registry.register(SETTINGS, replace(champion, cut=0.5), made.folder) == "2"
    with pytest.raises(PromotionError, match="the file was changed"):
        registry.register(SETTINGS, replace(champion, weights_sha256="0" * 64), made.folder)


def test_an_alias_set_by_hand_on_a_foreign_version_is_an_error(place):
    made = candidate("first")
    client = tracking.connect(SETTINGS, create=True)
    client.create_registered_model("exsitu")
    version = client.create_model_version("exsitu", "somewhere", run_id=made.run_id).version
    client.set_registered_model_alias("exsitu", "champion", version)
    with pytest.raises(InputError, match="no record of its promotion"):
        registry.promote(SETTINGS, made, champion_file=FILE, expected=None)


PROMOTER = """
    import json, sys
    from pathlib import Path
    from exsitu import registry
    from exsitu.errors import PromotionError
    from exsitu.settings import Tracking
    settings = Tracking(uri="sqlite:///mlruns/mlflow.db", artifacts=Path("mlruns/artifacts"), model_name="exsitu")
    run_id, folder = sys.argv[1:]
    evaluation = {"passed": True, "reasons": []}
    candidate = registry.Candidate(run_id, Path(folder), "zm_last", 0.75, evaluation)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        registry.promote(settings, candidate, champion_file=Path("champion.json"), expected=None)
    except PromotionError as error:
        sys.exit(f"refused: {error}")
"""


@pytest.mark.slow
def test_of_two_promotions_at_once_one_wins_and_the_other_learns_who(place):
    made = [candidate("one"), candidate("two")]
    rivals = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROMOTER), c.run_id, str(c.folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for c in made
    ]  # fmt: skip
    for rival in rivals:
        assert rival.stdout.readline() == "ready\n"
    for rival in rivals:
        rival.stdin.write("go\n")
        rival.stdin.flush()
    said = [rival.communicate(timeout=300)[1] for rival in rivals]
    assert sorted(rival.returncode for rival in rivals) == [0, 1], said
    winner = next(c for c, rival in zip(made, rivals, strict=True) if rival.returncode == 0)
    loser = next(text for text, rival in zip(said, rivals, strict=True) if rival.returncode == 1)
    assert f"run {winner.run_id}) is champion now" in loser
    assert registry.read_champion(FILE).run_id == winner.run_id
    assert registry.registered_champion(SETTINGS) == registry.read_champion(FILE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ".hidden"}, "name = '.hidden'"),
        ({"name": "../up"}, "name"),
        ({"weights_sha256": "abc"}, "weights_sha256 = 'abc'"),
        ({"run_id": 7}, "run_id = 7"),
        ({"cut": 1.5}, r"cut = 1.5 is not a number in \[0, 1\)"),
        ({"cut": True}, "cut = True"),
        ({"evaluation": []}, "evaluation"),
        ({"extra": 1}, "exactly"),
        ({"variant": None}, "variant"),
    ],
)
def test_a_champion_file_that_is_not_of_its_form_is_refused(champion, change, message):
    FILE.write_text(json.dumps(asdict(champion) | change))
    with pytest.raises(InputError, match=message):
        registry.read_champion(FILE)


@pytest.mark.parametrize(("text", "message"), [("{", "git checkout"), ("[]", "exactly"), ("{}", "exactly")])
def test_a_champion_file_that_is_no_champion_is_refused(tmp_path, text, message):
    (tmp_path / "champion.json").write_text(text)
    with pytest.raises(InputError, match=message):
        registry.read_champion(tmp_path / "champion.json")


def test_a_missing_champion_file_names_the_next_step(tmp_path):
    with pytest.raises(InputError, match="exsitu promote"):
        registry.read_champion(tmp_path / "champion.json")


def test_weights_are_found_by_digest_in_the_first_folder_that_has_them(champion):
    other = model_files(Path("build/other"), b"other")
    folders = [Path("build/missing"), other, Path("build/first")]
    assert registry.find_weights(champion, folders, SETTINGS) == Path("build/first")


def test_a_changed_file_is_never_returned_even_if_it_is_the_only_one(champion):
    (Path("build/first") / "weights.npz").write_bytes(b"sign flipped")
    found = registry.find_weights(champion, [Path("build/first")], SETTINGS)
    assert found != Path("build/first")
    assert sha256_file(found / "weights.npz") == champion.weights_sha256
    shutil.rmtree(found.parent)


def test_right_weights_under_another_card_are_not_the_champion(champion):
    (Path("build/first") / "model.json").write_text(json.dumps({"digest": "0" * 64}))
    assert registry.find_weights(champion, [Path("build/first")], SETTINGS) != Path("build/first")
    (Path("build/first") / "model.json").write_text("{")
    assert registry.find_weights(champion, [Path("build/first")], SETTINGS) != Path("build/first")


def test_no_copy_anywhere_is_an_error_with_the_next_step(champion):
    kept = Path("mlruns/artifacts") / champion.run_id / "artifacts" / tracking.MODEL_FILES / "weights.npz"
    kept.write_bytes(b"flipped bits")
    with pytest.raises(ReleaseError, match="dvc pull"):
        registry.find_weights(champion, [], SETTINGS)
    shutil.rmtree(kept.parent)
    with pytest.raises(ReleaseError, match="dvc pull"):
        registry.find_weights(champion, [], SETTINGS)
    shutil.rmtree("mlruns")
    with pytest.raises(ReleaseError, match="dvc pull"):
        registry.find_weights(champion, [], SETTINGS)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, reading its variables
def test_a_real_model_comes_back_from_mlflow_with_the_same_scores(place):
    import numpy as np
    import pandas as pd

    from exsitu.model.inputs import input_columns
    from exsitu.model.network import ModelCard, build_network, load_model, save_model
    from exsitu.model.scoring import network_scores

    columns = input_columns("5D")
    rng = np.random.default_rng(2)
    stars = pd.DataFrame({name: rng.normal(size=50) for name in columns})
    card = ModelCard("5D", "measured", (8, 8), dict.fromkeys(columns, (-9.0, 9.0)))
    network = build_network(card, seed=3)
    card = save_model(Path("build/model"), network, card)
    with tracking.start_run(SETTINGS, "transfer", "adapt zm_last", data={"adaptation": "a" * 64}) as run:
        run.log_model(network, card, stars, folder=Path("build/model"))
    made = Candidate(run.run_id, Path("build/model"), "zm_last", 0.75, PASSED)
    champion = registry.promote(SETTINGS, made, champion_file=FILE, expected=None)
    assert champion.model_digest == card.digest
    shutil.rmtree("build")
    folder = registry.find_weights(champion, [Path("build/model")], SETTINGS)
    again, _ = load_model(folder, weights_sha256=champion.weights_sha256)
    values = stars.to_numpy(np.float32)
    np.testing.assert_array_equal(network_scores(again, values), network_scores(network, values))
    shutil.rmtree(folder.parent)


def test_the_release_path_never_uses_pyfunc(repository):
    sources = [p.read_text() for p in (repository / "src" / "exsitu").rglob("*.py")]
    assert not [s for s in sources if "pyfunc" in s]
