"""Histories hang together, and the paper's labels on them find what the generator knows to be accreted."""

from itertools import pairwise

import numpy as np
import pytest

from exsitu.labels.histories import IN_SITU, MAX_DISTANCE_KPC, host_by_history, members
from exsitu.labels.snapshots import read_history_header, read_history_particles, read_snapshots
from exsitu.mocks.galaxy import make_particles
from exsitu.mocks.histories import make_histories
from exsitu.mocks.particles import FIRST_INFLOW, FIRST_SATELLITE, HEATED

SIZES = {"particle_mass_msun": 5.0e6, "accreted_particle_mass_msun": 1.0e6}
SNAPSHOTS = 121

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def galaxy(m12i):
    """A coarse galaxy."""
    return make_particles(m12i, **SIZES, seed=11)


@pytest.fixture(scope="module")
def path(tmp_path_factory, m12i, galaxy):
    """Its history."""
    found = tmp_path_factory.mktemp("histories") / "histories.hdf5"
    mass = SIZES["accreted_particle_mass_msun"]
    make_histories(found, m12i, galaxy, accreted_particle_mass_msun=mass, snapshots=SNAPSHOTS, seed=11)
    return found


@pytest.fixture(scope="module")
def steady(path):
    """What does not change."""
    return read_history_particles(path)


@pytest.fixture(scope="module")
def snapshots(path):
    """All snapshots."""
    return list(read_snapshots(path))


@pytest.fixture(scope="module")
def origin(galaxy, steady):
    """Origin of each particle of the history."""
    return galaxy.origin[galaxy.find(steady.ids)]


def test_the_file_says_what_it_is_of(path):
    header = read_history_header(path)
    assert (header.galaxy, header.seed) == ("m12i", 11)


def test_the_last_snapshot_is_today(galaxy, steady, snapshots):
    assert snapshots[-1].lookback_gyr == 0.0
    assert len(snapshots) == SNAPSHOTS
    np.testing.assert_allclose(snapshots[-1].position, galaxy.position[galaxy.find(steady.ids)], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(snapshots[-1].velocity, galaxy.velocity[galaxy.find(steady.ids)], rtol=1e-4, atol=1e-2)
    assert snapshots[-1].born.all()


def test_particles_are_born_at_their_age(galaxy, steady, snapshots):
    for snapshot in snapshots[::20]:
        np.testing.assert_array_equal(snapshot.born, galaxy.age[galaxy.find(steady.ids)] >= snapshot.lookback_gyr)
        assert np.isfinite(snapshot.position[snapshot.born]).all()


def test_no_particle_jumps(snapshots, origin):
    # From one snapshot to the next, 110 Myr, nothing goes farther than its speeds allow.
    hot = origin == HEATED
    for before, after in pairwise(snapshots):
        both = before.born & after.born & ~hot
        far = np.linalg.norm(after.position[both] - before.position[both], axis=1)
        myr = 1000.0 * (before.lookback_gyr - after.lookback_gyr)
        assert far.max(initial=0.0) < 900.0 * 1.0227e-3 * myr


def test_a_star_is_a_member_of_its_satellite_before_it_is_stripped(m12i, snapshots, origin):
    first = m12i.satellites[0]
    snapshot = next(s for s in snapshots if s.lookback_gyr < first.infall + 0.5)
    particles, rows = members(snapshot)
    mine = set(particles[snapshot.halos.ids[rows] == 0].tolist())
    there = np.flatnonzero((origin == FIRST_SATELLITE) & snapshot.born)
    assert len(mine & set(there.tolist())) > 0.9 * len(there)


def test_formation_places_are_where_the_particle_first_is(steady, snapshots, origin):
    inflow = (origin >= FIRST_INFLOW) & (origin < FIRST_SATELLITE)
    births = np.linalg.norm(steady.formation_position, axis=1)
    assert np.isfinite(births).all()
    assert np.median(births[inflow]) > 15.0
    assert np.percentile(births[origin <= HEATED], 99.5) < 20.0


def test_weights_add_up_to_the_galaxys_mass(galaxy, steady):
    assert steady.weight.sum() == pytest.approx(galaxy.mass.sum(), rel=1e-9)


def test_three_of_four_finds_the_accreted_and_few_others(galaxy, steady, snapshots):
    label = host_by_history(snapshots) != IN_SITU
    near = np.linalg.norm(steady.today_position, axis=1) < MAX_DISTANCE_KPC
    truth = galaxy.accreted[galaxy.find(steady.ids)]
    np.testing.assert_array_equal(truth, steady.accreted_truth)
    assert label[truth & near].mean() > 0.85
    wrong = steady.weight[label & ~truth & near].sum() / steady.weight[truth & near].sum()
    assert wrong < 0.05


def test_labels_name_the_satellite_a_star_came_with(snapshots, origin):
    host = host_by_history(snapshots)
    labelled = (host != IN_SITU) & (origin >= FIRST_SATELLITE)
    assert np.mean(host[labelled] == origin[labelled] - FIRST_SATELLITE) > 0.9
