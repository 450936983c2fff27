"""Networks of many shapes learn from the same few stars; what they cost is counted."""

import pandas as pd
import pytest

from exsitu.experiments import e13_architectures
from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment

AT = "efficiency_accreted_at_1pct"
SHAPES = [(depth, width) for depth in (1, 2, 3, 4) for width in (25, 50, 100, 200)]


def verdicts(**changes: float) -> list[Verdict]:
    """Of a scan that saturates at 3 x 100, with changes."""
    at = {f"{d} x {w}": 0.6 - (0.1 if d < 3 else 0.0) - (0.1 if w < 100 else 0.0) for d, w in SHAPES}
    at |= {name.replace("_", " "): value for name, value in changes.items()}
    architectures = pd.DataFrame(SHAPES, columns=["depth", "width"]).assign(name=list(at), training_cost=2.0)
    rows = {f"{name} less 3 x 100": value - at["3 x 100"] for name, value in at.items() if name != "3 x 100"}
    tables = {
        "architectures": architectures[["name", "depth", "width", "training_cost"]],
        "differences": pd.DataFrame({"name": list(rows), AT: list(rows.values()), f"{AT}_error": 0.005}),
    }
    return [claim.verdict for claim in experiment("E13").claims(tables)]


def test_a_scan_that_saturates_is_the_papers_finding():
    assert verdicts() == [Verdict.HOLDS] * 4


def test_a_larger_network_that_gains_contradicts_it():
    assert verdicts(**{"4_x_200": 0.65})[0] == Verdict.FAILS


def test_a_smaller_network_that_does_as_well_contradicts_it():
    assert verdicts(**{"1_x_100": 0.65})[1] == Verdict.FAILS
    assert verdicts(**{"3_x_25": 0.6})[2] == Verdict.OPEN


def test_all_shapes_learn_from_the_same_small_set_of_stars(settings):
    trials = experiment("E13").trials(settings)
    assert [(len(t.hidden), t.hidden[0]) for t in trials.values()] == SHAPES
    (sample,) = {trial.sample for trial in trials.values()}
    assert 0 < sample.stars < settings.experiments.training_stars


@pytest.mark.long
def test_on_mocks_parameters_and_cost_are_those_of_the_shapes(room, monkeypatch):
    monkeypatch.setattr(e13_architectures, "_DEPTHS", (1, 3))
    monkeypatch.setattr(e13_architectures, "_WIDTHS", (25, 100, 200))
    found = room("E13")["architectures"].set_index("name")
    assert len(found) == 6
    for name, row in found.iterrows():
        depth, width = (int(n) for n in str(name).split(" x "))
        inputs = 5
        products = inputs * width + (depth - 1) * width**2 + width
        assert row["multiplications"] == products
        assert row["parameters"] == products + depth * width + 1
        assert row["training_cost"] > 0
    assert found.loc["3 x 100", "training_cost"] == 1.0
