"""Networks that differ by their draws alone are set side by side on the galaxy that taught and on another."""

import pandas as pd
import pytest

from exsitu.experiments.experiment import Claim, Verdict
from exsitu.experiments.registry import experiment

AT = "efficiency_accreted_at_1pct"
SURVEYS = ("m12i/lsr0", "m12f/lsr0", "m12f/lsr1")


def findings(errors: float = 0.05, covariance: float = 0.001) -> list[Claim]:
    rows = {f"errors less none, on {survey}": errors for survey in SURVEYS}
    rows |= {f"covariance less errors, on {survey}": covariance for survey in SURVEYS}
    tables = {
        "differences": pd.DataFrame({"name": list(rows), AT: list(rows.values()), f"{AT}_error": 0.01}),
        "correlations": pd.DataFrame({"name": ["pmra, pmdec"], "median_size": [0.2]}),
        "errors": pd.DataFrame({"name": ["parallax", "pmra"], "relative": [0.05, 0.0123]}),
    }
    return experiment("E17").claims(tables)


def verdicts(**changes: float) -> list[Verdict]:
    return [claim.verdict for claim in findings(**changes)]


def test_draws_that_help_and_correlations_that_do_not_are_the_papers_finding():
    assert verdicts() == [Verdict.HOLDS] * 6


def test_draws_that_harm_contradict_it():
    assert verdicts(errors=-0.05) == [Verdict.FAILS] * 3 + [Verdict.HOLDS] * 3


def test_draws_that_do_not_help_are_held_against_the_size_of_the_errors():
    assert findings(errors=-0.05)[0].why == (
        "of the spread of the stars, in the median, the errors are: parallax 5 %, pmra 1.2 %; stars carry them already"
    )


@pytest.mark.parametrize("change", [0.05, -0.05])
def test_correlations_that_matter_contradict_it(change):
    assert verdicts(covariance=change) == [Verdict.HOLDS] * 3 + [Verdict.FAILS] * 3


def test_trials_differ_by_what_is_drawn_and_that_of_errors_is_that_of_others(settings):
    trials, e3 = (experiment(name).trials(settings) for name in ("E17", "E3"))
    assert {name: trial.noise for name, trial in trials.items()} == {n: n for n in ("none", "errors", "covariance")}
    assert trials["errors"] == e3["5D, all"]
    assert len({trial.sample for trial in trials.values()}) == 1


@pytest.mark.long
def test_on_mocks_correlations_are_told_and_differences_are_those_of_the_numbers(room):
    found = room("E17")
    told = found["correlations"].set_index("name")
    assert list(told.index) == ["pmra, pmdec", "pmra, parallax", "pmdec, parallax"]
    assert told["median_size"].between(0.13, 0.17).all()  # the mocks' are even from -0.3 to 0.3
    numbers = found["networks"].set_index("row")["auc"]
    assert len(numbers) == 9
    for name, gap in found["differences"].set_index("name")["auc"].items():
        (a, b), survey = str(name).split(", on ")[0].split(" less "), str(name).split(", on ")[1]
        assert gap == pytest.approx(numbers[f"{a}, on {survey}"] - numbers[f"{b}, on {survey}"], abs=1e-6)
    errors = found["errors"].set_index("name")
    assert list(errors.index) == ["parallax", "pmra", "pmdec"]
    assert errors["relative"].between(0.0, 1.0, inclusive="neither").all()
