"""Drift is nothing where nothing moved, grows with a shift, and has the value of its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from exsitu.errors import InputError
from exsitu.evaluation.drift import drifts, ks_distance, population_stability


def normal(n, seed, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 1.0, n)


def test_the_same_stars_have_not_drifted():
    values = normal(1000, 1)
    assert population_stability(values, values) == 0.0
    assert ks_distance(values, values) == 0.0


def test_a_greater_shift_is_a_greater_drift():
    values = normal(20000, 1)
    shifts = [population_stability(values, normal(20000, 2, mean)) for mean in (0.0, 0.1, 0.3, 1.0)]
    assert shifts == sorted(shifts)
    assert shifts[0] < 0.005
    assert shifts[-1] > 0.25


def test_stability_of_a_shifted_normal_is_jeffreys_divergence():
    # For two normals of unit width, (p - q) ln(p / q) integrates to the square of the shift; bins see nearly all of it.
    found = population_stability(normal(400_000, 3), normal(400_000, 4, 0.3), bins=50)
    assert found == pytest.approx(0.09, rel=0.05)


@given(st.integers(0, 50), st.integers(3, 60), st.integers(3, 60))
def test_the_greatest_gap_is_scipys(seed, old, new):
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 9, old).astype(float), rng.integers(2, 11, new).astype(float)
    assert ks_distance(one, other) == pytest.approx(stats.ks_2samp(one, other, method="asymp").statistic, abs=1e-12)


def test_stars_in_bins_that_were_empty_give_a_large_number_and_no_infinite_one():
    found = population_stability(normal(1000, 5), np.full(1000, 50.0))
    assert np.isfinite(found)
    assert found > 5.0


def test_an_input_with_few_values_has_few_bins():
    assert population_stability(np.array([0.0, 1.0] * 500), np.array([0.0, 1.0] * 50)) == pytest.approx(0.0, abs=1e-12)
    assert population_stability(np.zeros(100), np.zeros(100)) == pytest.approx(0.0, abs=1e-9)


def test_every_input_is_measured_with_the_part_outside_the_reference():
    reference = {"pmra": normal(5000, 6), "b": np.linspace(-90.0, 90.0, 5000)}
    found = drifts(reference, {"b": np.append(np.linspace(-90.0, 90.0, 999), 91.0), "pmra": normal(3000, 7, 2.0)})
    assert [drift.name for drift in found] == ["pmra", "b"]
    assert found[1].outside == pytest.approx(1e-3)
    assert found[0].psi > 1.0 > found[1].psi


@pytest.mark.parametrize("bad", [[], [np.nan, 1.0], [np.inf]])
def test_no_star_or_a_value_that_is_not_finite_is_refused(bad):
    with pytest.raises(InputError, match="new pmra"):
        drifts({"pmra": [1.0, 2.0]}, {"pmra": bad})
