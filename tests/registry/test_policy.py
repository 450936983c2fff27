"""A candidate is held to each criterion by its numbers, and told them."""

import numpy as np
import pytest

from exsitu.evaluation.jackknife import METRICS, Resampled
from exsitu.registry import (
    Criterion,
    Verdict,
    acceptance_criteria,
    comparison_criteria,
    real_star_criterion,
)
from exsitu.settings import RealStars, load_settings

GOOD = {"auc": 0.95, "purity": 0.3, "efficiency_accreted": 0.5, "sum_chi2": 0.01, "passed": True, "reasons": []}


@pytest.fixture(scope="module")
def settings(repository):
    return load_settings(repository / "params.yaml")


def by_name(criteria):
    return {criterion.name: criterion for criterion in criteria}


def test_what_evaluation_passed_passes_with_its_numbers(settings):
    found = by_name(acceptance_criteria(GOOD, settings.evaluation.acceptance))
    assert set(found) == {f"acceptance: {name}" for name in ("auc", "purity", "efficiency_accreted", "sum_chi2")} | {
        "acceptance"
    }
    assert all(criterion.passed for criterion in found.values())
    limit = settings.evaluation.acceptance.min_purity
    assert found["acceptance: purity"].figures == {"value": 0.3, "limit": limit}
    assert f"0.3, must be at least {limit:g}" in found["acceptance: purity"].detail


@pytest.mark.parametrize(
    ("name", "value"), [("auc", 0.6), ("purity", 0.01), ("efficiency_accreted", 0.01), ("sum_chi2", 0.9)]
)
def test_each_limit_can_fail_alone(settings, name, value):
    found = acceptance_criteria({**GOOD, name: value}, settings.evaluation.acceptance)
    assert [criterion.name for criterion in found if criterion.passed is False] == [f"acceptance: {name}"]


def test_limits_loosened_after_evaluation_do_not_undo_what_it_decided(settings):
    refused = {**GOOD, "passed": False, "reasons": ["purity = 0.3 is not at least 0.4"]}
    found = by_name(acceptance_criteria(refused, settings.evaluation.acceptance))
    assert found["acceptance"].passed is False
    assert "purity = 0.3 is not at least 0.4" in found["acceptance"].detail


def test_a_metric_that_was_not_measured_fails(settings):
    found = by_name(acceptance_criteria({"passed": True}, settings.evaluation.acceptance))
    assert found["acceptance: auc"].passed is False


def resampled(noise=0.01, **values):
    """Metrics whose jackknife errors are about 7 times `noise`."""
    rng = np.random.default_rng(1)
    whole = {**dict.fromkeys(METRICS, 0.3), **values}
    without = {name: value + noise * rng.normal(size=50) for name, value in whole.items()}
    return Resampled(whole, without, 1000)


def sure(**values):
    """Metrics that differ from those of `resampled` by the same in every replicate: the difference has no error."""
    base = resampled()
    whole = {**base.whole, **values}
    return Resampled(whole, {n: base.without[n] + whole[n] - base.whole[n] for n in METRICS}, 1000)


def test_a_difference_within_its_error_passes_and_a_sure_loss_fails(settings):
    champion = resampled()
    assert all(c.passed for c in comparison_criteria(resampled(noise=0.02), champion, settings.promotion))
    worse = by_name(comparison_criteria(sure(purity=0.29, sum_chi2=0.31), champion, settings.promotion))
    assert {name for name, c in worse.items() if c.passed is False} == {"champion: purity", "champion: sum_chi2"}


def test_less_chi2_is_a_gain_and_less_purity_a_loss(settings):
    champion = resampled()
    found = by_name(comparison_criteria(sure(purity=0.2, sum_chi2=0.2), champion, settings.promotion))
    assert found["champion: sum_chi2"].passed
    assert found["champion: sum_chi2"].figures["gain"] == pytest.approx(0.1)
    assert found["champion: purity"].passed is False
    assert found["champion: purity"].figures["gain"] == pytest.approx(-0.1)


def test_a_policy_may_demand_a_gain(settings):
    losses = settings.promotion.max_loss_sigma.model_copy(update={"purity": -2.0})
    strict = settings.promotion.model_copy(update={"max_loss_sigma": losses})
    champion = resampled()
    same = by_name(comparison_criteria(resampled(noise=0.02), champion, strict))
    better = by_name(comparison_criteria(sure(purity=0.4), champion, strict))
    assert same["champion: purity"].passed is False
    assert better["champion: purity"].passed


def test_both_values_come_with_errors(settings):
    found = by_name(comparison_criteria(resampled(noise=0.02), resampled(), settings.promotion))["champion: purity"]
    assert found.figures["error"] == pytest.approx(resampled(noise=0.02).error("purity"))
    assert found.figures["champion_error"] == pytest.approx(resampled().error("purity"))
    assert f"± {found.figures['error']:.2g}, champion 0.3 ±" in found.detail


def test_selecting_nothing_loses_against_selecting_something_and_wins_against_nothing_never(settings):
    empty = resampled(purity=float("nan"), sum_chi2=float("nan"))
    lost = by_name(comparison_criteria(empty, resampled(), settings.promotion))
    assert lost["champion: purity"].passed is False
    won = by_name(comparison_criteria(resampled(), empty, settings.promotion))
    assert won["champion: purity"].passed
    neither = by_name(comparison_criteria(empty, empty, settings.promotion))
    assert neither["champion: purity"].passed is False


def test_too_few_stars_for_an_error_do_not_pass(settings):
    few = resampled()
    without = {**few.without, "purity": np.append(few.without["purity"][1:], np.nan)}
    found = by_name(comparison_criteria(Resampled(few.whole, without, 9), resampled(), settings.promotion))
    assert found["champion: purity"].passed is False


@pytest.mark.parametrize(
    ("selected", "passed"), [(0, False), (9, False), (10, True), (300, True), (301, False), (1000, False)]
)
def test_real_stars_are_selected_between_their_limits(selected, passed):
    stars = RealStars(path="x", min_selected_fraction=0.01, max_selected_fraction=0.3)
    found = real_star_criterion("some", stars, {"scored": 1000, "selected": selected})
    assert found.passed is passed
    assert found.figures["value"] == selected / 1000
    assert found.figures["error"] > 0


def test_real_stars_none_of_which_could_be_scored_fail():
    stars = RealStars(path="x", max_selected_fraction=0.3)
    assert real_star_criterion("some", stars, {"scored": 0, "selected": 0}).passed is False


def test_a_verdict_fails_by_one_failure_and_not_by_what_was_not_checked():
    passed, failed, unknown = (Criterion(str(p), p, "why") for p in (True, False, None))
    assert Verdict((passed, unknown)).passed
    assert not Verdict((passed, unknown, failed)).passed
    text = Verdict((passed, unknown, failed)).text().splitlines()
    assert [line.split("  ")[0].strip() for line in text] == ["pass", "not checked", "FAIL"]
    assert Verdict((failed,)).as_dict() == {
        "passed": False,
        "criteria": [{"name": "False", "passed": False, "detail": "why", "figures": {}}],
    }
