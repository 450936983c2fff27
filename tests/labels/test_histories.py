"""Labels of particles are the paper's, by hand and against a naive loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exsitu.errors import InputError
from exsitu.labels.histories import (
    IN_SITU,
    Halos,
    Snapshot,
    accreted_by_distance,
    accreted_from_particles,
    formation_distance,
    host_by_history,
    label_overlap,
    members,
)

FAR = (500.0, 0.0, 0.0)


def halos(ids=(), position=None, velocity=None, r200m=10.0, sigma_v=20.0):
    """Subhalos at rest in the centre where nothing else is said."""
    n_halos = len(ids)
    return Halos(
        ids=np.array(ids, np.int64),
        position=np.zeros((n_halos, 3)) if position is None else np.array(position, float).reshape(-1, 3),
        velocity=np.zeros((n_halos, 3)) if velocity is None else np.array(velocity, float).reshape(-1, 3),
        r200m=np.broadcast_to(np.array(r200m, float), n_halos),
        sigma_v=np.broadcast_to(np.array(sigma_v, float), n_halos),
    )


def snapshot(subhalos, position, velocity=None, born=None, lookback=0.0):
    position = np.array(position, float)
    return Snapshot(
        lookback_gyr=lookback,
        position=position,
        velocity=np.zeros_like(position) if velocity is None else np.array(velocity, float),
        born=np.ones(len(position), bool) if born is None else np.array(born, bool),
        halos=subhalos,
    )


def visits(*where):
    """History of one particle that is in the subhalos named at each snapshot; each is there all the time."""
    ids = sorted({i for at in where for i in at})
    for time, at in enumerate(where):
        position = [(0.0, 0.0, 0.0) if i in at else FAR for i in ids]
        yield snapshot(halos(ids, position), [(1.0, 0.0, 0.0)], lookback=13.0 - time)


def pairs(found):
    return set(zip(*(values.tolist() for values in found), strict=True))


A, B, NONE = (7,), (9,), ()


@pytest.mark.parametrize(
    ("where", "host"),
    [
        ((A, A, A, NONE), 7),
        ((NONE, A, A, A), 7),
        ((A, A, NONE, A), 7),
        ((A, NONE, A, A, NONE, NONE), 7),
        ((A, A, A), 7),
        ((A, A, NONE, NONE), IN_SITU),
        ((A, A, NONE, NONE, A), IN_SITU),
        ((A, NONE, A, NONE, A), IN_SITU),
        ((A, A, B, B), IN_SITU),
        ((A, B, A, B, A), IN_SITU),
        ((NONE, NONE, NONE, NONE), IN_SITU),
        ((B, B, B, A, A, A), 9),
        ((A, A, A, B, B, B, B, B), 7),
        ((A, A, B, A), 7),
        (((9, 7), (7, 9), (9, 7)), 7),
        ((B, (7, 9), (7, 9), (7, 9)), 9),
    ],
)
def test_three_of_four_consecutive_snapshots_in_one_subhalo_make_it_the_host(where, host):
    found = host_by_history(visits(*where))
    assert found.tolist() == [host]
    assert found.dtype == np.int64


def test_window_and_number_of_snapshots_are_the_callers():
    assert host_by_history(visits(A, NONE, NONE, NONE, A), window=5, needed=2).tolist() == [7]
    assert host_by_history(visits(A, NONE, NONE, NONE, A), window=4, needed=2).tolist() == [IN_SITU]
    assert host_by_history(visits(A), window=1, needed=1).tolist() == [7]
    with pytest.raises(InputError, match="5 of 4 snapshots"):
        host_by_history(visits(A, A, A, A), needed=5)
    with pytest.raises(InputError, match="0 of 4 snapshots"):
        host_by_history(visits(A, A, A, A), needed=0)


def test_width_in_velocity_is_the_callers():
    history = [snapshot(halos([1]), [(0, 0, 0)], [(45, 0, 0)], lookback=3 - t) for t in range(3)]
    assert host_by_history(history).tolist() == [1]
    assert host_by_history(history, n_sigma=2.0).tolist() == [IN_SITU]


@pytest.mark.parametrize("n_sigma", [0.0, -1.0, np.nan])
def test_a_width_in_velocity_that_is_none_is_refused(n_sigma):
    with pytest.raises(InputError, match="it must be above 0"):
        members(snapshot(halos([1]), [(0, 0, 0)]), n_sigma)


def test_particles_have_their_own_hosts_and_large_ids_stay_exact():
    first, second = 2**62 + 1, 2**62 + 2
    here, there = (0.0, 0.0, 0.0), (100.0, 0.0, 0.0)
    history = [
        snapshot(halos([second, first], [there, here]), [here, there, FAR, here], lookback=3 - t) for t in range(3)
    ]
    assert host_by_history(history).tolist() == [first, second, IN_SITU, first]


def test_of_several_hosts_at_once_each_particle_gets_the_lowest():
    nested = halos([9, 7, 8], r200m=[10.0, 5.0, 10.0])
    history = [snapshot(nested, [(7, 0, 0), (0, 0, 0), (0, 7, 0)], lookback=3 - t) for t in range(3)]
    assert host_by_history(history).tolist() == [8, 7, 8]


def test_a_subhalo_is_the_same_whatever_row_it_has():
    here, there = (0.0, 0.0, 0.0), (100.0, 0.0, 0.0)
    rows = [([7, 9], [here, there]), ([9, 7], [there, here]), ([7], [here])]
    history = [snapshot(halos(*row), [here], lookback=3 - t) for t, row in enumerate(rows)]
    assert host_by_history(history).tolist() == [7]


def test_a_snapshot_without_subhalos_has_no_members():
    assert members(snapshot(halos(), [(0, 0, 0)]))[0].shape == (0,)
    history = [snapshot(halos(), [(0, 0, 0)], lookback=3 - t) for t in range(3)]
    assert host_by_history(history).tolist() == [IN_SITU]


def test_a_galaxy_whose_particles_are_not_born_yet_has_no_members():
    empty = snapshot(halos([1]), np.full((2, 3), np.nan), np.full((2, 3), np.nan), born=[False, False])
    assert members(empty)[0].shape == (0,)


def test_the_limit_in_distance_is_outside():
    inside = np.nextafter(10.0, 0.0)
    position = [(10.0, 0, 0), (inside, 0, 0), (-10.0, 0, 0), (-inside, 0, 0), (6.0, 8.0, 0), (0, 6.0, 7.99)]
    assert pairs(members(snapshot(halos([1]), position))) == {(1, 0), (3, 0), (5, 0)}


def test_the_limit_in_velocity_is_outside_and_velocity_is_that_relative_to_the_subhalo():
    velocity = [(150.0, 0, 0), (149.9, 0, 0), (50.0, 0, 0), (50.1, 0, 0), (100.0, 30.0, 40.0), (100.0, 30.0, 39.9)]
    moving = halos([1], velocity=[(100.0, 0, 0)])
    assert pairs(members(snapshot(moving, np.zeros((6, 3)), velocity))) == {(1, 0), (3, 0), (5, 0)}


def test_a_particle_of_nested_subhalos_is_a_member_of_each():
    nested = halos([3, 1, 2], r200m=[1.0, 10.0, 100.0])
    assert pairs(members(snapshot(nested, [(0, 0, 0), (0, 5, 0), (0, 0, 50)]))) == {
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 1),
        (1, 2),
        (2, 2),
    }


def test_particles_not_yet_born_are_never_members():
    born = [True, False, False]
    position = [(0, 0, 0), (0, 0, 0), (np.nan, np.inf, 0)]
    assert pairs(members(snapshot(halos([1]), position, np.array(position), born=born))) == {(0, 0)}


def test_a_particle_counts_from_its_birth_on():
    born = [[False, False], [True, False], [True, True], [True, True]]
    history = [snapshot(halos([1]), np.zeros((2, 3)), born=b, lookback=3 - t) for t, b in enumerate(born)]
    assert host_by_history(history).tolist() == [1, IN_SITU]


def test_single_precision_gives_the_same_members():
    rng = np.random.default_rng(3)
    single = rng.normal(0.0, 8.0, (200, 3)).astype("f4")
    speed = rng.normal(0.0, 30.0, (200, 3)).astype("f4")
    one = Snapshot(0.0, single, speed, np.ones(200, bool), halos([1]))
    assert pairs(members(one)) == pairs(members(snapshot(halos([1]), single, speed)))


# Small whole numbers: many particles lie exactly at a limit.
COORDINATES = st.tuples(*[st.integers(-4, 4)] * 3)
PARTICLE = st.tuples(COORDINATES, COORDINATES, st.booleans())
SUBHALO = st.tuples(COORDINATES, COORDINATES, st.integers(0, 5), st.integers(0, 2))


def built(particles, subhalos, lookback=0.0):
    """A snapshot; the number of a subhalo is 10 times its place in the list, None is one that does not exist."""
    rows = [(10 * i, *halo) for i, halo in enumerate(subhalos) if halo is not None]
    there = halos(
        [row[0] for row in rows],
        *([row[k] for row in rows] for k in (1, 2, 3, 4)),
    )
    position, velocity = (np.array([p[i] for p in particles], float).reshape(-1, 3) for i in (0, 1))
    return snapshot(there, position, velocity, [p[2] for p in particles], lookback)


def naive_members(one, n_sigma):
    found = set()
    for i in np.flatnonzero(one.born):
        for h, radius in enumerate(one.halos.r200m):
            apart = ((one.position[i] - one.halos.position[h]) ** 2).sum()
            speed = ((one.velocity[i] - one.halos.velocity[h]) ** 2).sum()
            if apart < radius**2 and speed < (n_sigma * one.halos.sigma_v[h]) ** 2:
                found.add((int(i), h))
    return found


@settings(deadline=None)
@given(st.lists(PARTICLE, max_size=12), st.lists(SUBHALO, max_size=6))
def test_members_are_those_of_a_naive_loop(particles, subhalos):
    one = built(particles, subhalos)
    found = members(one)
    assert pairs(found) == naive_members(one, 2.5)
    assert len(found[0]) == len(pairs(found))


def naive_hosts(history, window, needed):
    ids = sorted({int(i) for one in history for i in one.halos.ids})
    inside = [{(i, int(one.halos.ids[h])) for i, h in naive_members(one, 2.5)} for one in history]
    hosts = []
    for particle in range(len(history[0].born)):
        qualified = (
            halo
            for end in range(1, len(history) + 1)
            for halo in ids
            if sum((particle, halo) in at for at in inside[max(0, end - window) : end]) >= needed
        )
        hosts.append(next(qualified, IN_SITU))
    return hosts


@settings(deadline=None)
@given(st.data(), st.integers(3, 8), st.integers(0, 4), st.integers(0, 3))
def test_hosts_are_those_of_a_naive_loop(data, n_snapshots, n_particles, n_halos):
    near = st.tuples(*[st.integers(-1, 1)] * 3)
    particles = st.lists(st.tuples(near, near, st.booleans()), min_size=n_particles, max_size=n_particles)
    subhalo = st.none() | st.tuples(near, near, st.integers(0, 3), st.integers(0, 2))
    subhalos = st.lists(subhalo, min_size=n_halos, max_size=n_halos)
    history = [built(data.draw(particles), data.draw(subhalos), 13.0 - time) for time in range(n_snapshots)]
    window = data.draw(st.integers(1, 5))
    needed = data.draw(st.integers(1, min(window, n_snapshots)))
    found = host_by_history(iter(history), window=window, needed=needed)
    assert found.tolist() == naive_hosts(history, window, needed)


@pytest.mark.parametrize("times", [(1.0, 2.0, 3.0), (3.0, 2.0, 2.0), (3.0, np.nan, 1.0)])
@pytest.mark.parametrize("label", [host_by_history, formation_distance])
def test_snapshots_out_of_order_are_refused(label, times):
    with pytest.raises(InputError, match="oldest first"):
        label([snapshot(halos(), [(0, 0, 0)], lookback=time) for time in times])


@pytest.mark.parametrize("label", [host_by_history, formation_distance])
def test_snapshots_of_different_particles_are_refused(label):
    with pytest.raises(InputError, match="has 2 particles, the one before 1"):
        label([snapshot(halos(), np.zeros((n, 3)), lookback=3.0 - n) for n in (1, 2)])


@pytest.mark.parametrize("label", [host_by_history, formation_distance])
def test_no_snapshot_is_refused(label):
    with pytest.raises(InputError, match="no snapshot was given"):
        label([])


def test_fewer_snapshots_than_needed_are_refused():
    with pytest.raises(InputError, match="has 2 snapshots; give at least 3"):
        host_by_history(visits(A, A))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": np.zeros((2, 2))}, r"particle position has shape \(2, 2\), not \(2, 3\)"),
        ({"velocity": np.zeros((3, 3))}, r"particle velocity has shape \(3, 3\), not \(2, 3\)"),
        ({"born": np.ones(2)}, "born holds float64, not bool"),
        ({"position": np.full((2, 3), np.nan)}, "2 born particles have no finite position"),
        ({"velocity": np.array([[0, 0, 0], [0, np.inf, 0.0]])}, "1 born particles have no finite velocity"),
    ],
)
def test_snapshots_that_would_lose_particles_silently_are_refused(change, message):
    fields = {"position": np.zeros((2, 3)), "velocity": np.zeros((2, 3)), "born": np.ones(2, bool)}
    with pytest.raises(InputError, match=message):
        Snapshot(1.0, **(fields | change), halos=halos())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.array([1, 1])}, "2 rows have 1 different ids"),
        ({"ids": np.array([1, -1])}, "must not be negative"),
        ({"ids": np.array([1.0, 2.0])}, "must be integers, not float64"),
        ({"position": np.zeros((2, 2))}, r"halo position has shape \(2, 2\), not \(2, 3\)"),
        ({"sigma_v": np.ones(3)}, r"halo sigma_v has shape \(3,\), not \(2,\)"),
        ({"sigma_v": np.array([1.0, np.nan])}, "halo sigma_v holds values that are not finite"),
        ({"velocity": np.full((2, 3), np.inf)}, "halo velocity holds values that are not finite"),
        ({"r200m": np.array([1.0, -1.0])}, "halo r200m is -1.0, below 0"),
        ({"r200m": np.array(["a", "b"])}, "halo r200m holds <U1, not number"),
    ],
)
def test_subhalos_that_would_lose_particles_silently_are_refused(change, message):
    fields = {"position": np.zeros((2, 3)), "velocity": np.zeros((2, 3)), "r200m": np.ones(2), "sigma_v": np.ones(2)}
    with pytest.raises(InputError, match=message):
        Halos(**({"ids": np.array([1, 2])} | fields | change))


def test_formation_distance_is_that_of_the_first_snapshot_with_the_particle():
    nan = np.nan
    position = [
        [(nan, nan, nan), (3, 4, 0), (1, 1, 1)],
        [(0, 0, -30), (6, 8, 0), (1, 1, 1)],
        [(0, 0, -1), (0, 0, 0), (1, 1, 1)],
    ]
    born = [[False, True, False], [True, True, False], [True, True, False]]
    history = [
        snapshot(halos(), p, born=b, lookback=9 - t) for t, (p, b) in enumerate(zip(position, born, strict=True))
    ]
    np.testing.assert_array_equal(formation_distance(history), [30.0, 5.0, nan])


def test_births_beyond_the_limit_are_ex_situ_and_unknown_ones_are_not():
    assert accreted_by_distance([19.0, 20.0, 20.1, np.nan], 20.0).tolist() == [False, False, True, False]


def test_overlap_is_the_papers_table_of_the_union():
    #             both  history only  distance only  neither  not eligible
    by_history = np.repeat([True, True, False, False, True], [5, 2, 3, 10, 40])
    by_distance = np.repeat([True, False, True, False, False], [5, 2, 3, 10, 40])
    eligible = np.repeat([True, True, True, True, False], [5, 2, 3, 10, 40])
    found = label_overlap(by_history, by_distance, eligible)
    assert (found.both, found.distance_only, found.history_only) == (0.5, 0.3, 0.2)


def test_particles_that_stand_for_more_mass_count_more():
    by_history, by_distance = np.array([True, True, False]), np.array([True, False, True])
    found = label_overlap(by_history, by_distance, np.ones(3, bool), np.array([1.0, 2.0, 5.0]))
    assert (found.both, found.distance_only, found.history_only) == (0.125, 0.625, 0.25)


def test_an_overlap_of_nothing_is_refused():
    yes, no = np.array([True]), np.array([False])
    with pytest.raises(InputError, match="neither definition picks any of 1 eligible"):
        label_overlap(no, no, yes)
    with pytest.raises(InputError, match="neither definition picks any of 0 eligible"):
        label_overlap(yes, yes, no)


def test_an_overlap_of_hosts_or_of_other_particles_is_refused():
    yes = np.array([True, True])
    with pytest.raises(InputError, match="by_history holds int64, not bool"):
        label_overlap(np.array([3, IN_SITU]), yes, yes)
    with pytest.raises(InputError, match=r"eligible has shape \(1,\), not \(2,\)"):
        label_overlap(yes, yes, yes[:1])


def test_stars_of_accreted_particles_are_accreted():
    found = accreted_from_particles(np.array([5, 3, 5, 9, 2]), np.array([9, 5]))
    assert found.tolist() == [True, False, True, True, False]
    assert found.dtype == np.bool_


def test_ids_beyond_what_a_float_can_hold_stay_apart():
    big = (1 << 60) + np.arange(3)
    assert float(big[0]) == float(big[1])
    assert accreted_from_particles(big, [big[1]]).tolist() == [False, True, False]


def test_unsigned_and_short_integers_are_the_same_particles():
    with pytest.raises(InputError, match=r"list of accreted particles is a mask of 3 particles.*numpy\.flatnonzero"):
        accreted_from_particles([1, 2], np.array([True, False, True]))
    assert accreted_from_particles(np.array([1, 2], np.int32), np.array([2], np.uint64)).tolist() == [False, True]


@pytest.mark.parametrize("empty", [[], np.empty(0, np.int64), np.empty(0)])
def test_an_empty_list_of_particles_is_refused(empty):
    with pytest.raises(InputError, match="list of accreted particles is empty"):
        accreted_from_particles([1, 2], empty)


def test_ids_that_are_floats_are_refused():
    with pytest.raises(InputError, match="parentid must be integers, not float64"):
        accreted_from_particles(np.array([1.0, 2.0]), [1])
    with pytest.raises(InputError, match="accreted particle ids must be integers, not float32"):
        accreted_from_particles([1, 2], np.array([1.0], np.float32))


def test_ids_no_int64_can_hold_are_refused():
    with pytest.raises(InputError, match="above the largest int64"):
        accreted_from_particles([1, 2], np.array([2**63], np.uint64))


def test_no_stars_have_no_labels():
    assert accreted_from_particles(np.empty(0, np.int64), [1]).shape == (0,)
