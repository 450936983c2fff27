"""Stars leave their satellites, and are born in inflows, where and when they should."""

import numpy as np
import pytest

from exsitu.mocks.debris import make_debris, satellites_of, stripping
from exsitu.mocks.orbits import INTERVAL_MYR, infall_track
from exsitu.mocks.particles import FIRST_INFLOW, FIRST_SATELLITE

GYR = INTERVAL_MYR / 1000.0


@pytest.fixture(scope="module")
def debris(m12i):
    """Debris of the first galaxy."""
    return make_debris(m12i, 1.0e5, 11)


def test_masses_are_the_satellites_and_inflows(m12i, debris):
    for i, satellite in enumerate(satellites_of(m12i, 11)):
        assert np.sum(debris.origin == FIRST_SATELLITE + i) == int(satellite.mass / 1.0e5)
    for i, inflow in enumerate(m12i.inflows):
        assert np.sum(debris.origin == FIRST_INFLOW + i) == int(inflow.mass / 1.0e5)


def test_stars_leave_between_infall_and_disruption_and_are_older_than_that(m12i, debris):
    for i, satellite in enumerate(satellites_of(m12i, 11)):
        mine = debris.origin == FIRST_SATELLITE + i
        lookback = debris.lookback[mine] * GYR
        assert lookback.min() >= satellite.disrupted - GYR
        assert lookback.max() <= satellite.infall
        assert np.all(debris.age[mine] >= lookback - 1e-9)


def test_the_stated_share_formed_after_infall(m12i, debris):
    satellite = m12i.satellites[0]
    mine = debris.origin == FIRST_SATELLITE
    assert np.mean(debris.age[mine] < satellite.infall) == pytest.approx(satellite.late, abs=0.02)


def test_most_stars_are_stripped_near_the_centre(m12i, debris):
    track = infall_track(m12i.potential, m12i.satellites[0].orbit, 2.2)
    mine = debris.origin == FIRST_SATELLITE
    lost = np.linalg.norm(debris.state[mine, :3] - debris.offset[mine, :3], axis=1)
    assert np.median(lost) < np.median(np.linalg.norm(track[:, :3], axis=1))


def test_offsets_are_a_plummer_sphere(m12i, debris):
    satellite = m12i.satellites[0]
    mine = debris.origin == FIRST_SATELLITE
    shell = np.linalg.norm(debris.offset[mine, :3], axis=1)
    # The half-mass radius of a Plummer sphere that is cut at 95 % of its mass.
    half = satellite.scale / np.sqrt(0.475 ** (-2.0 / 3.0) - 1.0)
    assert np.median(shell) == pytest.approx(half, rel=0.03)
    assert shell.max() <= 6.0 * satellite.scale + 1e-9


def test_share_lost_grows_to_the_whole(m12i):
    times, places, share = stripping(m12i, m12i.satellites[0])
    assert np.all(np.diff(share) > 0)
    assert np.all(np.diff(times) == -1)
    assert len(times) == len(places) == len(share)


def test_inflow_stars_are_born_on_the_way_in_and_most_far_out(m12i, debris):
    inflow = m12i.inflows[0]
    mine = debris.origin == FIRST_INFLOW
    birth = np.linalg.norm(debris.state[mine, :3], axis=1)
    assert np.mean(birth > 20.0) > 0.4
    np.testing.assert_allclose(debris.age[mine], debris.lookback[mine] * GYR)
    assert debris.age[mine].min() >= inflow.ended
    assert debris.age[mine].max() <= inflow.began + GYR
    path = debris.state[mine] - debris.offset[mine]
    assert np.all(np.sum(path[:, :3] * path[:, 3:], axis=1) < 1e-6)


def test_dwarfs_depend_on_the_seed_alone(m12i):
    assert satellites_of(m12i, 3) == satellites_of(m12i, 3)
    assert satellites_of(m12i, 3) != satellites_of(m12i, 4)
    assert satellites_of(m12i, 3)[: len(m12i.satellites)] == m12i.satellites
