import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.evaluation.metrics import auc
from exsitu.evaluation.planing import planing_bins, planing_weights, weighted_auc


@pytest.fixture
def classes() -> tuple[np.ndarray, np.ndarray]:
    """One variable that tells the classes apart."""
    rng = np.random.default_rng(1)
    accreted = rng.random(60_000) < 0.2
    return rng.normal(np.where(accreted, 1.0, 0.0), 1.0), accreted


def test_planing_takes_away_what_a_variable_tells(classes):
    values, accreted = classes
    weights = planing_weights(values, accreted)
    assert auc(values, accreted) > 0.7
    assert abs(weighted_auc(values, accreted, weights) - 0.5) < 0.02


def test_planed_classes_are_flat_and_weigh_one_a_star(classes):
    values, accreted = classes
    weights = planing_weights(values, accreted, bins=10)
    low, high = np.quantile(values, [0.005, 0.995])
    for members in (accreted, ~accreted):
        inside = members & (values > low) & (values < high)
        heights, _ = np.histogram(values[inside], np.linspace(low, high, 11), weights=weights[inside])
        assert np.ptp(heights[1:-1]) < 1e-6 * heights.mean()
        assert weights[members].mean() == pytest.approx(1.0)


def test_equal_weights_give_the_auc_itself(classes):
    values, accreted = classes
    score = np.round(values, 1)
    assert weighted_auc(score, accreted, np.full(len(score), 3.0)) == pytest.approx(auc(score, accreted), abs=1e-12)


def test_values_that_are_not_finite_are_refused(classes):
    values, accreted = classes
    with pytest.raises(InputError, match="1 of 60000 values to plane are not finite"):
        planing_weights(np.where(np.arange(len(values)) == 0, np.nan, values), accreted)


def test_stars_beyond_the_bins_belong_to_the_outermost():
    values = np.append(np.linspace(0.0, 1.0, 10_001), [-50.0, 50.0])
    edges, number = planing_bins(values, bins=4)
    assert len(edges) == 5
    assert edges[0] > -0.1
    assert list(number[-2:]) == [0, 3]
    assert np.ptp(np.bincount(number)) < 0.05 * len(values)
