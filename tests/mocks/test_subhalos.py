"""The satellites' dark haloes have the sizes that their masses and the Universe give them."""

import numpy as np
import pytest

from exsitu.mocks.debris import satellites_of
from exsitu.mocks.subhalos import halo_mass, halos_at, mean_matter_density, paths_of


@pytest.fixture(scope="module")
def paths(m12i):
    """Paths of the satellites of the first galaxy."""
    return paths_of(m12i, 11)


@pytest.mark.parametrize("redshift", [0.0, 1.0, 2.0])
def test_the_mean_density_of_matter_is_astropys(redshift):
    from astropy import units as u
    from astropy.cosmology import FlatLambdaCDM

    cosmos = FlatLambdaCDM(H0=70.2, Om0=0.272, Tcmb0=0.0)
    expected = (cosmos.critical_density(redshift) * cosmos.Om(redshift)).to_value(u.Msun / u.kpc**3)
    lookback = cosmos.lookback_time(redshift).to_value(u.Gyr)
    assert mean_matter_density(float(lookback)) == pytest.approx(expected, rel=1e-3)


def _density(m12i, paths, lookback):
    """Mean density within R200m over the virial one, of whole satellites."""
    halos = halos_at(m12i, paths, lookback)
    mass = [halo_mass(paths[i].satellite.mass) * paths[i].bound_share(lookback) for i in halos.ids]
    return np.array(mass) / (4.0 / 3.0 * np.pi * halos.r200m**3) / (200.0 * mean_matter_density(lookback))


def test_r200m_encloses_200_times_the_mean_density_until_tides_cut_it(m12i, paths):
    far_out = _density(m12i, paths, 12.5)
    np.testing.assert_allclose(far_out, 1.0)
    falling_in = _density(m12i, paths, paths[0].satellite.infall - 0.5)
    assert np.all(falling_in > 1.0 - 1e-9)
    assert falling_in[0] > 2.0


def test_only_satellites_that_exist_are_listed(m12i, paths):
    assert len(halos_at(m12i, paths, 0.0).ids) == 0
    assert halos_at(m12i, paths, 12.5).ids.tolist() == list(range(len(paths)))
    ends = paths[0].satellite.disrupted
    assert 0 in halos_at(m12i, paths, ends + 0.05).ids
    assert 0 not in halos_at(m12i, paths, ends - 0.01).ids


def test_a_satellite_shrinks_as_it_sinks(m12i, paths):
    satellite = paths[0].satellite
    first, last = (halos_at(m12i, paths, t) for t in (satellite.infall, satellite.disrupted + 0.1))
    assert last.r200m[0] < 0.5 * first.r200m[0]


def test_the_path_is_continuous_at_infall_and_comes_from_outside(m12i, paths):
    satellite = satellites_of(m12i, 11)[0]
    just = paths[0].centre(np.array([satellite.infall + 1e-6, satellite.infall]))
    np.testing.assert_allclose(just[0, :3], just[1, :3], atol=1e-3)
    radial = np.sum(just[:, :3] * just[:, 3:], axis=1) / satellite.orbit.radius
    assert radial[0] == pytest.approx(radial[1], rel=1e-4)
    earlier = np.linalg.norm(paths[0].centre(np.array([satellite.infall + 1.0]))[0, :3])
    assert earlier > satellite.orbit.radius + 30.0


def test_what_is_bound_falls_from_all_to_nothing(paths):
    satellite = paths[0].satellite
    assert paths[0].bound_share(satellite.infall + 1.0) == 1.0
    shares = [paths[0].bound_share(t) for t in np.arange(satellite.infall, satellite.disrupted, -0.1)]
    assert np.all(np.diff(shares) <= 0.0)
    assert paths[0].bound_share(satellite.disrupted) == pytest.approx(0.0, abs=1e-9)
