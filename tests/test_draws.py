"""Draws that belong to a star."""

import numpy as np
import pytest
from scipy import stats

from exsitu.draws import normals, triangle


def test_draws_are_normal_and_independent():
    found = normals(np.arange(2000), 20, 3, seed=1).astype(np.float64)
    for numbers in (found.ravel(), found[:, 0, 0], found[5].ravel(), found[:, 3, 2]):
        assert stats.kstest(numbers, "norm").pvalue > 1e-4
    correlations = np.corrcoef(found.reshape(2000, -1).T) - np.eye(60)
    assert np.abs(correlations).max() < 6 / np.sqrt(2000)


def test_draws_depend_on_the_star_and_the_seed_alone():
    keys = np.array([7, 1 << 60, -3, 0])
    found = normals(keys, 5, 4, seed=9)
    np.testing.assert_array_equal(normals(keys[::-1], 5, 4, seed=9)[::-1], found)
    np.testing.assert_array_equal(normals(keys, 3, 4, seed=9), found[:, :3])
    assert not np.isin(normals(keys, 5, 4, seed=10), found).any()
    assert len(np.unique(found)) == found.size


@pytest.mark.parametrize("correlation", [(0.0, 0.0, 0.0), (0.5, -0.3, 0.4), (1.0, 1.0, 1.0), (0.999999, -0.9, -0.9)])
def test_the_triangle_gives_the_correlations(correlation):
    ba, bb, ca, cb, cc = (x.item() for x in triangle(*(np.array([c]) for c in correlation)))
    lower = np.array([[1.0, 0.0, 0.0], [ba, bb, 0.0], [ca, cb, cc]])
    ab, ac, bc = correlation
    np.testing.assert_allclose(lower @ lower.T, [[1, ab, ac], [ab, 1, bc], [ac, bc, 1]], atol=1e-3)


def test_impossible_correlations_stay_finite_and_missing_ones_are_none():
    found = np.stack(triangle(np.array([0.9, np.nan]), np.array([0.9, np.nan]), np.array([-0.9, np.nan])))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, 1], [0.0, 1.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(found[2, 0] ** 2 + found[3, 0] ** 2 + found[4, 0] ** 2, 1.0)
