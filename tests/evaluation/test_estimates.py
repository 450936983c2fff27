"""Errors are those that repetition shows."""

import numpy as np
import pytest

from exsitu.evaluation.estimates import Estimate, average, estimates, judging
from exsitu.evaluation.metrics import auc, purity_at, sum_chi2
from exsitu.settings import load_settings


def estimate(rng: np.random.Generator, n_stars: int = 2000) -> Estimate:
    values = rng.normal(5.0, 1.0, n_stars)
    blocks = np.arange(n_stars) % 20
    return estimates([lambda chosen: {"mean": float(values[chosen].mean())}], blocks)["mean"]


def test_the_jackknife_error_of_a_mean_is_the_spread_of_means():
    rng = np.random.default_rng(1)
    found = [estimate(rng) for _ in range(200)]
    spread = np.std([e.value for e in found])
    assert np.sqrt(np.mean([e.sampling_error**2 for e in found])) == pytest.approx(spread, rel=0.15)


def test_a_difference_on_the_same_stars_is_surer_than_its_parts():
    rng = np.random.default_rng(2)
    values, blocks = rng.normal(0.0, 1.0, 5000), np.arange(5000) % 10
    a, b = (estimates([lambda c, s=shift: {"x": float(values[c].mean()) + s}], blocks)["x"] for shift in (0.0, 0.01))
    assert (b - a).value == pytest.approx(0.01)
    assert (b - a).error < 1e-6 < a.error


def test_the_error_over_seeds_is_that_of_their_mean():
    found = Estimate(np.array([1.0, 2.0, 3.0]), np.empty((3, 0)))
    assert (found.value, found.spread) == (2.0, 1.0)
    assert found.error == pytest.approx(1.0 / np.sqrt(3.0))


def test_one_seed_has_no_spread_and_keeps_the_error_of_the_stars():
    found = estimate(np.random.default_rng(3))
    assert np.isnan(found.spread)
    assert found.error == found.sampling_error > 0


def test_a_ratio_on_the_same_stars_is_surer_than_its_parts():
    shared = np.array([[0.9, 1.0, 1.1]])
    a, b = Estimate(np.array([0.5]), 0.5 * shared), Estimate(np.array([0.25]), 0.25 * shared)
    assert (a / b).value == pytest.approx(2.0)
    assert a.error > 0.01
    assert (a / b).error < 1e-12


def test_an_average_of_equal_numbers_is_that_number():
    found = estimate(np.random.default_rng(4))
    mean = average([found, found])
    assert (mean.value, mean.error) == (pytest.approx(found.value), pytest.approx(found.error))


def test_a_network_is_judged_by_the_numbers_of_its_metrics(repository):
    rng = np.random.default_rng(5)
    accreted = rng.random(4000) < 0.3
    score = rng.normal(np.where(accreted, 0.6, 0.3), 0.1).clip(0.0, 1.0)
    velocities = rng.normal(np.where(accreted, 0.0, 150.0)[:, None], 60.0, (4000, 3))
    evaluation = load_settings(repository / "params.yaml", "quick").evaluation
    found = judging(score, accreted, velocities, evaluation, 0.5)(np.ones(4000, bool))
    assert found["auc"] == auc(score, accreted)
    assert found["purity_at_47pct"] == purity_at(score, accreted, 0.47)
    chosen = velocities[score > 0.5]
    assert found["sum_chi2"] == pytest.approx(sum_chi2(velocities[accreted], chosen, evaluation.velocity_bins))
    assert found["selected_share"] == pytest.approx(len(chosen) / 4000)


def test_leaving_out_a_block_does_not_move_the_cut(repository):
    rng = np.random.default_rng(6)
    accreted = rng.random(3000) < 0.3
    score = rng.normal(np.where(accreted, 0.6, 0.3), 0.1).clip(0.0, 1.0)
    velocities = rng.normal(np.where(accreted, 0.0, 150.0)[:, None], 60.0, (3000, 3))
    evaluation = load_settings(repository / "params.yaml", "quick").evaluation
    found = estimates([judging(score, accreted, velocities, evaluation)], np.arange(3000) % 5)
    assert found["cut"].error == 0.0
    assert found["sum_chi2"].error > 0.0
