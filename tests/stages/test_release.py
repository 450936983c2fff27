"""A release and `exsitu score` are one way of scoring."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from exsitu.model.scoring import Scorer
from exsitu.provenance import read_json, write_json
from exsitu.registry import Champion
from exsitu.settings import load_settings
from exsitu.stages.release import release
from exsitu.stages.score import score
from exsitu.tables import read_parquet, write_parquet


@pytest.fixture(scope="module")
def survey(tmp_path_factory) -> Path:
    """File of the few hundred stars that tests of the catalog use."""
    program = Path(__file__).parents[1] / "catalog" / "small_survey.py"
    spec = importlib.util.spec_from_file_location("small_survey_of_stages", program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path_factory.mktemp("survey") / "stars.parquet"
    write_parquet(path, [module.stars()])
    return path


@pytest.fixture(scope="module")
def champion(tmp_path_factory) -> tuple[Path, Path]:
    """``champion.json`` and the folder of a network that nobody trained."""
    from exsitu.model.inputs import input_columns
    from exsitu.model.network import ModelCard, build_network, save_model

    folder = tmp_path_factory.mktemp("champion")
    card = ModelCard("5D", "measured", (8, 8), dict.fromkeys(input_columns("5D"), (-400.0, 400.0)))
    saved = save_model(folder, build_network(card, seed=1), card)
    named = Champion("exsitu", "1", "4" * 32, "vm_last", 0.3, saved.weights_sha256, saved.digest, "7" * 64)
    write_json(folder / "champion.json", dataclasses.asdict(named))
    return folder / "champion.json", folder


def test_a_release_holds_the_scores_of_the_same_function(repository, survey, champion, tmp_path, monkeypatch):
    settings, (file, folder) = load_settings(repository / "params.yaml"), champion
    score(settings, survey, output=tmp_path / "scores.parquet", champion_file=file, models=(folder,))
    expected = read_parquet(tmp_path / "scores.parquet").drop(columns="row")
    passed, plain = [], Scorer.score_columns

    def watched(self, columns):
        found = plain(self, columns)
        passed.append(len(found[0]))
        return found

    monkeypatch.setattr(Scorer, "score_columns", watched)
    made = release(
        settings,
        "few",
        path=survey,
        data_release="gaia_dr2",
        releases=tmp_path / "releases",
        champion_file=file,
        models=(folder,),
        suites=repository / "expectations",
        reports=tmp_path,
        progress=False,
    )
    assert sum(passed) == len(expected)
    found = read_parquet(made / "scores.parquet")
    kept = expected[expected["source_id"].isin(found["source_id"])].reset_index(drop=True)
    assert len(found) < len(expected)
    np.testing.assert_array_equal(found, kept[list(found)])


def test_what_is_no_measurement_is_flagged_counted_and_said(repository, survey, champion, tmp_path, caplog):
    stars = read_parquet(survey)
    stars.loc[30:39, ["pmra", "pmdec"]] = -999.0
    write_parquet(tmp_path / "stars.parquet", [stars])
    made = release(
        load_settings(repository / "params.yaml"),
        "few",
        path=tmp_path / "stars.parquet",
        data_release="gaia_dr2",
        releases=tmp_path / "releases",
        champion_file=champion[0],
        models=(champion[1],),
        suites=repository / "expectations",
        reports=tmp_path,
        progress=False,
    )
    assert read_json(made / "manifest.json")["counts"]["flagged"]["not_physical"] == 10
    assert "pmra (-999 in 10 rows), pmdec (-999 in 10 rows); 10 rows flagged not_physical" in caplog.text
    scores = read_parquet(made / "scores.parquet")
    assert scores["score"][(scores["flags"] & 16) != 0].isna().all()
