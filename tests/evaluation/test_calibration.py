"""Maps that make a score a probability are held against cases whose answer is known, and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import log_loss as sklearn_log_loss

from exsitu.evaluation.calibration import (
    EDGES,
    calibration_error,
    isotonic,
    log_loss,
    platt,
    reliability,
    weights_undone,
)

N = 200_000


@pytest.fixture(scope="module")
def stars() -> tuple[np.ndarray, np.ndarray]:
    """True probabilities of stars, a few in a hundred accreted, and what became of them."""
    rng = np.random.default_rng(3)
    probability = 1.0 / (1.0 + np.exp(-rng.normal(-4.0, 2.0, N)))
    return probability, rng.random(N) < probability


def skewed(probability: np.ndarray) -> np.ndarray:
    """A score whose odds are the square root of the true ones, fivefold: Platt's curve is the way back."""
    odds = 5.0 * np.sqrt(probability / (1.0 - probability))
    return odds / (1.0 + odds)


def test_true_probabilities_are_calibrated_and_skewed_ones_are_not(stars):
    probability, accreted = stars
    assert calibration_error(probability, accreted) < 0.002
    assert calibration_error(skewed(probability), accreted) > 0.1
    assert log_loss(probability, accreted) < log_loss(skewed(probability), accreted)


@pytest.mark.parametrize("fit", [platt, isotonic])
def test_a_calibration_finds_the_way_back_and_carries_to_other_stars(stars, fit):
    probability, accreted = stars
    half = N // 2
    calibrated = fit(skewed(probability[:half]), accreted[:half])(skewed(probability[half:]))
    assert calibration_error(calibrated, accreted[half:]) < 0.003
    assert log_loss(calibrated, accreted[half:]) == pytest.approx(
        log_loss(probability[half:], accreted[half:]), rel=0.01
    )


def test_platts_curve_is_the_one_it_was_made_with(stars):
    probability, accreted = stars
    np.testing.assert_allclose(platt(skewed(probability), accreted)(skewed(probability)), probability, rtol=0.1)


def test_isotonic_steps_rise_and_end_where_the_fit_ended(stars):
    probability, accreted = stars
    inner = (probability > 0.01) & (probability < 0.9)
    carried = isotonic(probability[inner], accreted[inner])
    found = carried(np.sort(probability))
    assert (np.diff(found) >= 0).all()
    assert carried([0.0])[0] == carried([probability[inner].min()])[0]


def test_class_weights_are_taken_out_of_the_odds():
    """A weight of 20 on accreted stars and 1.01 on the others makes odds of 0.01 / 0.99 those of 0.2 / 1."""
    odds = 20.0 / 1.01 * 0.01 / 0.99
    assert weights_undone(1.01, 20.0)([odds / (1.0 + odds)]) == pytest.approx([0.01])


def test_the_log_loss_is_scikit_learns_and_stays_finite(stars):
    probability, accreted = stars
    assert log_loss(probability, accreted) == pytest.approx(sklearn_log_loss(accreted, probability), rel=1e-6)
    assert log_loss([0.0, 1.0], np.array([True, False])) == pytest.approx(-np.log(1e-6), rel=1e-3)


def test_reliability_takes_other_bins():
    score, accreted = np.array([0.0, 0.04, 0.5, 0.52, 1.0]), np.array([False, True, True, True, False])
    table = reliability(score, accreted, np.linspace(0.0, 1.0, 11))
    held = table[table["stars"] > 0]
    assert held["stars"].tolist() == [2, 2, 1]
    assert held["observed"].tolist() == [0.5, 1.0, 0.0]
    assert held["predicted"].tolist() == pytest.approx([0.02, 0.51, 1.0])


def test_reliability_counts_every_star_in_its_bin():
    table = reliability([0.0, 0.05, 0.07, 0.95, 1.0], np.array([False, True, False, True, True]))
    assert list(table["low"]) == list(EDGES[:-1])
    assert table["stars"].sum() == 5
    row = table[table["low"] == 0.03].iloc[0]
    assert (row["stars"], row["predicted"], row["observed"]) == (2, pytest.approx(0.06), 0.5)
    last = table.iloc[-1]
    assert (last["stars"], last["observed"]) == (2, 1.0)
    assert np.isnan(table["observed"][table["stars"] == 0]).all()
