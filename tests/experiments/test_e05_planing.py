"""Networks are taught and tested without a variable; what that costs says what it was worth."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from exsitu.experiments.experiment import Claim, Verdict
from exsitu.experiments.registry import experiment

TABLE_5 = {"none": 0.96, "phi": 0.97, "R": 0.94, "z": 0.90, "v_z": 0.84, "v_R": 0.83, "v_phi": 0.75}

ALONE = {"v_phi": 0.903, "v_R": 0.937, "v_z": 0.813, "z": 0.72}


def findings(**changes: float) -> list[Claim]:
    auc = TABLE_5 | changes
    costs = {name: auc["none"] - found for name, found in auc.items() if name != "none"}
    pairs = [("v_phi", n) for n in costs if n != "v_phi"] + list(product(("v_z", "v_R", "v_phi"), ("phi", "R", "z")))
    rows = costs | {f"{a} costs more than {b}": costs[a] - costs[b] for a, b in pairs}
    tables = {
        "planed": pd.DataFrame({"name": list(auc), "auc": list(auc.values()), "auc_error": 0.002}),
        "differences": pd.DataFrame({"name": list(rows), "auc": list(rows.values()), "auc_error": 0.002}),
        "alone": pd.DataFrame({"name": list(ALONE), "auc": list(ALONE.values())}),
    }
    return experiment("E5").claims(tables)


def failed(**changes: float) -> set[str]:
    return {claim.statement for claim in findings(**changes) if claim.verdict != Verdict.HOLDS}


def test_table_5_is_the_papers_findings():
    assert failed() == set()


@pytest.mark.parametrize(
    ("change", "statements"),
    [
        ({"v_R": 0.70}, {"v_phi matters most"}),
        ({"v_z": 0.92}, {"velocities matter more than positions"}),
        ({"R": 0.91}, {"R matters little"}),
        ({"z": 0.97}, {"the height z matters"}),
        ({"v_phi": 0.5}, {"without v_phi other information is left"}),
    ],
    ids=str,
)
def test_another_number_is_another_finding(change, statements):
    assert failed(**change) == statements


def test_another_order_is_explained_by_what_each_variable_tells_by_itself():
    assert findings(v_R=0.70)[0].why == "AUC of a variable by itself: v_phi 0.90, v_R 0.94, v_z 0.81, z 0.72"


def test_the_rows_are_those_of_table_5_and_each_network_is_planed_by_its_own(settings):
    trials = experiment("E5").trials(settings)
    assert list(trials) == list(TABLE_5)
    assert [trial.planing for trial in trials.values()] == ["", *list(TABLE_5)[1:]]
    assert trials["none"] == experiment("E3").trials(settings)["5D, all"]


@pytest.mark.long
def test_on_mocks_stars_are_planed_in_the_test_too(room):
    found = room("E5")
    planed = found["planed"].set_index("name")
    none = planed.loc["none"]
    assert none["auc"] == none["auc_stars_unplaned"] == none["auc_network_unplaned"]
    others = planed.drop("none")
    assert (others["auc"] != others["auc_stars_unplaned"]).all()
    assert (others["auc_network_unplaned"] != none["auc"]).all()
    costs = found["differences"].set_index("name")["auc"]
    assert costs["v_phi"] == pytest.approx(none["auc"] - planed.loc["v_phi", "auc"], abs=1e-6)


@pytest.mark.long
def test_on_mocks_the_planed_variable_is_flat_and_another_is_not(room):
    curves = room("E5")["distributions"].groupby(["variable", "planing", "name"])
    heights = {key: curve["density"].to_numpy() for key, curve in curves}
    flat = heights["v_phi", "after", "in situ"]
    assert np.ptp(flat[flat > 0]) < 1e-6 * flat.max()
    assert np.ptp(heights["v_phi", "before", "in situ"]) > 0.5 * heights["v_phi", "before", "in situ"].max()
    assert np.ptp(heights["pmra", "after", "in situ"]) > 0.5 * heights["pmra", "after", "in situ"].max()


@pytest.mark.long
def test_on_mocks_velocities_tell_by_themselves_and_the_azimuth_does_not(room):
    alone = room("E5")["alone"].set_index("name")["auc"]
    assert alone["v_phi"] > alone["phi"] > 0.5
