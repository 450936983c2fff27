"""Draws that belong to a star."""

import numpy as np
import pytest
from scipy import stats

from exsitu.draws import Draws, normals, triangle


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


KEYS = np.arange(100_000)


def test_draws_by_name_are_uniform_normal_and_poisson():
    draws = Draws((1, 2))
    assert stats.kstest(draws.uniform("a", KEYS), "uniform").pvalue > 1e-4
    assert stats.kstest(draws.normal("b", KEYS, 3).ravel(), "norm").pvalue > 1e-4
    for mean in (0.02, 3.0, 80.0, 1300.0):
        found = draws.poisson("c", KEYS, mean)
        assert found.mean() == pytest.approx(mean, abs=5.0 * (mean / len(KEYS)) ** 0.5)
        assert found.var() == pytest.approx(mean, rel=5.0 * ((2.0 + 1.0 / mean) / len(KEYS)) ** 0.5)
    assert draws.poisson("c", [1, 2], 0.0).tolist() == [0, 0]


def test_numbers_of_one_name_belong_to_the_key_alone():
    draws, some = Draws((1, 2)), KEYS[::7]
    for drawn in (
        lambda keys: draws.uniform("a", keys),
        lambda keys: draws.normal("a", keys, 2),
        lambda keys: draws.poisson("a", keys, 3.0),
    ):
        np.testing.assert_array_equal(drawn(KEYS)[::7], drawn(some))
        assert not np.array_equal(drawn(KEYS), drawn(KEYS + 1))
    names = np.corrcoef([draws.normal(name, KEYS) for name in ("a", "b", "c")]) - np.eye(3)
    assert np.abs(names).max() < 5.0 / len(KEYS) ** 0.5
    assert not np.isin(draws.uniform("a", KEYS), Draws((1, 3)).uniform("a", KEYS)).any()


def test_leaving_one_out_leaves_the_order_of_the_others():
    draws, order = Draws((5,)), Draws((5,)).shuffled("order", KEYS[:1000])
    without = np.delete(KEYS[:1000], 123)
    assert KEYS[order][KEYS[order] != 123].tolist() == without[draws.shuffled("order", without)].tolist()
    assert np.mean(np.diff(order) > 0) == pytest.approx(0.5, abs=0.1)


def test_a_slightly_different_mean_changes_few_poisson_numbers_by_one():
    first, second = (Draws((1,)).poisson("a", KEYS, mean) for mean in (5.0, 5.005))
    assert set(np.unique(second - first)) <= {0, 1}
    assert np.mean(second != first) == pytest.approx(0.005, rel=0.3)
