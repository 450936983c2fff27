"""Completeness and purity are counted in bins of what is true of the stars; findings follow from the tables."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from exsitu.evaluation.estimates import estimates
from exsitu.experiments.e21_blind_spots import _compared, _satellites, _spots, shares
from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment

NAMES = ("disc-like accreted stars lost", "height of in situ stars taken", "retrograde taken")
EVERYTHING = np.ones(8, bool)


def tables(**changes: float) -> dict[str, pd.DataFrame]:
    """As the paper says it in words."""
    told = dict(zip(("lost", "height", "retrograde"), (0.3, 0.4, 0.2), strict=True)) | changes
    values = (*told.values(), 0.2, 0.5)
    rows = [
        {"name": f"{label}: {name}", "value": value, "value_error": 0.01}
        for label in ("measured", "rest_frame")
        for name, value in zip((*NAMES, "disc_like", "others"), values, strict=True)
    ]
    return {"compared": pd.DataFrame(rows)}


def verdicts(**changes: float) -> list[Verdict]:
    return [claim.verdict for claim in experiment("E21").claims(tables(**changes))]


def test_what_the_paper_says_is_its_findings():
    assert verdicts() == [Verdict.HOLDS] * 6


@pytest.mark.parametrize(
    ("change", "places"),
    [({"lost": -0.3}, [0, 3]), ({"height": -0.4}, [1, 4]), ({"retrograde": -0.2}, [2, 5])],
    ids=str,
)
def test_another_number_is_another_finding(change, places):
    assert [i for i, v in enumerate(verdicts(**change)) if v == Verdict.FAILS] == places


def test_its_networks_are_those_of_e7(settings):
    assert experiment("E21").trials(settings) == experiment("E7").trials(settings)


def test_shares_are_counted_within_each_group_and_stars_of_no_group_are_left_out():
    selected = np.array([1, 1, 0, 0, 1, 0, 1, 1], bool)
    accreted = np.array([1, 1, 1, 1, 0, 0, 0, 1], bool)
    group = np.array([0, 0, 0, 1, 0, 1, -1, 3])
    found = shares(selected, accreted, group, 3)(EVERYTHING)
    assert found["completeness 0"] == pytest.approx(2 / 3)
    assert found["purity 0"] == pytest.approx(2 / 3)
    assert found["completeness 1"] == 0.0
    assert all(np.isnan(found[name]) for name in ("purity 1", "completeness 2", "purity 2"))


def stars() -> pd.DataFrame:
    """Accreted: two that rotate, two that do not; in situ: two low ones, a high one and a retrograde one."""
    return pd.DataFrame(
        {
            "accreted": np.arange(8) < 4,
            "v_phi": [200.0, 200.0, 0.0, -50.0, 220.0, 220.0, 220.0, -100.0],
            "pz_true": [0.1, 0.1, 1.0, 1.0, 0.1, -0.1, 2.0, 0.2],
            "feh": -1.0,
            "parentid": np.arange(8),
        }
    )


def test_what_is_lost_and_what_is_taken_by_mistake():
    found = _spots(np.array([1, 0, 1, 1, 0, 0, 1, 1], bool), stars())(EVERYTHING)
    assert (found["disc_like"], found["others"]) == (0.5, 1.0)
    assert found[NAMES[0]] == pytest.approx(0.5)
    assert found[NAMES[1]] == pytest.approx(1.1 - 0.6)
    assert found[NAMES[2]] == pytest.approx(0.5 - 0.25)


def test_the_table_of_a_comparison_is_what_the_claims_read():
    spots = _spots(np.array([1, 0, 1, 1, 0, 0, 1, 1], bool), stars())
    blocks = np.zeros(8, np.int64)
    table = _compared(dict.fromkeys(("measured", "rest_frame"), estimates([spots], blocks)))
    assert [c.verdict for c in experiment("E21").claims({"compared": table})] == [Verdict.HOLDS] * 6


def test_satellites_are_told_apart_and_the_galaxy_itself_is_none_of_them(settings):
    bench = SimpleNamespace(settings=settings)
    born = np.array(["Sausage", "Sausage", "Sequoia", "Sequoia", "", "", "", ""])
    selected = np.array([1, 0, 1, 1, 1, 0, 0, 0], bool)
    table = _satellites(bench, stars(), {"measured": [selected]}, born).set_index("row")
    assert list(table.index) == ["measured: Sausage", "measured: Sequoia"]
    assert table["completeness"].tolist() == [0.5, 1.0]
    assert table["v_phi_median"].tolist() == [200.0, -25.0]


@pytest.mark.long
def test_on_mocks_every_variable_has_its_bins_and_they_hold_all_accreted_stars(room):
    found = room("E21")
    profiles = found["profiles"]
    assert set(profiles["variable"]) == {"distance_kpc", "abs_b_deg", "v_phi_kms", "feh", "age_gyr"}
    held = profiles[profiles["group"] == "measured"].groupby("variable")["accreted"].sum()
    assert held["abs_b_deg"] == held["distance_kpc"] == held["age_gyr"]
    assert profiles.loc[profiles["accreted"] < 20, "completeness"].isna().all()
    assert profiles["completeness"].notna().any()
    assert "satellites" not in found
