"""Networks of both splits are measured where they may be, and what shared particles are worth is a difference."""

import pandas as pd
import pytest

from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment

AT = "efficiency_accreted_at_1pct"
KINDS, ELSEWHERE = ("measured", "rest_frame"), ("m12f/lsr0", "m12f/lsr1")


def verdicts(home: float = 0.1, elsewhere: float = 0.0) -> list[Verdict]:
    gaps = {f"{k} on {s}": home if s == "m12i/lsr0" else elsewhere for k in KINDS for s in ("m12i/lsr0", *ELSEWHERE)}
    worth = {
        f"{k}, less that on {s}": gaps[f"{k} on m12i/lsr0"] - gaps[f"{k} on {s}"] for k in KINDS for s in ELSEWHERE
    }
    tables = {
        name: pd.DataFrame({"name": list(rows), AT: list(rows.values()), f"{AT}_error": 0.005})
        for name, rows in (("gaps", gaps), ("worth", worth))
    }
    tables["shared"] = pd.DataFrame({"name": ["by star"], "shared_accreted": [0.9]})
    return [claim.verdict for claim in experiment("E16").claims(tables)]


def test_numbers_that_are_better_where_particles_are_shared_and_alike_elsewhere_are_leakage():
    assert verdicts() == [Verdict.HOLDS] * 8


def test_numbers_that_are_no_better_at_home_than_elsewhere_are_none():
    assert verdicts(home=-0.1)[:4] == [Verdict.FAILS] * 4
    assert verdicts(home=0.004)[:4] == [Verdict.OPEN] * 4


def test_a_split_that_teaches_better_everywhere_is_no_leakage():
    assert verdicts(elsewhere=0.2) == [Verdict.FAILS] * 8


def test_the_two_differ_by_their_split_alone_and_the_one_by_star_is_that_of_others(settings):
    trials, e22 = (experiment(name).trials(settings) for name in ("E16", "E22"))
    for kind in KINDS:
        star, particle = (trials[f"{kind}: by {split}"] for split in ("star", "particle"))
        assert star == e22[f"{kind}: one viewpoint"]
        assert particle.to_json() == {**star.to_json(), "sample": {**star.to_json()["sample"], "split": "particle"}}


@pytest.mark.long
def test_on_mocks_no_particle_is_shared_where_the_split_keeps_particles_together(room):
    found = room("E16")
    shared = found["shared"].set_index("name")
    assert shared.loc["by particle", ["shared", "shared_accreted"]].tolist() == [0.0, 0.0]
    assert shared.loc["by star", "shared"] > 0.9
    numbers, gaps = found["networks"].set_index("row"), found["gaps"].set_index("name")
    assert len(numbers) == 12
    for name in gaps.index:
        between = numbers.loc[f"{name}, by star", "auc"] - numbers.loc[f"{name}, by particle", "auc"]
        assert gaps.loc[name, "auc"] == pytest.approx(between, abs=1e-6)
    at_home, elsewhere = (gaps.loc[f"rest_frame on {s}", "auc"] for s in ("m12i/lsr0", "m12f/lsr1"))
    worth = found["worth"].set_index("name").loc["rest_frame, less that on m12f/lsr1", "auc"]
    assert worth == pytest.approx(at_home - elsewhere, abs=1e-6)
