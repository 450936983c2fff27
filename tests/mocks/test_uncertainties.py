"""Errors are what they say they are."""

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.mocks import uncertainties as un

N = 200_000


@pytest.mark.parametrize("name", sorted(un.PROFILES))
def test_the_faintest_g_is_the_inverse_of_the_parallax_error(name):
    profile, g = un.PROFILES[name], np.linspace(13.2, 20.9, 50)
    np.testing.assert_allclose(un.faintest_g(un.parallax_error(g, profile), profile, 21.0), g, atol=1e-9)


def test_no_star_is_measured_better_than_the_brightest():
    profile = un.PROFILES["dr2"]
    best = un.parallax_error(np.array([10.0]), profile)
    assert un.faintest_g(0.99 * best, profile, 21.0)[0] < 0.0
    assert un.faintest_g(np.array([50.0]), profile, 21.0)[0] == 21.0


def test_noise_is_unit_normal_and_correlated_as_stated():
    rng = np.random.default_rng(3)
    loading = np.repeat(np.array([[0.5], [-0.4], [0.6], [-0.7], [0.3]]), N, axis=1)
    luck = rng.standard_normal(N)
    noise = un.correlated_noise(loading, luck, rng)
    stated = un.correlations(loading)
    measured = np.corrcoef(noise)
    np.testing.assert_array_equal(noise[2], luck)
    np.testing.assert_allclose(noise.std(axis=1), 1.0, atol=0.01)
    for name, (i, j) in zip(un.CORRELATIONS, zip(*np.triu_indices(5, 1), strict=True), strict=True):
        assert measured[i, j] == pytest.approx(stated[name][0], abs=0.01), name


def test_correlations_vary_over_the_sky_and_their_matrices_are_positive_definite():
    rng = np.random.default_rng(4)
    loading = un.loadings(rng.uniform(0, 360, 500), rng.uniform(-90, 90, 500), rng)
    stated = un.correlations(loading)
    matrices = np.tile(np.eye(5), (500, 1, 1))
    for name, (i, j) in zip(un.CORRELATIONS, zip(*np.triu_indices(5, 1), strict=True), strict=True):
        matrices[:, i, j] = matrices[:, j, i] = stated[name]
    assert np.linalg.eigvalsh(matrices).min() > 0.0
    assert np.std(stated["pmra_pmdec_corr"]) > 0.05


def test_only_bright_stars_of_medium_temperature_have_radial_velocities():
    rvs, teff = np.array([10.0, 14.0, 10.0, 10.0]), np.array([5000.0, 5000.0, 3000.0, 8000.0])
    error = un.radial_velocity_error(rvs, teff, un.PROFILES["ananke"])
    assert np.isfinite(error).tolist() == [True, False, False, False]


def test_dr2_is_less_precise_than_the_ananke_mocks():
    g = np.array([12.0, 17.0, 20.0])
    assert np.all(un.parallax_error(g, un.PROFILES["dr2"]) > un.parallax_error(g, un.PROFILES["ananke"]))


def test_an_unknown_profile_is_refused():
    with pytest.raises(InputError, match="no error profile 'dr9'"):
        un.error_profile("dr9")
