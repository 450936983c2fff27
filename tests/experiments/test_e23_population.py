"""Networks learn from one galaxy or many, as many stars in all, and none is watched elsewhere."""

import numpy as np
import pandas as pd
import pytest

from exsitu.experiments import e22_rest_frame
from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment

AT = "efficiency_accreted_at_1pct"
KINDS, SURVEYS = ("measured", "rest_frame"), ("m12f/lsr0", "m12f/lsr1")


def failed(**changes: float) -> list[int]:
    """Places of claims that do not hold, of nine a survey, of numbers as the prototypes had them."""
    is_at = {
        "m12i": 0.37,
        "1 drawn": 0.35,
        "2 drawn": 0.38,
        "8 drawn": 0.41,
        "every": 0.42,
        "rest": 0.03,
        "moved": 0.0002,
    } | changes
    rows = {}
    for survey in SURVEYS:
        for kind in KINDS:
            for name in ("1 drawn", "2 drawn", "8 drawn"):
                rows[f"{kind}, no transfer: {name} less m12i, on {survey}"] = is_at[name] - is_at["m12i"]
            rows[f"{kind}, no transfer: 8 drawn less 1 drawn, on {survey}"] = is_at["8 drawn"] - is_at["1 drawn"]
            rows[f"{kind}, no transfer: 8 drawn less m12i, all stars, on {survey}"] = is_at["8 drawn"] - is_at["every"]
            rows[f"{kind}, 8 drawn: ZM last less no transfer, on {survey}"] = is_at["moved"]
        rows[f"8 drawn: rest_frame less measured, on {survey}"] = is_at["rest"]
    values = np.array(list(rows.values()))
    numbers = {AT: values, f"{AT}_error": 0.005, "sum_chi2": values, "sum_chi2_error": 0.0001}
    claims = experiment("E23").claims({"differences": pd.DataFrame({"name": list(rows), **numbers})})
    assert len(claims) == 18
    return [i for i, claim in enumerate(claims) if claim.verdict != Verdict.HOLDS]


def test_the_prototypes_numbers_are_what_is_expected():
    assert failed() == []


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"m12i": 0.43}, [0, 3]),
        ({"1 drawn": 0.45}, [1, 4]),
        ({"every": 0.46}, [2, 5]),
        ({"rest": -0.03}, [6]),
        ({"moved": 0.01}, [7, 8]),
        ({"moved": -0.01}, [7, 8]),
    ],
    ids=str,
)
def test_another_number_is_another_finding(change, places):
    assert failed(**change) == [*places, *(place + 9 for place in places)]


def test_every_network_learns_from_as_many_stars_in_all(settings):
    sizes = settings.experiments.model_copy(update={"population_galaxies": (1, 2, 4, 8)})
    trials = experiment("E23").trials(settings.model_copy(update={"experiments": sizes}))
    taught = {
        label: trial.sample.stars * len(trial.sample.surveys)
        for label, trial in trials.items()
        if label.endswith("no transfer") and "all stars" not in label
    }
    assert len(taught) == 10
    assert max(taught.values()) - min(taught.values()) < 8
    assert 0 < max(taught.values()) <= 0.65 * settings.experiments.population_stars


def test_galaxies_that_are_watched_elsewhere_teach_nobody_and_fewer_are_part_of_more(settings):
    trials = experiment("E23").trials(settings)
    learnt = {name for trial in trials.values() for step in trial.lineage() for name in step.surveys}
    assert e22_rest_frame._WATCHED not in learnt
    few, many = (set(trials[f"measured: {n} drawn, no transfer"].sample.surveys) for n in (1, 2))
    assert few < many
    assert few == {"population/1/lsr0"}


def test_networks_of_all_stars_and_their_transfers_are_those_of_e22(settings):
    trials, e22 = (experiment(name).trials(settings) for name in ("E23", "E22"))
    for kind in KINDS:
        for carried, name in (("no transfer", "none"), ("ZM last", "ZM last")):
            assert trials[f"{kind}: m12i, all stars, {carried}"] == e22[f"{kind}: {name}"]
            assert trials[f"{kind}: 2 drawn, {carried}"] != e22[f"{kind}: {name}"]


@pytest.mark.long
def test_on_mocks_numbers_of_galaxies_are_told_and_differences_are_those_of_the_numbers(room):
    found = room("E23")
    numbers = found["networks"].set_index("row")
    assert len(numbers) == 2 * 2 * 4 * 2
    assert numbers.loc["rest_frame: 2 drawn, ZM last, on m12f/lsr1", "galaxies"] == 2
    assert np.isnan(numbers.loc["rest_frame: m12i, all stars, ZM last, on m12f/lsr1", "galaxies"])
    gap = found["differences"].set_index("name").loc["measured, ZM last: 2 drawn less m12i, on m12f/lsr0", "auc"]
    many, one = (numbers.loc[f"measured: {n}, ZM last, on m12f/lsr0", "auc"] for n in ("2 drawn", "m12i"))
    assert gap == pytest.approx(many - one, abs=1e-6)
    taught = found["sizes"].set_index("name")["training_stars"]
    assert taught["measured: 1 drawn, no transfer"] == taught["measured: m12i, no transfer"]
