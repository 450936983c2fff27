"""The compiled path against astropy's frames to 1e-10, at the poles and the anticentre too, and errors carried over."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import CartesianDifferential, Galactocentric, SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from exsitu import phase_space as ps
from exsitu.coordinates import Astrometry, kinematics, propagate
from exsitu.errors import InputError

# Celestial poles, the Galactic centre, anticentre and poles (and places next to them), and the branch of ra.
SPECIAL = [
    (0.0, 0.0), (359.999999, 0.0), (10.0, 90.0), (10.0, -90.0), (200.0, 89.9999999),
    (266.4051, -28.936175), (86.4051, 28.936175), (86.4051, 28.9362), (266.4, -28.9),
    (192.8594812065348, 27.12825118085622), (12.8594812065348, -27.12825118085622), (192.86, 27.128),
]  # fmt: skip

positions = st.one_of(st.sampled_from(SPECIAL), st.tuples(st.floats(0.0, 359.999999), st.floats(-90.0, 90.0)))
distances = st.one_of(st.floats(0.01, 30.0), st.just(8.2))
motions = st.floats(-100.0, 100.0)
speeds = st.floats(-500.0, 500.0)
rows = st.lists(st.tuples(positions, distances, motions, motions, speeds), min_size=1, max_size=20)
frames = st.sampled_from(sorted(ps.FRAMES))

TOLERANCE = 1e-10
SUN = ps.frame("milky_way")


def arrays(sample):
    """Columns of a sample: ra, dec, distance, pmra, pmdec, radial velocity."""
    return tuple(np.array([(ra, dec, d, a, b, rv) for (ra, dec), d, a, b, rv in sample]).T)


def sky(ra, dec, distance, pmra, pmdec, rv):
    """The same stars in astropy."""
    return SkyCoord(
        ra=ra * u.deg, dec=dec * u.deg, distance=distance * u.kpc, pm_ra_cosdec=pmra * u.mas / u.yr,
        pm_dec=pmdec * u.mas / u.yr, radial_velocity=rv * u.km / u.s, frame="icrs",
    )  # fmt: skip


def galactocentric_frame(solar):
    """Astropy's frame of a Sun."""
    return Galactocentric(
        galcen_coord=SkyCoord(ra=266.4051 * u.deg, dec=-28.936175 * u.deg, frame="icrs"),
        galcen_distance=solar.r_sun_kpc * u.kpc,
        z_sun=solar.z_sun_kpc * u.kpc,
        galcen_v_sun=CartesianDifferential(np.array(solar.v_sun_kms) * u.km / u.s),
        roll=0 * u.deg,
    )


def relative(ours, theirs, scale):
    """Largest difference of two vectors, of the size of the larger things they are made of."""
    return np.max(np.linalg.norm(np.stack(ours) - np.stack(theirs), axis=0) / scale, initial=0.0)


def on_sky(lon, lat, pm_lon, pm_lat):
    """Proper motion as a vector in space: what two frames agree on where the longitude itself is ill-defined."""
    lon, lat = np.radians(lon), np.radians(lat)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)])
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    return pm_lon * east + pm_lat * north


@settings(max_examples=60, deadline=None)
@given(rows, frames)
def test_place_and_velocity_are_astropys(sample, name):
    stars, solar = arrays(sample), ps.frame(name)
    ours, theirs = kinematics(*stars, solar), sky(*stars).transform_to(galactocentric_frame(solar))
    x, y, z = (getattr(theirs, axis).to_value(u.kpc) for axis in "xyz")
    v_x, v_y, v_z = (getattr(theirs, f"v_{axis}").to_value(u.km / u.s) for axis in "xyz")
    assert relative((ours.x, ours.y, ours.z), (x, y, z), stars[2] + solar.r_sun_kpc) < TOLERANCE
    r = np.maximum(np.hypot(x, y), 1e-300)
    heliocentric = np.hypot(np.hypot(stars[3], stars[4]) * stars[2] * ps.KMS_PER_KPC_MASYR, stars[5])
    # Near the axis the direction of R is as uncertain as the place is large against R.
    scale = (heliocentric + np.linalg.norm(solar.v_sun_kms)) * np.maximum(1.0, (stars[2] + solar.r_sun_kpc) / r)
    velocity = ((x * v_x + y * v_y) / r, (y * v_x - x * v_y) / r, v_z)
    off_axis = r > 1e-6
    found = [v[off_axis] for v in (ours.v_r, ours.v_phi, ours.v_z)]
    assert relative(found, [v[off_axis] for v in velocity], scale[off_axis]) < TOLERANCE


@settings(max_examples=60, deadline=None)
@given(rows)
def test_sky_and_proper_motion_are_astropys(sample):
    stars = arrays(sample)
    ours, theirs = kinematics(*stars, SUN), sky(*stars).galactic
    places = ps.unit_vector(ours.l, ours.b), ps.unit_vector(theirs.l.deg, theirs.b.deg)
    assert relative(*places, 1.0) < TOLERANCE
    assert ((ours.l > -180.0) & (ours.l <= 180.0)).all()
    pm_l, pm_b = theirs.pm_l_cosb.to_value(u.mas / u.yr), theirs.pm_b.to_value(u.mas / u.yr)
    motions = on_sky(ours.l, ours.b, ours.pm_l, ours.pm_b), on_sky(theirs.l.deg, theirs.b.deg, pm_l, pm_b)
    total = np.maximum(np.hypot(stars[3], stars[4]), 1e-300)
    # Near a pole the longitude, and the direction of pm_l with it, is as uncertain as the place against cos b.
    # What velocities leave of a proper motion of 0 is astropy's rounding.
    assert relative(*motions, total + 1e-5 * np.hypot(stars[5] / stars[2], 1.0)) < TOLERANCE
    away = np.cos(np.radians(ours.b)) > 1e-4
    for mine, other in ((ours.pm_l, pm_l), (ours.pm_b, pm_b)):
        np.testing.assert_allclose(mine[away], other[away], rtol=TOLERANCE, atol=TOLERANCE * (1 + total.max()))


@settings(max_examples=30, deadline=None)
@given(rows, frames)
def test_the_compiled_path_gives_the_bits_of_the_path_of_the_mocks(sample, name):
    stars, solar = arrays(sample), ps.frame(name)
    ours, theirs = kinematics(*stars, solar), ps.galactocentric(*stars, solar)
    for axis in ("x", "y", "z", "v_z"):
        np.testing.assert_array_equal(getattr(ours, axis), getattr(theirs, axis))
    with np.errstate(invalid="ignore"):  # on the axis itself there is no direction outwards
        np.testing.assert_array_equal(ours.v_r, theirs.v_r)
        np.testing.assert_array_equal(ours.v_phi, theirs.v_phi)
    l, b = ps.icrs_to_galactic(stars[0], stars[1])  # noqa: E741 - the field's name
    np.testing.assert_array_equal((ours.l, ours.b), (l, b))


def test_numbers_are_stars_and_a_missing_velocity_is_missing():
    star = kinematics([10.0, 20.0], [20.0, 30.0], 1.0, 1.0, [1.0, 2.0], [np.nan, 3.0], SUN)
    assert np.isfinite([star.x, star.y, star.z, star.l, star.b, star.pm_l, star.pm_b]).all()
    assert np.isnan([star.v_r[0], star.v_phi[0], star.v_z[0]]).all()
    assert np.isfinite([star.v_r[1], star.v_phi[1], star.v_z[1]]).all()
    assert len(kinematics([], [], [], [], [], [], SUN).x) == 0


@pytest.fixture
def stars():
    """Well and badly measured stars; the third has a parallax that may be drawn negative."""
    return Astrometry(
        ra=[10.0, 150.0, 266.0], dec=[20.0, -60.0, -29.0], parallax=[2.0, 1.0, 0.5],
        parallax_error=[0.1, 0.05, 0.5], pmra=[5.0, -8.0, 3.0], pmra_error=[0.5, 0.1, 1.0],
        pmdec=[-3.0, 2.0, 1.0], pmdec_error=[0.5, 0.2, 1.0], radial_velocity=[30.0, -80.0, 0.0],
        radial_velocity_error=[2.0, 1.0, 5.0], pmra_pmdec_corr=0.6, parallax_pmra_corr=-0.4, parallax_pmdec_corr=0.2,
    )  # fmt: skip


def test_spread_is_that_of_draws_from_the_covariance(stars):
    found = propagate(stars, SUN, draws=40_000, seed=1)
    rng = np.random.default_rng(5)
    for i in range(3):
        size = 200_000
        correlation = np.array([[1.0, -0.4, 0.2], [-0.4, 1.0, 0.6], [0.2, 0.6, 1.0]])
        errors = [stars.parallax_error[i], stars.pmra_error[i], stars.pmdec_error[i]]
        values = [stars.parallax[i], stars.pmra[i], stars.pmdec[i]]
        drawn = rng.multivariate_normal(values, correlation * np.outer(errors, errors), size).T
        rv = rng.normal(stars.radial_velocity[i], stars.radial_velocity_error[i], size)
        keep = drawn[0] > 0.0
        assert found.used[i] == pytest.approx(keep.mean(), abs=0.01)
        moved = kinematics(
            stars.ra[i], stars.dec[i], 1.0 / drawn[0][keep], drawn[1][keep], drawn[2][keep], rv[keep], SUN
        )
        velocities = np.stack([moved.v_r, moved.v_phi, moved.v_z])
        width = np.quantile(velocities, 0.84, axis=1) - np.quantile(velocities, 0.16, axis=1)
        for name, share in (("p16", 0.16), ("p50", 0.5), ("p84", 0.84)):
            error = np.abs(getattr(found, name)[i] - np.quantile(velocities, share, axis=1))
            assert (error < 0.03 * width).all()
        if i < 2:  # 1 / parallax of the third has no variance
            np.testing.assert_allclose(found.std[i], velocities.std(axis=1), rtol=0.03)
            assert (np.abs(found.mean[i] - velocities.mean(axis=1)) < 0.03 * width).all()


def test_draws_of_a_star_are_its_own(stars):
    keys = np.array([5, 1 << 60, 9])
    whole = propagate(stars, SUN, draws=50, seed=3, keys=keys)
    alone = Astrometry(*(np.asarray(getattr(stars, n))[[1]] if np.ndim(getattr(stars, n)) else getattr(stars, n)
                         for n in stars.__slots__))  # fmt: skip
    again = propagate(alone, SUN, draws=50, seed=3, keys=keys[[1]])
    np.testing.assert_array_equal(again.p84[0], whole.p84[1])
    assert (propagate(stars, SUN, draws=50, seed=4, keys=keys).mean != whole.mean).all()


def test_exact_stars_have_no_spread():
    exact = Astrometry(10.0, 20.0, 2.0, 0.0, 5.0, 0.0, -3.0, 0.0, 30.0, 0.0)
    found, plain = propagate(exact, SUN, draws=10, seed=0), kinematics(10.0, 20.0, 0.5, 5.0, -3.0, 30.0, SUN)
    for part in (found.mean, found.p16, found.p50, found.p84):
        np.testing.assert_allclose(part[0], [plain.v_r[0], plain.v_phi[0], plain.v_z[0]], rtol=1e-12)
    np.testing.assert_allclose(found.std, 0.0, atol=1e-9)


@pytest.mark.parametrize("bad", [{"pmra_error": -1.0}, {"pmra": np.nan}, {"radial_velocity_error": np.inf}])
def test_what_is_no_measurement_has_no_spread(bad):
    given = {"ra": 1.0, "dec": 2.0, "parallax": 1.0, "parallax_error": 0.1, "pmra": 1.0, "pmra_error": 0.1}
    given |= {"pmdec": 1.0, "pmdec_error": 0.1, "radial_velocity": 1.0, "radial_velocity_error": 1.0}
    found = propagate(Astrometry(**(given | bad)), SUN, draws=10, seed=0)
    assert np.isnan([found.mean, found.std, found.p16, found.p50, found.p84]).all()
    assert found.used[0] == 0.0


def test_no_draws_are_refused(stars):
    with pytest.raises(InputError, match="0 draws"):
        propagate(stars, SUN, draws=0, seed=0)
