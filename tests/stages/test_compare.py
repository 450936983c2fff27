"""Models are measured side by side on the same stars, wherever they come from; seeds of one kind share a curve."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from exsitu import tracking
from exsitu.cli import main
from exsitu.errors import InputError
from exsitu.provenance import read_json, sha256_file, write_json
from exsitu.settings import load_settings
from exsitu.stages.compare import compare, numbers, verdict
from exsitu.stages.contenders import contenders, grouped
from exsitu.stages.kept_scores import keep_scores
from exsitu.tables import write_parquet

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

INPUTS = ("l", "b", "pmra", "pmdec", "parallax")
VARIANTS = Path("build/transfer")


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


def model(folder, *, blur=0.0, seed=1, variant="zm_last"):
    """Folder of a network whose score rises with pmra, and with pmdec, which says nothing, by `blur`."""
    from exsitu.model.network import ModelCard, build_network, save_model

    made = {"stage": "transfer", "variant": variant, "seed": seed}
    card = ModelCard("5D", "measured", (2,), dict.fromkeys(INPUTS, (-400.0, 400.0)), provenance=made)
    network = build_network(card, seed=1)
    first = np.zeros((5, 2), np.float32)
    first[2], first[3] = (1.0, -1.0), (blur, -blur)
    network.get_layer("first").set_weights([first, np.zeros(2, np.float32)])
    network.get_layer("last").set_weights([np.array([[1.0], [-1.0]], np.float32), np.zeros(1, np.float32)])
    save_model(folder, network, card)
    write_json(folder / "metrics.json", {"cut": 0.5})
    return folder


def record(folder, name, **params):
    """Record a model in MLflow, as `transfer` does, but for the copy in MLflow's own format."""
    card = read_json(folder / "model.json")
    tags = {"stage": "transfer", "variant": card["provenance"]["variant"], "weights_sha256": card["weights_sha256"]}
    data = {"target_test": "a" * 64}
    with tracking.start_run(load_settings().tracking, "transfer", name, params=params, tags=tags, data=data) as run:
        run.log_metrics({"cut": 0.5})
        run.log_files([folder / "weights.npz", folder / "model.json"], tracking.MODEL_FILES)
    return run.run_id


@pytest.fixture(scope="module")
def made(tmp_path_factory, repository):
    """Test stars and three models on disk, one of them on record."""
    root = tmp_path_factory.mktemp("compare")
    shutil.copy(repository / "params.yaml", root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        write_parquet(Path("build/samples/target/test.parquet"), [held_out()])
        model(VARIANTS / "zm_last")
        model(VARIANTS / "vm_last", variant="vm_last", blur=3.0)
        record(VARIANTS / "zm_last", "transfer zm_last", seed=1, training={"learning_rate": 0.001})
    return root


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """Go to a copy of it."""
    shutil.copytree(made, tmp_path / "checkout")
    monkeypatch.chdir(tmp_path / "checkout")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def measured(*runs):
    return compare(load_settings(), runs, samples=Path("build/samples"), sample="target", variants=VARIANTS)


def names(*runs):
    with contenders(load_settings(), runs, VARIANTS) as found:
        return {name: [m.seed for m in members] for name, members in grouped(found).items()}


def test_a_run_a_variant_and_a_folder_are_the_same_model(project):
    run_id = tracking.runs(load_settings().tracking, "transfer")["run_id"].iloc[0]
    shutil.copytree(VARIANTS / "zm_last", "elsewhere")
    assert names("zm_last", "elsewhere", run_id, "transfer zm_last") == {"zm_last": [1]}


def test_without_names_all_variants_on_disk_are_taken(project):
    assert list(names()) == ["vm_last", "zm_last"]


def test_kept_scores_are_taken_for_the_same_stars_and_weights_alone(project):
    sample, folder = Path("build/samples/target/test.parquet"), VARIANTS / "zm_last"
    given = measured("zm_last").scores["zm_last"][0]
    others = 1.0 - given  # what the network does not give, so that one sees which were taken
    keep_scores(folder, held_out()["source_id"], others, sha256_file(sample))
    np.testing.assert_array_equal(measured("zm_last").scores["zm_last"][0], others)

    model(folder, blur=0.1)
    retrained = measured("zm_last").scores["zm_last"][0]
    assert np.abs(retrained - others).max() > 0.1

    model(folder)
    np.testing.assert_array_equal(measured("zm_last").scores["zm_last"][0], others)
    write_parquet(sample, [held_out().iloc[::-1]])
    np.testing.assert_allclose(measured("zm_last").scores["zm_last"][0], given[::-1], rtol=1e-6)


def test_seeds_of_one_kind_are_one_group_and_other_trainings_are_not(project):
    model(Path("second"), blur=0.1, seed=2)
    model(Path("third"), blur=0.2, seed=3)
    record(Path("second"), "transfer zm_last", seed=2, training={"learning_rate": 0.001})
    record(Path("third"), "transfer zm_last", seed=3, training={"learning_rate": 0.1})
    found = names("zm_last", "second", "third")
    assert list(found.values()) == [[1, 2], [3]]
    assert all(re.fullmatch(r"zm_last \([0-9a-f]{8}\)", name) for name in found)


def test_models_of_the_same_seed_are_not_taken_for_seeds_of_one(project):
    model(Path("other"), blur=0.5)
    assert [len(seeds) for seeds in names("zm_last", "other").values()] == [1, 1]


def test_a_blurred_model_is_behind_by_more_than_the_error_of_the_difference(project):
    table = numbers(measured("zm_last", "vm_last")).set_index("name")
    assert table.loc["zm_last", "behind"] == 0.0
    assert table.loc["vm_last", "behind"] > 2 * table.loc["vm_last", "behind_error"] > 0.0
    assert verdict(table.reset_index()).startswith("zm_last has the least")
    assert "vm_last" not in verdict(table.reset_index())


def test_models_that_are_not_told_apart_are_named(project):
    model(Path("twin"), blur=0.001, variant="zm_first")
    assert verdict(numbers(measured("zm_last", "twin"))).count("zm_") == 2


def test_numbers_are_those_of_the_stage_with_the_errors_of_promotion(project):
    from exsitu.evaluation.metrics import summary

    comparison = measured("zm_last")
    row = numbers(comparison).iloc[0]
    wanted = summary(
        comparison.scores["zm_last"][0], comparison.accreted, comparison.velocities, load_settings().evaluation, cut=0.5
    )
    for name in ("auc", "purity", "efficiency_accreted", "sum_chi2"):
        assert row[name] == pytest.approx(wanted[name])
    assert row["purity_error"] > 0.0


def test_the_page_holds_every_part_and_needs_no_other_file(project):
    said = CliRunner().invoke(main, ["compare", "zm_last", "vm_last", "--html", "out/report.html", "--json"])
    assert said.exit_code == 0, said.output
    assert [row["name"] for row in json.loads(said.stdout)] == ["zm_last", "vm_last"]
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 6
    assert not re.search(r"<script|<link|https?://", page)
    for part in ("ROC", "Purity against", "Σχ² and purity", "Reliability", "Velocities", "Toomre"):
        assert f"<figcaption>{part}" in page
    card = read_json(VARIANTS / "zm_last" / "model.json")
    run = tracking.runs(load_settings().tracking, "transfer").iloc[0]
    code = run["tags.code_digest"]
    for fact in (card["weights_sha256"], card["digest"], run["run_id"], code, "training.learning_rate", "a" * 64):
        assert fact in page
    assert "none on record here" in page  # of vm_last


def test_without_a_store_folders_are_compared_all_the_same(project):
    shutil.rmtree("mlruns")
    assert list(measured("zm_last", "vm_last").groups) == ["zm_last", "vm_last"]


def test_an_unknown_run_names_the_nearest(project):
    with pytest.raises(InputError, match="did you mean 'zm_last'"):
        measured("zm_lst")


def test_a_run_whose_weights_were_exchanged_is_refused(project):
    run_id = record(model(Path("other"), blur=0.5), "transfer zm_last")
    (weights,) = (p for p in Path("mlruns/artifacts").rglob("model.json") if run_id in str(p))
    shutil.copy(VARIANTS / "zm_last" / "model.json", weights)
    with pytest.raises(InputError, match="not that of the weights it recorded"):
        measured(run_id)


def test_missing_test_stars_say_what_to_run(project):
    said = CliRunner().invoke(main, ["compare", "zm_last", "--sample", "nowhere"])
    assert said.exit_code == 1
    assert "exsitu prepare" in said.output
    assert "Traceback" not in said.output
