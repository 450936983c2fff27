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
    noise = un.correlated_noise(loading, luck, (rng.standard_normal(N), rng.standard_normal((5, N))))
    stated = un.correlations(loading)
    measured = np.corrcoef(noise)
    np.testing.assert_array_equal(noise[2], luck)
    np.testing.assert_allclose(noise.std(axis=1), 1.0, atol=0.01)
    for name, (i, j) in zip(un.CORRELATIONS, zip(*np.triu_indices(5, 1), strict=True), strict=True):
        assert measured[i, j] == pytest.approx(stated[name][0], abs=0.01), name


def test_correlations_vary_over_the_sky_and_their_matrices_are_positive_definite():
    rng = np.random.default_rng(4)
    loading = un.loadings(rng.uniform(0, 360, 500), rng.uniform(-90, 90, 500), rng.standard_normal((5, 500)))
    stated = un.correlations(loading)
    matrices = np.tile(np.eye(5), (500, 1, 1))
    for name, (i, j) in zip(un.CORRELATIONS, zip(*np.triu_indices(5, 1), strict=True), strict=True):
        matrices[:, i, j] = matrices[:, j, i] = stated[name]
    assert np.linalg.eigvalsh(matrices).min() > 0.0
    assert np.std(stated["pmra_pmdec_corr"]) > 0.05


def test_only_bright_stars_of_medium_temperature_have_radial_velocities():
    rvs, teff = np.array([10.0, 14.0, 10.0, 10.0]), np.array([5000.0, 5000.0, 3000.0, 8000.0])
    error = un.radial_velocity_error(rvs, teff, np.full(4, 4.5), un.PROFILES["ananke"])
    assert np.isfinite(error).tolist() == [True, False, False, False]


def test_bright_stars_of_the_ananke_mocks_have_the_velocity_errors_of_dr2():
    rvs, teff, logg = np.linspace(5.0, 11.9, 50), np.full(50, 5000.0), np.full(50, 2.0)
    errors = [un.radial_velocity_error(rvs, teff, logg, un.PROFILES[name]) for name in ("ananke", "dr2")]
    np.testing.assert_allclose(errors[0], 0.3 + 0.9 * np.exp(0.9 * (rvs - 12.5)), rtol=1e-12)
    np.testing.assert_array_equal(*errors)


def test_astrometry_of_dr3_is_as_pygaia_predicts():
    from pygaia.errors import astrometric

    g, profile = np.linspace(3.0, 21.0, 400), un.PROFILES["dr3"]
    predicted = {"parallax": astrometric.parallax_uncertainty(g, release="dr3")}
    predicted |= dict(zip(("ra", "dec"), astrometric.position_uncertainty(g, release="dr3"), strict=True))
    predicted |= dict(zip(("pmra", "pmdec"), astrometric.proper_motion_uncertainty(g, release="dr3"), strict=True))
    ours = un.astrometric_errors(un.parallax_error(g, profile), profile)
    for name in un.ASTROMETRY:
        np.testing.assert_allclose(1e3 * ours[name], predicted[name], rtol=1e-12, err_msg=name)


def test_velocities_of_dr3_are_as_pygaia_predicts_where_the_release_has_them():
    from pygaia.errors.spectroscopic import radial_velocity_uncertainty

    rng = np.random.default_rng(6)
    rvs, teff, logg = rng.uniform(3.0, 21.0, N), rng.uniform(2500.0, 15000.0, N), rng.uniform(-1.0, 5.5, N)
    predicted = radial_velocity_uncertainty(rvs, teff, logg, release="dr3")
    ours = un.radial_velocity_error(rvs, teff, logg, un.PROFILES["dr3"])
    # Katz et al. 2023: none colder than 3100 K, none hotter than 6750 K beyond G_RVS = 12.
    published = (teff > 3100.0) & ((teff < 6750.0) | (rvs < 12.0))
    np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(predicted) & published)
    has = np.isfinite(ours)
    assert has.sum() > 0.1 * N
    np.testing.assert_allclose(ours[has], predicted[has], rtol=1e-12)


@pytest.mark.parametrize("name", sorted(un.PROFILES))
def test_no_star_is_of_two_kinds(name):
    rng = np.random.default_rng(7)
    teff, logg = rng.uniform(2500.0, 15000.0, N), rng.uniform(-1.0, 5.5, N)
    kinds = [
        (teff >= k.teff[0]) & (teff < k.teff[1]) & (logg >= k.logg[0]) & (logg < k.logg[1])
        for k in un.PROFILES[name].velocities
    ]
    assert np.sum(kinds, axis=0).max() == 1


def test_dr2_is_less_precise_than_the_ananke_mocks():
    g = np.array([12.0, 17.0, 20.0])
    assert np.all(un.parallax_error(g, un.PROFILES["dr2"]) > un.parallax_error(g, un.PROFILES["ananke"]))


def test_an_unknown_profile_is_refused():
    with pytest.raises(InputError, match="no error profile 'dr9'"):
        un.error_profile("dr9")
