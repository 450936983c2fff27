"""The watch looks at every release, the data, and each input of what is scored, and leaves what it found."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError, SettingsError
from exsitu.provenance import read_json, write_json
from exsitu.settings import load_settings
from exsitu.stages.data_record import record_of
from exsitu.stages.watch import watch
from exsitu.tables import write_parquet


def stars(rows, seed, **shift):
    rng = np.random.default_rng(seed)
    frame = {
        "source_id": np.arange(rows, dtype=np.int64),
        "l": rng.uniform(-180.0, 180.0, rows),
        "b": np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, rows))),
        "pmra": rng.normal(0.0, 10.0, rows),
        "pmdec": rng.normal(0.0, 10.0, rows),
        "parallax": rng.uniform(1.0, 3.0, rows),
        "parallax_error": np.full(rows, 0.01),
    }
    return pd.DataFrame({name: values + shift.get(name, 0) for name, values in frame.items()})


@pytest.fixture
def project(tmp_path, monkeypatch, repository):
    """Training stars, data and a survey of stars like them."""
    monkeypatch.chdir(tmp_path)
    write_parquet(Path("build/samples/pretraining/training.parquet"), [stars(4000, 1)])
    write_parquet(Path("data/survey.parquet"), [stars(3000, 2)])
    write_json(Path("data/data.json"), record_of(Path("data"), load_settings(repository / "params.yaml")))
    return tmp_path


@pytest.fixture
def look(project, repository):
    """Watch the survey."""
    settings = load_settings(repository / "params.yaml")
    survey = settings.surveys["standin"].model_copy(update={"path": Path("data/survey.parquet")})
    settings = settings.model_copy(update={"surveys": {"standin": survey}})

    def looks(*inputs, surveys=("standin",)):
        chosen = settings.model_copy(update={"watch": settings.watch.model_copy(update={"surveys": surveys})})
        return watch(
            chosen,
            inputs=inputs,
            data=Path("data"),
            samples=Path("build/samples"),
            releases=Path("releases"),
            suites=repository / "expectations",
            output=Path("build/watch"),
        )

    return looks


def test_stars_like_those_learnt_on_hold_input_by_input(look):
    found = look()
    assert found.passed
    assert [row.what for row in found.drift] == [f"standin: {name}" for name in ("l", "b", "pmra", "pmdec", "parallax")]
    assert all(row.figures["psi"] < 0.05 and row.figures["ks"] < 0.05 for row in found.drift)
    assert json.loads(json.dumps(found.as_dict())) == read_json(Path("build/watch/watch.json"))


def test_new_stars_that_moved_are_named_by_file_and_input(look):
    stars(2000, 3, pmra=15.0).to_csv("new.csv", index=False)
    found = look(Path("new.csv"))
    assert not found.passed
    assert [row.what for row in found.drift if not row.holds] == ["new.csv: pmra"]
    assert "FAILS  new.csv: pmra: PSI" in found.text()


def test_a_large_gap_in_the_cumulative_distribution_alone_is_enough(look, repository):
    half = stars(2000, 4)
    half["b"] = np.abs(half["b"])
    half.to_csv("north.csv", index=False)
    assert [row.what for row in look(Path("north.csv")).drift if not row.holds] == ["north.csv: b"]


def test_stars_that_fail_the_quality_cut_are_not_looked_at(look):
    far = stars(2000, 5, pmra=500.0).assign(parallax_error=9.0)
    pd.concat([stars(2000, 6), far]).assign(source_id=np.arange(4000)).to_csv("mixed.csv", index=False)
    assert look(Path("mixed.csv")).passed
    far.to_csv("far.csv", index=False)
    with pytest.raises(InputError, match=r"no star of far.csv passes"):
        look(Path("far.csv"))


def test_changed_data_do_not_hold(look):
    with Path("data/survey.parquet").open("ab") as stream:
        stream.write(b" ")
    found = look(surveys=())
    assert not found.passed
    assert "survey.parquet not as when the data were made" in found.data[0].detail


def test_a_release_that_is_not_as_written_does_not_hold(look):
    Path("releases/standin-1").mkdir(parents=True)
    (Path("releases") / ".partial").mkdir()
    found = look(surveys=())
    assert [(row.what, row.holds) for row in found.releases] == [("release standin-1", False)]
    assert "manifest" in found.releases[0].detail


def test_without_training_stars_drift_has_nothing_to_be_measured_from(look):
    shutil.rmtree("build/samples")
    with pytest.raises(InputError, match="exsitu prepare"):
        look()
    assert look(surveys=()).passed


def test_an_unknown_survey_names_the_nearest(look):
    with pytest.raises(SettingsError, match="did you mean 'standin'"):
        look(surveys=("standinn",))
