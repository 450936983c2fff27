"""E22: what rest-frame inputs gain, where, and what is said where they gain nothing."""

import pandas as pd
import pytest

from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment

TARGET = ("m12f/lsr0", "m12f/lsr1")
OWN = {
    "none on m12i/lsr0": 0.03,
    "one viewpoint on m12i/lsr1": 0.05,
    "one viewpoint on m12i/lsr2": 0.08,
    "5D, one viewpoint with velocities on m12i/lsr0": 0.04,
    "6D, one viewpoint with velocities on m12i/lsr0": 0.14,
}


ADDED = {f"{kind}: ZM last on {survey}": -0.003 for kind in ("measured", "rest_frame") for survey in TARGET}


def tables(none: float = 0.04) -> dict[str, pd.DataFrame]:
    carried = [f"{name} on {survey}" for survey in TARGET for name in ("none", "VM first + last", "ZM last")]
    rows = [(name, none if name.startswith("none") else 0.02, "target") for name in carried]
    rows += [(name, gain, "own") for name, gain in OWN.items()]
    gains = pd.DataFrame(rows, columns=["name", "efficiency_accreted_at_1pct", "galaxy"])
    gains = gains.assign(purity_at_47pct=gains["efficiency_accreted_at_1pct"], sum_chi2=-0.004)
    oracle = [f"the oracle of the other viewpoint, measured, on {survey}" for survey in TARGET]
    left = pd.DataFrame(
        {
            "name": [*oracle, *(f"stopped by a third galaxy, on {survey}" for survey in TARGET)],
            "efficiency_accreted_at_1pct": [0.0, 0.0, 0.01, 0.01],
        }
    )
    errors = {f"{name}_error": 0.001 for name in ("efficiency_accreted_at_1pct", "purity_at_47pct", "sum_chi2")}
    added = pd.DataFrame({"name": list(ADDED), "sum_chi2": list(ADDED.values()), "efficiency_accreted_at_1pct": -0.05})
    return {
        "gains": gains.assign(**errors),
        "transfer_adds": added.assign(**errors),
        "left_to_win": left.assign(efficiency_accreted_at_1pct_error=0.001),
    }


def test_the_prototypes_numbers_are_its_findings():
    claims = experiment("E22").claims(tables())
    assert {claim.verdict for claim in claims} == {Verdict.HOLDS}
    assert len(claims) == 2 * 3 + 2 * 2 * 2 + len(ADDED) + len(OWN) + 2 * 2


def test_a_transfer_that_harms_is_told_with_what_it_does_to_the_ranking():
    found = tables()
    found["transfer_adds"]["sum_chi2"] = 0.003
    failed = [claim for claim in experiment("E22").claims(found) if claim.verdict == Verdict.FAILS]
    assert [claim.statement for claim in failed] == [f"transfer brings velocities nearer the truth: {n}" for n in ADDED]
    assert failed[0].why == "ε_A at ε_I = 1 % changes by -0.0500 ± 0.0010"
    assert [claim.paper for claim in failed] == ["0.05 less"] * 2 + ["beyond the paper"] * 2


@pytest.mark.parametrize("gain", [0.0, -0.04])
def test_where_they_gain_nothing_it_is_told_where_they_do(gain):
    claims = [claim for claim in experiment("E22").claims(tables(gain)) if "m12f/lsr0 at" in claim.statement]
    assert [claim.verdict for claim in claims] == [Verdict.FAILS if gain else Verdict.OPEN]
    for name, number in OWN.items():
        assert f"{number:.4f} ± 0.0010 with {name}" in claims[0].why
