"""Draws of single stars are scored by a network taught with draws and by one taught without."""

import numpy as np
import pandas as pd
import pytest

from exsitu.experiments import e11_error_sampling
from exsitu.experiments.experiment import Verdict
from exsitu.experiments.registry import experiment

KINDS = ("in situ", "accreted")


def verdicts(**changes: dict[str, float]) -> list[Verdict]:
    table = {"width": {"in situ": 0.1, "accreted": 0.08}, "far_end": {"in situ": 0.05, "accreted": 0.04}}
    rows = [{"name": kind, **{c: (of | changes.get(c, {}))[kind] for c, of in table.items()}} for kind in KINDS]
    narrowed = pd.DataFrame(rows).assign(width_error=0.01, far_end_error=0.005)
    return [claim.verdict for claim in experiment("E11").claims({"narrowed": narrowed})]


def test_narrower_scores_without_false_support_are_the_papers_finding():
    assert verdicts() == [Verdict.HOLDS] * 4


@pytest.mark.parametrize(
    ("column", "kind", "place"),
    [("width", "in situ", 0), ("width", "accreted", 1), ("far_end", "in situ", 2), ("far_end", "accreted", 3)],
)
def test_another_number_is_another_finding(column, kind, place):
    assert [i for i, v in enumerate(verdicts(**{column: {kind: -0.1}})) if v == Verdict.FAILS] == [place]


def test_width_and_far_end_are_those_of_a_stars_own_draws():
    """Two stars: one always at 0.95, one half at 0 and half at 1."""
    scores = np.array([[0.95] * 4, [0.0, 0.0, 1.0, 1.0]])
    every, second = np.array([True, True]), np.array([False, True])
    assert e11_error_sampling._spread(scores, "in situ")(every) == {"width": 0.25, "far_end": 0.75}
    assert e11_error_sampling._spread(scores, "accreted")(second) == {"width": 0.5, "far_end": 0.5}
    assert np.isnan(e11_error_sampling._spread(scores, "accreted")(~every)["width"])


def test_its_networks_are_those_of_e17(settings):
    e11, e17 = (experiment(name).trials(settings) for name in ("E11", "E17"))
    assert e11 == {"without sampling": e17["none"], "with sampling": e17["errors"]}


@pytest.mark.long
def test_on_mocks_both_networks_score_the_same_draws_of_three_stars(room):
    found = room("E11")
    spread = found["spread"].set_index("name")
    assert list(spread.index) == [f"{kind}, {name} sampling" for kind in KINDS for name in ("without", "with")]
    for kind in KINDS:
        between = spread.loc[f"{kind}, without sampling", "width"] - spread.loc[f"{kind}, with sampling", "width"]
        assert found["narrowed"].set_index("name").loc[kind, "width"] == pytest.approx(between, abs=1e-7)
    examples = found["examples"].groupby(["star", "name"])
    assert len(examples) == 6
    for _, curve in examples:
        assert np.sum(curve["density"] * (curve["high"] - curve["low"])) == pytest.approx(1.0)
