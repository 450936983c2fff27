"""Phase space against astropy's frames, at the poles and the anticentre too."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import CartesianDifferential, Galactic, Galactocentric, SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from exsitu import phase_space as ps
from exsitu.errors import InputError

# ICRS positions of what is special: celestial poles, the Galactic centre, anticentre and poles, and the branch of ra.
SPECIAL = [
    (0.0, 0.0), (359.999999, 0.0), (10.0, 90.0), (10.0, -90.0), (200.0, 89.9999999),
    (266.4051, -28.936175), (86.4051, 28.936175), (192.8594812065348, 27.12825118085622),
    (12.8594812065348, -27.12825118085622),
]  # fmt: skip

positions = st.one_of(st.sampled_from(SPECIAL), st.tuples(st.floats(0.0, 359.999999), st.floats(-90.0, 90.0)))
distances = st.floats(0.01, 30.0)
motions = st.floats(-100.0, 100.0)
speeds = st.floats(-500.0, 500.0)
frames = st.sampled_from(sorted(ps.FRAMES))
rows = st.lists(st.tuples(positions, distances, motions, motions, speeds), min_size=1, max_size=20)


def arrays(sample):
    """Columns of a sample: ra, dec, distance, pmra, pmdec, radial velocity."""
    flat = np.array([(ra, dec, d, a, b, rv) for (ra, dec), d, a, b, rv in sample])
    return tuple(flat.T)


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


def on_sphere(lon, lat):
    """Unit vectors, so that a longitude at a pole is nobody's concern."""
    return np.stack(ps.unit_vector(lon, lat))


@settings(max_examples=60, deadline=None)
@given(st.lists(positions, min_size=1, max_size=30))
def test_galactic_coordinates_are_astropys(sample):
    ra, dec = np.array(sample).T
    l, b = ps.icrs_to_galactic(ra, dec)  # noqa: E741 - the field's name
    expected = SkyCoord(ra=ra * u.deg, dec=dec * u.deg).transform_to(Galactic())
    np.testing.assert_allclose(on_sphere(l, b), on_sphere(expected.l.deg, expected.b.deg), atol=1e-13)
    assert ((l > -180.0) & (l <= 180.0)).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(positions, min_size=1, max_size=30))
def test_galactic_coordinates_go_there_and_back(sample):
    ra, dec = np.array(sample).T
    back = ps.galactic_to_icrs(*ps.icrs_to_galactic(ra, dec))
    np.testing.assert_allclose(on_sphere(*back), on_sphere(ra, dec), atol=1e-13)
    assert ((back[0] >= 0.0) & (back[0] <= 360.0)).all()


@settings(max_examples=60, deadline=None)
@given(rows, frames)
def test_galactocentric_is_astropys(sample, name):
    stars = arrays(sample)
    solar = ps.frame(name)
    ours = ps.galactocentric(*stars, solar)
    theirs = sky(*stars).transform_to(galactocentric_frame(solar))
    for axis in "xyz":
        np.testing.assert_allclose(getattr(ours, axis), getattr(theirs, axis).to_value(u.kpc), atol=1e-9)
        expected = getattr(theirs, f"v_{axis}").to_value(u.km / u.s)
        np.testing.assert_allclose(getattr(ours, f"v_{axis}"), expected, rtol=1e-9, atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(rows, frames)
def test_observables_are_the_inverse_of_galactocentric(sample, name):
    stars, solar = arrays(sample), ps.frame(name)
    there = ps.galactocentric(*stars, solar)
    seen = ps.observables(there, solar)
    again = ps.galactocentric(seen.ra, seen.dec, seen.distance_kpc, seen.pmra, seen.pmdec, seen.radial_velocity, solar)
    for part in ("x", "y", "z", "v_x", "v_y", "v_z"):
        np.testing.assert_allclose(getattr(again, part), getattr(there, part), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(seen.distance_kpc, stars[2], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(seen.radial_velocity, stars[5], rtol=1e-9, atol=1e-9)
    total = np.hypot(stars[3], stars[4])
    np.testing.assert_allclose(np.hypot(seen.pmra, seen.pmdec), total, rtol=1e-9, atol=1e-7)
    assert ((seen.ra >= 0.0) & (seen.ra <= 360.0)).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 359.9), st.floats(-89.0, 89.0), motions, motions), min_size=1, max_size=20))
def test_proper_motions_turn_from_galactic_to_icrs_as_astropys(sample):
    ra, dec, pm_l, pm_b = np.array(sample).T
    place = SkyCoord(ra=ra * u.deg, dec=dec * u.deg).galactic
    moving = SkyCoord(l=place.l, b=place.b, pm_l_cosb=pm_l * u.mas / u.yr, pm_b=pm_b * u.mas / u.yr, frame="galactic")
    pmra, pmdec = ps.galactic_motion_to_icrs(ra, dec, pm_l, pm_b)
    np.testing.assert_allclose(pmra, moving.icrs.pm_ra_cosdec.to_value(u.mas / u.yr), atol=1e-7)
    np.testing.assert_allclose(pmdec, moving.icrs.pm_dec.to_value(u.mas / u.yr), atol=1e-7)


def test_the_network_gets_longitudes_on_both_sides_of_zero():
    l, b = ps.icrs_to_galactic([266.4051, 86.4051], [-28.936175, 28.936175])  # noqa: E741 - the field's name
    assert abs(l[0]) < 0.01
    assert abs(abs(l[1]) - 180.0) < 0.01
    assert np.abs(b).max() < 0.01


def test_the_sun_is_where_its_frame_says_and_moves_as_it_says():
    solar = ps.frame("milky_way")
    sun = ps.galactocentric([10.0], [20.0], [0.0], [0.0], [0.0], [0.0], solar)
    np.testing.assert_allclose([sun.x[0], sun.y[0], sun.z[0]], solar.position, atol=1e-12)
    np.testing.assert_allclose([sun.v_x[0], sun.v_y[0], sun.v_z[0]], solar.v_sun_kms, atol=1e-12)
    assert np.linalg.norm(solar.position) == pytest.approx(solar.r_sun_kpc)
    assert sun.v_phi[0] > 200.0


def test_cylindrical_velocities_are_positive_outwards_and_with_the_disc():
    on_axis = ps.PhaseSpace(*(np.array([v]) for v in (-8.0, 0.0, 1.0, -30.0, 220.0, 7.0)))
    assert (on_axis.r[0], on_axis.v_r[0], on_axis.v_phi[0]) == (8.0, 30.0, 220.0)
    turned = ps.PhaseSpace(*(np.array([v]) for v in (0.0, 8.0, 1.0, 220.0, 30.0, 7.0)))
    assert (turned.r[0], turned.v_r[0], turned.v_phi[0]) == (8.0, 30.0, 220.0)


def test_a_star_without_radial_velocity_has_a_place_and_no_velocity():
    star = ps.galactocentric([10.0], [20.0], [1.0], [1.0], [1.0], [np.nan], ps.frame("m12i/lsr0"))
    assert np.isfinite([star.x[0], star.y[0], star.z[0]]).all()
    assert np.isnan([star.v_x[0], star.v_y[0], star.v_z[0]]).all()


def test_km_per_s_of_a_kpc_masyr_is_astropys():
    assert (1.0 * u.kpc * u.mas / u.yr).to_value(u.km / u.s, u.dimensionless_angles()) == pytest.approx(
        ps.KMS_PER_KPC_MASYR, rel=1e-12
    )


def test_rotations_are_proper():
    for matrix in (ps.ICRS_TO_GALACTIC, *(f.matrix for f in ps.FRAMES.values())):
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-14)
        assert np.linalg.det(matrix) == pytest.approx(1.0)


def test_an_unknown_frame_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'm12i/lsr0'"):
        ps.frame("m12i/lsr00")
