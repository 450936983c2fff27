"""Scores become probabilities by stars of one galaxy, and are held against the truth of both."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment

NETWORKS, FITTED = ("pretrained", "ZM last"), ("Platt", "isotonic")
SURVEYS = ("m12i/lsr0", "m12f/lsr0", "m12f/lsr1")


def failed(error: float = 0.1, loss: float = 0.2, counted: float = 1.1) -> list[int]:
    """Places of claims that fail, of ten that calibrate at home and away and two counts."""
    rows = [f"{n}: raw less {m}, on {s}" for s, n, m in product(SURVEYS, NETWORKS, FITTED)]
    lowered = pd.DataFrame({"name": rows, "calibration_error": error, "log_loss": loss})
    names = [f"pretrained: isotonic, on {s}" for s in SURVEYS]
    tables = {
        "lowered": lowered.assign(calibration_error_error=0.01, log_loss_error=0.01),
        "calibrated": pd.DataFrame({"name": names, "expected_over_true": counted, "expected_over_true_error": 0.05}),
        "shares": pd.DataFrame({"name": [f"{s}, test" for s in SURVEYS], "share": 0.01}),
    }
    claims = experiment("E18").claims(tables)
    assert len(claims) == 14
    return [i for i, claim in enumerate(claims) if claim.verdict != Verdict.HOLDS]


def test_probabilities_at_home_and_away_are_what_is_expected():
    assert failed() == []


def test_another_number_is_another_finding():
    assert failed(error=-0.1) == [0, 1, 2, 3]
    assert failed(loss=-0.1) == list(range(4, 12))
    assert failed(counted=1.6) == [12, 13]
    assert failed(counted=0.5) == [12, 13]


def test_its_networks_are_those_of_e6(settings):
    e18, e6 = (experiment(name).trials(settings) for name in ("E18", "E6"))
    assert e18 == {"pretrained": e6["none"], "ZM last": e6["ZM last"]}


@pytest.mark.long
def test_on_mocks_calibration_lowers_the_error_at_home_and_every_star_is_in_a_bin(room):
    found = room("E18")
    numbers = found["calibrated"].set_index("name")
    assert len(numbers) == 2 * 3 * 4
    for network in NETWORKS:
        errors = {m: numbers.loc[f"{network}: {m}, on m12i/lsr0", "calibration_error"] for m in ("raw", *FITTED)}
        assert max(errors[m] for m in FITTED) < errors["raw"]
    table = found["reliability"]
    stars = found["shares"].set_index("name")["stars"]
    for (survey, _, _), members in table.groupby(["survey", "network", "method"]):
        assert members["stars"].sum() == stars[f"{survey}, test"]
    gap = found["lowered"].set_index("name").loc["ZM last: raw less Platt, on m12f/lsr1", "log_loss"]
    on = "on m12f/lsr1"
    raw, fitted = (numbers.loc[f"ZM last: {m}, {on}", "log_loss"] for m in ("raw", "Platt"))
    assert gap == pytest.approx(raw - fitted, abs=1e-6)
    assert np.isfinite(numbers["log_loss"]).all()
