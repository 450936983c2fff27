"""Transfers on fewer labels, nested, and on wrong ones; without both classes a network stays as it was."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.experiments import e20_labels
from exsitu.experiments import training as module
from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment
from exsitu.experiments.samples import Surveys
from exsitu.experiments.training import train_trial, trial_folder
from exsitu.experiments.trial import Sample, Trial
from exsitu.provenance import read_json

KINDS, FEW = ("measured", "rest_frame"), ("200 stars", "20,000 stars")
FLIPPED = ("0.1 % flipped", "1 % flipped", "10 % flipped")


def failed(**changes: float) -> list[int]:
    """Places of claims that do not hold, of six a representation; sums of chi2 in hundredths."""
    chi2 = {"none": 1.07, "200 stars": 1.07, "20,000 stars": 1.03, "all": 1.02}
    chi2 |= dict(zip(FLIPPED, (1.1, 1.3, 2.0), strict=True)) | changes
    rows = {}
    for kind in KINDS:
        rows |= {f"{kind}: none less {name}": chi2["none"] - chi2[name] for name in (*FEW, "all")}
        rows |= {f"{kind}: {name} less all": chi2[name] - chi2["all"] for name in FEW}
        rows |= {f"{kind}: {name} less none flipped": chi2[name] - chi2["20,000 stars"] for name in FLIPPED}
    names = [f"{kind}: {name}" for kind in KINDS for name in (*FEW, "all")]
    tables = {
        "differences": pd.DataFrame(
            {"name": list(rows), "sum_chi2": np.array(list(rows.values())) / 100, "sum_chi2_error": 1e-5}
        ),
        "labels": pd.DataFrame({"name": names, "labelled_accreted": 50}),
    }
    claims = experiment("E20").claims(tables)
    assert len(claims) == 12
    return [i for i, claim in enumerate(claims) if claim.verdict != Verdict.HOLDS]


def test_table_6_with_a_few_labels_near_it_is_what_is_expected():
    assert failed() == []


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"all": 1.08}, [0]),
        ({"20,000 stars": 1.15, "0.1 % flipped": 1.2}, [1]),
        ({"200 stars": 1.5}, [2]),
        ({"1 % flipped": 1.0}, [4]),
    ],
    ids=str,
)
def test_another_number_is_another_finding(change, places):
    assert failed(**change) == [*places, *(place + 6 for place in places)]


def test_all_labels_are_the_transfers_of_e6_and_e22_and_fewer_differ_by_their_number(settings):
    trials, e22 = (experiment(name).trials(settings) for name in ("E20", "E22"))
    for kind in KINDS:
        assert trials[f"{kind}: none"] == e22[f"{kind}: none"]
        whole, few = trials[f"{kind}: all"], trials[f"{kind}: 200 stars"]
        assert whole == e22[f"{kind}: ZM last"]
        assert few == dataclasses.replace(whole, sample=few.sample, validation=few.sample, stays=True)
        assert few.sample == dataclasses.replace(whole.sample, stars=200)
        wrong = trials[f"{kind}: 1 % flipped"]
        most = max(t.sample.stars or 0 for t in trials.values())
        assert (wrong.flipped, wrong.sample.stars) == (0.01, most)


def test_flipped_labels_are_the_share_asked_for_and_a_larger_share_holds_a_smaller_one(settings):
    frame = pd.DataFrame({"source_id": np.arange(50_000), "accreted": np.arange(50_000) % 100 == 0})
    start = Trial(sample=Sample(surveys=("m12i/lsr0",)))

    def wrong(share: float, seed: int = 0) -> np.ndarray:
        trial = dataclasses.replace(start, flipped=share, seed=seed)
        found = module._flipped(frame, "accreted", trial, settings)["accreted"]
        return (found != frame["accreted"]).to_numpy()

    few, many = wrong(0.01), wrong(0.1)
    assert (few.mean(), many.mean()) == (pytest.approx(0.01, rel=0.1), pytest.approx(0.1, rel=0.05))
    assert not (few & ~many).any()
    assert (wrong(0.01, seed=1) != few).any()
    again = module._flipped(frame.iloc[::-1], "accreted", dataclasses.replace(start, flipped=0.01), settings)
    assert ((again["accreted"] != frame["accreted"].iloc[::-1]).to_numpy()[::-1] == few).all()


@pytest.mark.slow
def test_a_network_stays_as_it_was_where_no_star_has_the_label(settings, data, kept, monkeypatch):
    start = Trial(sample=Sample(surveys=("m12i/lsr0",)))
    few = Sample(surveys=("m12f/lsr0",), stars=50)
    trial = Trial(sample=few, validation=few, label="label_zm", start=start, layers=("last",), stays=True)
    drawn = Surveys.drawn

    def without(*args):
        return {name: frame.assign(label_zm=False) for name, frame in drawn(*args).items()}

    before = trial_folder(kept, train_trial(start, settings, data, kept))
    monkeypatch.setattr(Surveys, "drawn", without)
    after = trial_folder(kept, train_trial(trial, settings, data, kept))
    about = read_json(after / "trial.json")
    assert (about["training_stars"], about["validation_stars"], about["epochs"]) == (50, 50, 0)
    assert (after / "weights.npz").read_bytes() == (before / "weights.npz").read_bytes()
    with pytest.raises(InputError, match="0 of 50 stars are labelled accreted"):
        train_trial(dataclasses.replace(trial, stays=False), settings, data, kept)
    with pytest.raises(InputError, match="a fresh network has nothing to stay at"):
        train_trial(Trial(sample=few, label="label_zm", stays=True), settings, data, kept)


@pytest.mark.long
def test_on_mocks_the_labels_are_counted(room, monkeypatch):
    monkeypatch.setattr(e20_labels, "_FLIPPED", (0.1,))
    found = room("E20")
    labels = found["labels"].set_index("name")
    assert list(labels.index) == [f"{kind}: {name}" for kind in KINDS for name in ("200 stars", "all")]
    assert labels.loc["measured: 200 stars", "labelled"] == 400
    assert labels.loc["measured: all", "labelled"] > 400
    noise = found["noise"].set_index("name")
    assert (
        noise.loc["measured: 10 % flipped", "labelled_accreted"]
        > labels.loc["measured: 200 stars", "labelled_accreted"]
    )
    gap = found["differences"].set_index("name").loc["rest_frame: none less all", "sum_chi2"]
    none = found["levels"].set_index("name").loc["rest_frame: none", "sum_chi2"]
    assert gap == pytest.approx(none - labels.loc["rest_frame: all", "sum_chi2"], abs=1e-6)
