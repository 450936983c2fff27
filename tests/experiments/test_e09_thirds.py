"""Each third of the Milky Way is judged by what the others taught, and findings follow from the tables."""

import numpy as np
import pandas as pd
import pytest

from exsitu.experiments.e09_thirds import told
from exsitu.experiments.experiment import Verdict
from exsitu.experiments.milky_way import SPECTRA
from exsitu.experiments.registry import experiment


def tables(**changes: float) -> dict[str, pd.DataFrame]:
    """As one reads them off Fig. 12, with changes."""
    found = {
        "rotation": 215.0,
        "v_r": 5.0,
        "v_phi": 20.0,
        "v_z": -3.0,
        "gap": 0.8,
        "reach": 0.2,
        "found": 0.4,
    } | changes
    compared = {
        "[Fe/H]: median of in situ less accreted": found["gap"],
        "[Fe/H]: 99 % of accreted less median of in situ": found["reach"],
        "accreted share: accreted less in situ": found["found"],
    }
    means = {f"{name}_mean": [np.nan, found[name]] for name in ("v_r", "v_phi", "v_z")}
    samples = {
        "name": ["in situ, best cut", "accreted, best cut"],
        "v_phi_median": [found["rotation"], np.nan],
        **means,
    }
    errors = {f"{name}_error": 2.0 for name in samples if name != "name"}
    return {
        "samples": pd.DataFrame(samples).assign(**errors, accreted_share=[0.01, 0.4]),
        "compared": pd.DataFrame({"name": list(compared), "value": list(compared.values()), "value_error": 0.05}),
    }


def verdicts(**changes: float) -> list[Verdict]:
    return [claim.verdict for claim in experiment("E9").claims(tables(**changes))]


def test_the_papers_numbers_are_its_findings():
    assert verdicts() == [Verdict.HOLDS] * 7


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"rotation": 100.0}, 0),
        ({"v_r": 80.0}, 1),
        ({"v_phi": 150.0}, 2),
        ({"v_z": -90.0}, 3),
        ({"gap": -0.5}, 4),
        ({"reach": -0.3}, 5),
        ({"found": -0.2}, 6),
    ],
    ids=str,
)
def test_another_number_is_another_finding(change, place):
    assert [i for i, v in enumerate(verdicts(**change)) if v == Verdict.FAILS] == [place]


def test_without_a_truth_nothing_is_said_to_be_found():
    found = tables(found=np.nan)
    found["samples"]["accreted_share"] = np.nan
    claim = experiment("E9").claims(found)[-1]
    assert (claim.verdict, claim.here, claim.why) == (Verdict.OPEN, "not measured", "the survey has no truth")


def test_each_network_learns_from_two_thirds_and_goes_on_from_that_of_e6(settings):
    e6, e9 = (experiment(name).trials(settings) for name in ("E6", "E9"))
    assert e9["ZM last"] == e6["ZM last"]
    thirds = [e9[f"without third {number}"] for number in (1, 2, 3)]
    assert [t.sample.filters for t in thirds] == [("but_third_0",), ("but_third_1",), ("but_third_2",)]
    assert all(t.sample.surveys == (SPECTRA,) and t.start == e6["none"] and t.label == "label_zm" for t in thirds)


def test_stars_are_described_by_their_own_numbers():
    stars = pd.DataFrame(
        {
            "v_r": [1.0, 3.0, 99.0],
            "v_phi": [0.0, 20.0, 99.0],
            "v_z": 5.0,
            "feh": [-2.0, -1.0, 0.0],
            "accreted": [True, False, False],
        }
    )
    found = told(np.array([True, True, False]), stars)(np.ones(3, bool))
    assert (found["stars"], found["v_r_mean"], found["v_phi_median"], found["feh_median"]) == (2.0, 2.0, 10.0, -1.5)
    assert found["accreted_share"] == 0.5
    assert np.isnan(told(np.ones(3, bool), stars.drop(columns="accreted"))(np.ones(3, bool))["accreted_share"])
    assert told(np.zeros(3, bool), stars)(np.ones(3, bool))["stars"] == 0.0


@pytest.mark.long
def test_on_the_stand_in_every_star_is_judged_once(room, settings, data, kept):
    from exsitu.experiments.samples import Surveys

    found = room("E9")["samples"].set_index("name")
    stars = Surveys(settings, data, kept).stars(SPECTRA)
    for cut in ("best cut", "S > 0.75"):
        assert found.loc[f"in situ, {cut}", "stars"] + found.loc[f"accreted, {cut}", "stars"] == len(stars)
    assert found.loc["ZM", "stars"] == stars["label_zm"].sum()
    assert found.loc["ZM", "accreted_share"] == pytest.approx(stars.loc[stars["label_zm"], "accreted"].mean())
