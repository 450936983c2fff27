"""The recipe is validated on a viewpoint that chose nothing, and findings follow from the tables."""

import numpy as np
import pandas as pd
import pytest

from exsitu.evaluation.metrics import scan_cuts
from exsitu.experiments.bench import Bench
from exsitu.experiments.e07_validation import nearer
from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment
from exsitu.experiments.samples import Surveys
from exsitu.settings import Bins


def tables(**changes: float) -> dict[str, pd.DataFrame]:
    """As the paper's Table 7 has it, with changes."""
    told = {"purity": 0.41, "efficiency": 0.47, "purer": 0.18, "fewer": -0.34, "measured": 0.02, "rest_frame": 0.02}
    told |= {"gain": 0.04} | changes
    differences = {
        "measured: S > 0.95 less S > 0.75": (told["purer"], told["fewer"], np.nan),
        "rest_frame less measured, best cut": (np.nan, np.nan, told["gain"]),
    }
    columns = ["purity", "efficiency_accreted", "purity_at_47pct"]
    return {
        "selections": pd.DataFrame(
            {
                "name": ["measured, S > 0.75"],
                "purity": told["purity"],
                "purity_error": 0.01,
                "efficiency_accreted": told["efficiency"],
                "efficiency_accreted_error": 0.01,
            }
        ),
        "differences": pd.DataFrame(
            [{"name": n, **dict(zip(columns, v, strict=True)), **{f"{c}_error": 0.01 for c in columns}}
             for n, v in differences.items()]
        ),
        "ranking": pd.DataFrame({"name": ["measured"], "purity_at_47pct": [0.412]}),
        "followed": pd.DataFrame(
            {
                "name": [*(f"{r}, S > 0.75" for r in ("measured", "rest_frame")), "accreted (truth)"],
                "margin": [told["measured"], told["rest_frame"], 0.0123],
                "margin_error": 0.001,
            }
        ),
    }  # fmt: skip


def verdicts(**changes: float) -> list[Verdict]:
    return [claim.verdict for claim in experiment("E7").claims(tables(**changes))]


def test_the_papers_numbers_are_its_findings():
    assert verdicts() == [Verdict.HOLDS] * 7


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"purity": 0.20}, 0),
        ({"efficiency": 0.80}, 1),
        ({"purer": -0.1}, 2),
        ({"fewer": 0.1}, 3),
        ({"measured": -0.02}, 4),
        ({"rest_frame": -0.02}, 5),
        ({"gain": -0.04}, 6),
    ],
    ids=str,
)
def test_another_number_is_another_finding(change, place):
    assert [i for i, v in enumerate(verdicts(**change)) if v == Verdict.FAILS] == [place]


def test_velocities_that_are_not_followed_are_explained_by_how_near_the_galaxies_are():
    why = experiment("E7").claims(tables(measured=-0.02))[4].why
    assert why == "the accreted stars of both galaxies lie 1.23 ± 0.10 ×10⁻² from each other"


def test_what_fails_is_explained_by_the_purity_at_the_papers_efficiency():
    claim = experiment("E7").claims(tables(purity=0.2))[0]
    assert claim.why == "the cut that keeps 47 % of the accreted stars selects with a purity of 41 %"
    assert claim.here == "-21.0 ± 1.0 points from 41 %"


def test_nothing_selected_is_nothing_measured():
    claim = experiment("E7").claims(tables(purer=np.nan))[2]
    assert (claim.verdict, claim.here) == (Verdict.OPEN, "not measured")


def test_its_networks_are_those_of_e6_and_e22(settings):
    e6, e7, e22 = (experiment(name).trials(settings) for name in ("E6", "E7", "E22"))
    assert e7["measured"] == e6["ZM last"]
    assert e7["rest_frame"] == e22["rest_frame: ZM last"]


def test_a_selection_is_nearer_to_the_galaxy_whose_velocities_it_has():
    here, there = (np.full((50, 3), v) for v in (100.0, -100.0))
    stars = pd.DataFrame(np.concatenate([here, there]), columns=["v_r", "v_phi", "v_z"]).assign(
        accreted=np.arange(100) < 50
    )
    bins, everything = Bins(low=-450.0, high=450.0, count=45), np.ones(100, bool)
    own = nearer(np.arange(100) < 20, stars, there, bins)(everything)
    other = nearer(np.arange(100) >= 50, stars, there, bins)(everything)
    assert (own["target"], own["other"], own["margin"]) == (0.0, 6.0, 6.0)
    assert other["margin"] == -6.0
    assert np.isnan(nearer(np.zeros(100, bool), stars, there, bins)(everything)["margin"])


@pytest.mark.long
def test_on_mocks_cuts_are_chosen_on_the_first_viewpoint_and_counted_on_the_second(room, settings, data, kept):
    found = room("E7")
    single = settings.model_copy(update={"experiments": settings.experiments.model_copy(update={"seeds": 1})})
    bench = Bench(single, Surveys(settings, data, kept), kept, experiment("E7").trials(settings))
    first = bench.test("m12f/lsr0")
    velocities, accreted = first[["v_r", "v_phi", "v_z"]].to_numpy(), first["accreted"].to_numpy()
    score = bench.scores_of("measured", "m12f/lsr0", first)[0]
    scan = scan_cuts(score, accreted, velocities, settings.evaluation.velocity_bins, settings.evaluation.cuts)
    scan = scan[scan["selected"] >= settings.evaluation.min_selected]
    table = found["selections"].set_index("name")
    assert list(table.index) == [
        f"{r}, {c}" for r in ("measured", "rest_frame") for c in ("best cut", "S > 0.75", "S > 0.95")
    ]
    assert table.loc["measured, best cut", "cut"] == scan["cut"].iloc[int(np.argmin(scan["sum_chi2"]))]
    at_cut = table.loc["measured, best cut"]
    assert at_cut["selected_accreted"] / at_cut["selected"] == pytest.approx(at_cut["purity"])
    assert at_cut["selected_accreted"] / at_cut["accreted"] == pytest.approx(at_cut["efficiency_accreted"])
    drawn = found["distributions"]
    assert set(drawn["column"]) >= {"l", "b", "v_r", "v_phi", "v_z", "age"}
    assert drawn["name"].nunique() == 4
    assert table.loc["measured, S > 0.75", ["paper_purity", "paper_efficiency_accreted"]].tolist() == [0.41, 0.47]
