"""The Sun's motion shows in right columns, and shows which reading of wrong ones is right."""

import numpy as np
import pytest

from exsitu.evaluation.reflex import AGAINST_ROTATION, FEWEST_STARS, NO_COSINE, READINGS, reflex
from exsitu.phase_space import (
    ICRS_TO_GALACTIC,
    KMS_PER_KPC_MASYR,
    galactic_motion_to_icrs,
    galactic_to_icrs,
    icrs_to_galactic,
)

SWAPPED, SIGN, GALACTIC, LATITUDE, LONGITUDE, POSITIONS = READINGS


def seen(stars=4000, seed=1, lag=12.0, dispersion=(35.0, 25.0, 20.0), widest=180.0):
    """Stars within 500 pc that lag behind the Sun by so much, as it sees them: ra, dec, pmra, pmdec, parallax."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0.0, 360.0, 8 * stars), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, 8 * stars)))
    l, b = icrs_to_galactic(ra, dec)  # noqa: E741 - the field's name
    inside = np.flatnonzero((np.abs(l) < widest) & (np.abs(b) < widest))[:stars]
    ra, dec = ra[inside], dec[inside]
    velocity = rng.normal([-11.0, -lag, -7.0], dispersion, (len(ra), 3)) @ ICRS_TO_GALACTIC
    parallax = rng.uniform(2.0, 10.0, len(ra))
    a, d = np.radians(ra), np.radians(dec)
    east = np.stack([-np.sin(a), np.cos(a), 0.0 * a], axis=1)
    north = np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=1)
    pmra, pmdec = (parallax / KMS_PER_KPC_MASYR * (velocity * axis).sum(axis=1) for axis in (east, north))
    return ra, dec, pmra, pmdec, parallax


def turned(ra, dec, pmra, pmdec, *, longitude=1.0, latitude=1.0):
    l, b = icrs_to_galactic(ra, dec)  # noqa: E741 - the field's name
    return *galactic_to_icrs(longitude * l, latitude * b), pmra, pmdec


def along_galactic_axes(ra, dec, pmra, pmdec):
    """Components along l and b: what `galactic_motion_to_icrs` makes pmra and pmdec of."""
    east, north = galactic_motion_to_icrs(ra, dec, np.ones_like(ra), np.zeros_like(ra))
    return ra, dec, pmra * east + pmdec * north, -pmra * north + pmdec * east


SLIPS = {
    SWAPPED: lambda ra, dec, pmra, pmdec: (ra, dec, pmdec, pmra),
    SIGN: lambda ra, dec, pmra, pmdec: (ra, dec, pmra, -pmdec),
    GALACTIC: along_galactic_axes,
    LATITUDE: lambda *sky: turned(*sky, latitude=-1.0),
    LONGITUDE: lambda *sky: turned(*sky, longitude=-1.0),
    NO_COSINE: lambda ra, dec, pmra, pmdec: (ra, dec, pmra / np.cos(np.radians(dec)), pmdec),
    AGAINST_ROTATION: lambda ra, dec, pmra, pmdec: (ra, dec, -pmra, -pmdec),
}


@pytest.mark.parametrize(("lag", "spread"), [(12.0, 1.0), (40.0, 2.0), (220.0, 4.0)])
def test_the_motion_of_the_sun_is_found_and_no_fault_with_right_columns(lag, spread):
    found = reflex(*seen(lag=lag, dispersion=(35.0 * spread, 25.0 * spread, 20.0 * spread)))
    assert found.better == ()
    truth, motion = np.array([11.0, lag, 7.0]), np.array(found.solar_motion_kms)
    # The size comes out too small, because fast stars count less. Of 4000 stars the mean of a component is known to
    # spread * 35 km/s / sqrt(4000 * 2 / 3), the direction to that over the size: four times it at most.
    across = np.linalg.norm(np.cross(truth, motion)) / np.linalg.norm(truth) / np.linalg.norm(motion)
    assert truth @ motion > 0.0
    assert across < 4.0 * spread * 35.0 / 51.6 / (0.6 * np.linalg.norm(truth))


@pytest.mark.parametrize("slip", SLIPS)
def test_each_slip_is_named(slip):
    *sky, parallax = seen(20000)
    assert reflex(*SLIPS[slip](*sky), parallax).better[:1] == (slip,)


def test_swapped_positions_are_named_where_nothing_else_shows_it():
    ra, dec, *rest = seen(20000, lag=200.0, dispersion=(120.0, 90.0, 90.0))
    near = ra < 90.0
    found = reflex(dec[near] % 360.0, ra[near], *(values[near] for values in rest))
    assert POSITIONS in found.better


def test_a_corner_of_the_sky_or_a_few_stars_tell_nothing():
    few = reflex(*(values[: FEWEST_STARS - 1] for values in seen()))
    assert not few.told
    assert few.better == ()
    corner = reflex(*seen(stars=300, widest=6.0))
    assert not corner.told
    assert corner.better == ()
    assert np.isnan(corner.solar_motion_kms).all()


def test_stars_of_one_cluster_do_not_count_as_many_witnesses():
    ra, dec, pmra, pmdec, parallax = seen(400, seed=5)
    # A thousand stars beside each of a few, moving as it does across the Sun's stream.
    beside = np.repeat(np.arange(10), 1000)
    scattered = np.random.default_rng(1).normal(0.0, 0.2, (2, beside.size))
    positions = (np.concatenate([ra, ra[beside] + scattered[0]]), np.concatenate([dec, dec[beside] + scattered[1]]))
    across = (np.concatenate([pmra, -pmdec[beside]]), np.concatenate([pmdec, pmra[beside]]))
    assert reflex(*positions, *across, np.concatenate([parallax, parallax[beside]])).better == ()


@pytest.mark.parametrize("seed", range(20))
def test_samples_of_a_hundred_right_stars_raise_no_alarm(seed):
    assert reflex(*seen(100, seed=seed)).better == ()
