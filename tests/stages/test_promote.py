"""A candidate is scored beside the champion on the same stars; people and machines are told what came of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from exsitu import registry, tracking
from exsitu.cli import main
from exsitu.errors import InputError, PromotionError
from exsitu.provenance import write_json
from exsitu.settings import load_settings
from exsitu.stages.promote import promote, rollback
from exsitu.tables import write_parquet

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

EVALUATION = {"auc": 0.95, "purity": 0.3, "efficiency_accreted": 0.5, "sum_chi2": 0.01, "passed": True, "reasons": []}
FILE, LOG = Path("champion.json"), Path(".exsitu/promotions.jsonl")
INPUTS = ("l", "b", "pmra", "pmdec", "parallax")


def model(name, *, weight, blur=0.0, cut=0.5, evaluation=EVALUATION):
    """Folder of a network whose score rises with pmra by `weight` and with pmdec, which says nothing, by `blur`."""
    from exsitu.model.network import ModelCard, build_network, save_model

    folder = Path("build") / name
    card = ModelCard("5D", "measured", (2,), dict.fromkeys(INPUTS, (-400.0, 400.0)))
    network = build_network(card, seed=1)
    first = np.zeros((5, 2), np.float32)
    first[2], first[3] = (weight, -weight), (blur, -blur)
    network.get_layer("first").set_weights([first, np.zeros(2, np.float32)])
    network.get_layer("last").set_weights([np.array([[1.0], [-1.0]], np.float32), np.zeros(1, np.float32)])
    save_model(folder, network, card)
    recipe = {"variant": "zm_last", "cut": cut, "evaluation": evaluation, "sample_digest": "a" * 64}
    write_json(folder / "recipe.json", recipe)
    write_json(folder / "metrics.json", {"variant": "zm_last"})
    return folder


def held_out(rows=6000):
    """Mock stars whose accreted ones have the greater pmra."""
    rng = np.random.default_rng(5)
    accreted = rng.random(rows) < 0.2
    velocities = rng.normal(np.where(accreted, 0.0, 150.0), 80.0, (3, rows))
    return pd.DataFrame(
        {
            "source_id": np.arange(rows, dtype=np.int64),
            "l": rng.uniform(-180.0, 180.0, rows),
            "b": np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, rows))),
            "pmra": rng.normal(np.where(accreted, 20.0, -20.0), 10.0),
            "pmdec": rng.normal(0.0, 10.0, rows),
            "parallax": rng.uniform(0.5, 3.0, rows),
            "accreted": accreted,
            **dict(zip(("v_r", "v_phi", "v_z"), velocities, strict=True)),
        }
    )


@pytest.fixture(scope="module")
def empty_project(tmp_path_factory, repository):
    """Settings, a tracking store and held-out mock stars."""
    folder = tmp_path_factory.mktemp("promote")
    shutil.copy(repository / "params.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking.connect(load_settings().tracking, create=True)
        write_parquet(Path("build/samples/holdout/test.parquet"), [held_out()])
    return folder


@pytest.fixture
def project(empty_project, tmp_path, monkeypatch):
    """Go to a copy of it."""
    shutil.copytree(empty_project, tmp_path / "checkout")
    monkeypatch.chdir(tmp_path / "checkout")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def change(**promotion):
    """Change the promotion policy in params.yaml."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["promotion"] |= promotion
    Path("params.yaml").write_text(yaml.safe_dump(params))


def run(folder, **how):
    options = {"champion_file": FILE, "runs": Path("build/runs"), "samples": Path("build/samples"), "models": (), **how}
    return promote(load_settings(), model=folder, **options)


def cli(*words):
    return CliRunner().invoke(main, list(words))


def named(outcome):
    return {criterion.name: criterion for criterion in outcome.verdict.criteria}


def test_the_first_promotion_passes_with_acceptance_alone(project):
    shutil.rmtree("build/samples")
    found = run(model("adapted", weight=1.0))
    assert found.promoted
    assert not found.refused
    assert found.champion == registry.read_champion(FILE)
    assert named(found)["champion"].passed is None
    assert "none yet" in named(found)["champion"].detail


def test_a_better_candidate_passes_on_the_same_stars_and_becomes_champion(project):
    run(model("first", weight=1.0, blur=2.0))
    found = run(model("second", weight=1.0))
    assert found.promoted
    purity = named(found)["champion: purity"]
    assert purity.passed
    assert purity.figures["gain"] > 5 * purity.figures["gain_error"]
    assert registry.read_champion(FILE).version == "2"
    assert registry.read_log(LOG)[-1].criteria == [c.as_dict() for c in found.verdict.criteria]


def test_a_worse_candidate_is_refused_by_name_and_the_champion_stays(project):
    first = run(model("first", weight=1.0)).champion
    found = run(model("second", weight=1.0, blur=2.0))
    assert found.refused
    assert not found.promoted
    assert {c.name for c in found.verdict.failed} >= {"champion: purity"}
    assert registry.read_champion(FILE) == first
    assert found.champion == first


def test_numbers_are_those_of_the_selection_on_the_held_out_stars(project):
    run(model("first", weight=1.0, blur=2.0))
    found = named(run(model("second", weight=1.0, cut=0.6), dry_run=True))["champion: purity"]
    stars = held_out()
    standardised = (stars["pmra"] - -1.66) / 10.6
    selected = 1.0 / (1.0 + np.exp(-standardised)) > 0.6
    assert found.figures["value"] == pytest.approx(stars["accreted"][selected].mean(), abs=1e-3)


def test_a_dry_run_changes_nothing_at_all(project):
    run(model("first", weight=1.0))
    second = model("second", weight=1.0, blur=0.01)
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file() and "mlflow.db" not in path.name}
    found = run(second, dry_run=True)
    assert not found.promoted
    assert found.verdict.passed
    after = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file() and "mlflow.db" not in path.name}
    assert after == before
    assert len(tracking.connect(load_settings().tracking, create=False).search_model_versions("name = 'exsitu'")) == 1


def test_the_champion_itself_is_not_compared_with_itself(project):
    folder = model("adapted", weight=1.0)
    run(folder)
    again = run(folder)
    assert again.promoted
    assert "is the champion" in named(again)["champion"].detail


def test_a_champion_whose_weights_are_lost_is_reported_and_blocks_only_where_the_policy_says_so(project):
    shutil.rmtree(run(model("first", weight=1.0)) and Path("build/first"))
    second = model("second", weight=1.0, blur=2.0)
    shutil.rmtree("mlruns/artifacts")
    found = run(second, dry_run=True)
    assert named(found)["champion"].passed is None
    assert "no copy of" in named(found)["champion"].detail
    assert not found.refused
    change(without_champion="refuse")
    assert run(second, dry_run=True).refused


def test_without_held_out_stars_nothing_is_promoted_over_a_champion(project):
    run(model("first", weight=1.0))
    shutil.rmtree("build/samples")
    with pytest.raises(InputError, match="exsitu prepare"):
        run(model("second", weight=2.0))
    assert registry.read_champion(FILE).version == "1"


def real_stars(pmra, *, errors=True):
    rows = 300
    rng = np.random.default_rng(8)
    stars = {
        "source_id": np.arange(rows), "l": rng.uniform(-180, 180, rows), "b": rng.uniform(-80, 80, rows),
        "pmra": np.full(rows, pmra), "pmdec": rng.normal(0, 5, rows), "parallax": rng.uniform(1, 3, rows),
    }  # fmt: skip
    pd.DataFrame(stars | ({"parallax_error": 0.01} if errors else {})).to_csv("real.csv", index=False)


def test_real_stars_by_path_are_scored_and_null_paths_are_said_to_be_unchecked(project):
    real_stars(pmra=-30.0)
    limits = {"max_selected_fraction": 0.01}
    change(real_stars={"members": {"path": "real.csv", **limits}, "others": {"path": None, **limits}})
    found = named(run(model("adapted", weight=1.0)))
    assert found["real stars: members"].passed
    assert found["real stars: members"].figures["scored"] == 300
    assert found["real stars: others"].passed is None
    assert "path is null" in found["real stars: others"].detail


def test_real_stars_beyond_their_limit_refuse_the_candidate_even_without_a_champion(project):
    real_stars(pmra=30.0, errors=False)
    change(real_stars={"members": {"path": "real.csv", "max_selected_fraction": 0.01, "allow_missing_errors": True}})
    found = run(model("adapted", weight=1.0))
    assert found.refused
    assert [c.name for c in found.verdict.failed] == ["real stars: members"]
    assert registry.find_champion(FILE) is None


def test_a_named_file_of_real_stars_that_is_missing_is_an_error_and_no_pass(project):
    change(real_stars={"members": {"path": "gone.csv", "max_selected_fraction": 0.01}})
    with pytest.raises(InputError, match=r"gone\.csv"):
        run(model("adapted", weight=1.0))


def test_force_with_a_reason_promotes_the_worse_and_records_it(project):
    run(model("first", weight=1.0))
    found = run(model("second", weight=1.0, blur=2.0), force=True, reason="first was trained on wrong labels")
    assert found.promoted
    assert not found.refused
    entry = registry.read_log(LOG)[-1]
    assert (entry.forced, entry.reason) == (True, "first was trained on wrong labels")


def test_force_without_a_reason_is_refused_before_anything_is_scored(project):
    with pytest.raises(PromotionError, match="--reason"):
        run(Path("build/none"), force=True)


def test_a_run_is_judged_and_promoted_as_its_folder_would_be(project):
    folder = model("adapted", weight=1.0)
    with tracking.start_run(
        load_settings().tracking, "transfer", "adapt", tags={"stage": "adapt"}, data={"adaptation": "a" * 64}
    ) as made:
        made.log_files([folder / "weights.npz", folder / "model.json"], tracking.MODEL_FILES)
        made.log_files([folder / "recipe.json"])
    real_stars(pmra=-30.0)
    change(real_stars={"members": {"path": "real.csv", "max_selected_fraction": 0.01}})
    shutil.rmtree(folder)
    found = run(folder, run_id=made.run_id)
    assert found.promoted
    assert found.champion.run_id == made.run_id
    assert named(found)["real stars: members"].passed


def test_going_back_by_the_stage_makes_the_old_model_the_releases_model_again(project):
    first = run(model("first", weight=1.0, blur=2.0)).champion
    run(model("second", weight=1.0))
    found = rollback(load_settings(), "1", champion_file=FILE, models=())
    assert found.champion == first == registry.read_champion(FILE)
    assert found.promoted
    assert found.text().startswith("back to exsitu version 1")


def test_the_command_prints_each_criterion_and_ends_with_three_where_it_is_refused(project):
    model("adapted", weight=1.0)
    done = cli("promote", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "pass         acceptance: purity: 0.3, must be at least" in done.output
    assert "not checked  real stars: cluster_members" in done.output
    assert "would be promoted; there is no champion" in done.output
    assert registry.find_champion(FILE) is None
    assert cli("promote").exit_code == 0
    shutil.rmtree("build/adapted")
    model("adapted", weight=1.0, blur=2.0)
    refused = cli("promote")
    assert refused.exit_code == 3
    assert "FAIL         champion: purity" in refused.output
    assert "To overrule: --force --reason TEXT" in refused.output
    assert cli("promote", "--dry-run").exit_code == 3


def test_the_command_speaks_json(project):
    model("adapted", weight=1.0)
    done = cli("promote", "--dry-run", "--json")
    found = json.loads(done.stdout)
    assert (found["dry_run"], found["promoted"], found["passed"], found["champion_version"]) == (
        True,
        False,
        True,
        None,
    )
    assert {c["name"] for c in found["criteria"]} >= {"acceptance: auc", "champion", "real stars: cluster_members"}


def test_the_command_promotes_here_and_writes_champion_json_when_it_is_told_to(project):
    model("adapted", weight=1.0)
    done = cli("promote")
    assert "promoted in this checkout alone: there is no champion.json yet; `exsitu promote --commit`" in done.output
    assert not FILE.exists()
    assert registry.read_champion(FILE).version == "1"
    written = cli("promote", "--commit")
    assert written.exit_code == 0, written.output
    assert "champion.json names exsitu version 1" in written.output
    assert "git commit champion.json and its log" in written.output
    assert FILE.is_file()
    assert Path("promotions.jsonl").is_file()
    before = FILE.read_bytes()
    again = cli("promote")
    assert "in this checkout alone" not in again.output
    refused = cli("promote", "--commit")
    assert refused.exit_code == 1
    assert "nothing to commit" in refused.output
    assert FILE.read_bytes() == before


def test_the_command_goes_back_and_forward(project):
    model("adapted", weight=1.0, blur=2.0)
    assert cli("promote").exit_code == 0
    shutil.rmtree("build/adapted")
    model("adapted", weight=1.0)
    assert cli("promote").exit_code == 0
    done = cli("promote", "--to", "1", "--reason", "drift", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["champion_version"] == "1"
    assert registry.read_log(LOG)[-1].reason == "drift"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--force",), "--reason TEXT"),
        (("--force", "--reason", " "), "--reason TEXT"),
        (("--to", "1", "--dry-run"), "--to goes back"),
        (("--to", "1", "--force", "--reason", "x"), "--to goes back"),
        (("--to", "1", "--run", "f" * 32), "--to goes back"),
        (("--commit", "--dry-run"), "--commit writes"),
        (("--commit", "--to", "1"), "--commit writes"),
    ],
)
def test_contradictions_are_refused_with_two(project, words, message):
    done = cli("promote", *words)
    assert done.exit_code == 2
    assert message in done.output
