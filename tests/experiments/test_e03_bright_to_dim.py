"""What bright stars teach is tested on all stars and on bright ones, and findings follow from the tables."""

import numpy as np
import pandas as pd
import pytest

from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment

AT = "efficiency_accreted_at_1pct"


def tables(**changes: float) -> dict[str, pd.DataFrame]:
    """As the paper's Fig. 4 has it, with changes."""
    lost = {"5D": 0.0, "5D+phot": 0.2, "photometry_of_moving": -0.1, "photometry_of_all": 0.1, "eased": 0.1} | changes
    rows = {
        "5D: all less with radial velocity, tested on all": lost["5D"],
        "5D+phot: all less with radial velocity, tested on all": lost["5D+phot"],
        "with radial velocity: 5D+phot less 5D, tested on all": lost["photometry_of_moving"],
        "all: 5D+phot less 5D, tested on all": lost["photometry_of_all"],
    }
    compared = {
        "5D+phot: ε_A lost on all stars, less that lost on G < 15": lost["eased"],
        "accreted share: all over with radial velocity": 1.6,
    }
    return {
        "differences": pd.DataFrame({"name": list(rows), AT: list(rows.values()), f"{AT}_error": 0.01}),
        "compared": pd.DataFrame({"name": list(compared), "value": list(compared.values()), "value_error": 0.01}),
        "samples": pd.DataFrame({"name": ["all", "with radial velocity"], "dim_share": [0.7, 0.01]}),
    }


def verdicts(**changes: float) -> list[Verdict]:
    return [claim.verdict for claim in experiment("E3").claims(tables(**changes))]


def test_the_papers_numbers_are_its_findings():
    assert verdicts() == [Verdict.HOLDS] * 6


@pytest.mark.parametrize(
    ("change", "place"),
    [({"5D": 0.2}, 0), ({"5D+phot": -0.2}, 1), ({"photometry_of_moving": 0.1}, 2), ({"eased": -0.1}, 4)],
    ids=str,
)
def test_another_number_is_another_finding(change, place):
    assert [i for i, v in enumerate(verdicts(**change)) if v == Verdict.FAILS] == [place]


def test_what_fails_is_explained_by_how_dim_the_stars_are():
    claim = experiment("E3").claims(tables(**{"5D": 0.2}))[0]
    assert claim.why == "fainter than G = 15: 1.0 % of those with velocities, 70.0 % of all"


def test_its_networks_of_stars_with_velocities_are_those_of_e2(settings):
    e2, e3 = (experiment(name).trials(settings) for name in ("E2", "E3"))
    assert all(e3[f"{inputs}, with radial velocity"] == e2[inputs] for inputs in ("5D", "5D+phot"))


@pytest.mark.long
def test_on_mocks_it_counts_bright_stars_and_draws_both_tests(room):
    found = room("E3")
    samples = found["samples"].set_index("name")
    assert list(samples.index) == ["all", "with radial velocity", "G < 15"]
    assert samples.loc["G < 15", "dim_share"] == 0.0
    assert samples.loc["with radial velocity", "g_99pct"] < 14.0 < samples.loc["all", "g_99pct"]
    assert (found["roc"].groupby(["group", "name"]).size() > 1).sum() == 8
    for _, curve in found["magnitudes"].groupby("name"):
        assert np.sum(curve["density"] * (curve["high"] - curve["low"])) == pytest.approx(1.0)
    numbers = found["networks"].set_index("row")["auc"]
    assert numbers["5D, all, tested on all"] != numbers["5D, all, tested on G < 15"]
