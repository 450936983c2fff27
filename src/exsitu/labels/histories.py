"""Which star particles were accreted, from a simulation's merger history, and which stars were drawn from them.

The paper's Sec. 2.2 (method of Necib et al. 2019a): a particle that stays with one and the same subhalo, other than the
main one, for three of four consecutive snapshots belongs to it, and is accreted. Snapshots come one at a time, oldest
first, so that a history need not fit into memory; ``exsitu.labels.snapshots`` reads them from a file.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exsitu.errors import InputError

Floats = NDArray[np.floating[Any]]
Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]

IN_SITU = -1
"""Host of a particle that belonged to no subhalo other than the main one."""

MAX_DISTANCE_KPC = 16.0
"""Galactocentric distance today within which stars are of interest: beyond it Gaia DR2 resolves their motions poorly
(paper, Sec. 2.2)."""


@dataclass(frozen=True, slots=True)
class Halos:
    """
    The subhalos other than the main one that exist at one snapshot.

    Parameters
    ----------
    ids : ndarray of int64, shape (n_halos,)
        Branch of the merger tree each belongs to: the same number at all snapshots. Not negative.
    position : ndarray, shape (n_halos, 3)
        Centre in the rest frame of the main galaxy, physical kpc.
    velocity : ndarray, shape (n_halos, 3)
        In the same frame, km/s.
    r200m : ndarray, shape (n_halos,)
        Radius within which the mean density is 200 times the mean density of matter, physical kpc.
    sigma_v : ndarray, shape (n_halos,)
        Velocity dispersion, km/s.

    Raises
    ------
    InputError
        If shapes do not fit, ids are no integers, negative or repeated, or a value is not finite or a size negative.
    """

    ids: Ids
    position: Floats
    velocity: Floats
    r200m: Floats
    sigma_v: Floats

    def __post_init__(self) -> None:
        """Refuse what would otherwise look like a subhalo without stars."""
        n_halos = np.size(self.ids)
        require_array("halo ids", self.ids, (n_halos,))
        require_ids("halo ids", self.ids)
        for name, axes in (("position", (3,)), ("velocity", (3,)), ("r200m", ()), ("sigma_v", ())):
            values = getattr(self, name)
            require_array(f"halo {name}", values, (n_halos, *axes))
            if not np.isfinite(values).all():
                raise InputError(f"halo {name} holds values that are not finite; leave such halos out")
            if not axes and n_halos and values.min() < 0.0:
                raise InputError(
                    f"halo {name} is {values.min()}, below 0; check its sign and what marks missing values"
                )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    All star particles and subhalos of a simulation at one time.

    Parameters
    ----------
    lookback_gyr : float
        Time before today, Gyr.
    position, velocity : ndarray, shape (n_particles, 3)
        In the rest frame of the main galaxy, physical kpc and km/s; the same particles in the same order at all
        snapshots. Particles not yet born may hold anything.
    born : ndarray of bool, shape (n_particles,)
        Whether the star particle exists already.
    halos : Halos
        The subhalos other than the main one.

    Raises
    ------
    InputError
        If shapes do not fit, `born` is not boolean, or a born particle has a position or velocity that is not finite.
    """

    lookback_gyr: float
    position: Floats
    velocity: Floats
    born: Mask
    halos: Halos

    def __post_init__(self) -> None:
        """Refuse what would otherwise look like particles that belong to nothing."""
        n_particles = np.size(self.born)
        require_array("born", self.born, (n_particles,), np.bool_)
        for name in ("position", "velocity"):
            values = getattr(self, name)
            require_array(f"particle {name}", values, (n_particles, 3))
            lost = n_particles - np.count_nonzero(np.isfinite(values).all(axis=1) | ~self.born)
            if lost:
                raise InputError(
                    f"{lost} born particles have no finite {name} at a lookback time of {self.lookback_gyr} Gyr; "
                    "mark them as not born or leave them out of the history"
                )


def require_array(what: str, values: NDArray[Any], shape: tuple[int, ...], kind: type[np.generic] = np.number) -> None:
    """
    Refuse an array of another shape or type.

    Parameters
    ----------
    what : str
        Its name in the message.
    values : ndarray
        The array.
    shape : tuple of int
        Shape it must have.
    kind : type
        What it must hold: ``numpy.number`` or ``numpy.bool_``.

    Raises
    ------
    InputError
        If it has another.
    """
    found = np.asarray(values)
    if found.shape != shape:
        raise InputError(f"{what} has shape {found.shape}, not {shape}; give one row each, in one order")
    if not np.issubdtype(found.dtype, kind):
        raise InputError(f"{what} holds {found.dtype}, not {kind.__name__}; convert it first")


def require_ids(what: str, ids: NDArray[Any]) -> None:
    """
    Refuse identifiers that are no integers, negative or repeated.

    Parameters
    ----------
    what : str
        Their name in the message.
    ids : ndarray, shape (n_rows,)
        The identifiers.

    Raises
    ------
    InputError
        If they cannot tell rows apart.
    """
    whole = _as_ids(ids, what)
    if whole.size and whole.min() < 0:
        raise InputError(f"{what} reach down to {whole.min()}; they must not be negative")
    different = len(np.unique(whole))
    if different < whole.size:
        raise InputError(f"{what}: {whole.size} rows have {different} different ids; each row needs its own")


def oldest_first(snapshots: Iterable[Snapshot]) -> Iterator[Snapshot]:
    """
    Pass snapshots on while they come in order of time and hold the same particles.

    Parameters
    ----------
    snapshots : iterable of Snapshot
        Oldest first.

    Yields
    ------
    Snapshot

    Raises
    ------
    InputError
        If there is none, lookback times do not fall, or the number of particles changes.
    """
    last: tuple[float, int] | None = None
    for snapshot in snapshots:
        time, n_particles = snapshot.lookback_gyr, len(snapshot.born)
        if last and not time < last[0]:
            raise InputError(f"a snapshot {time} Gyr ago follows one {last[0]} Gyr ago; give them oldest first")
        if last and n_particles != last[1]:
            raise InputError(
                f"the snapshot {time} Gyr ago has {n_particles} particles, the one before {last[1]}; "
                "all snapshots need the same particles, those not yet born marked as such"
            )
        last = time, n_particles
        yield snapshot
    if not last:
        raise InputError("no snapshot was given; a history needs at least one")


def members(snapshot: Snapshot, n_sigma: float = 2.5) -> tuple[Ids, Ids]:
    """
    Find the particles within each subhalo, in position and in velocity.

    Parameters
    ----------
    snapshot : Snapshot
        Particles and subhalos.
    n_sigma : float
        Largest speed relative to the subhalo, in units of its velocity dispersion.

    Returns
    -------
    particles, rows : ndarray of int64, shape (n_pairs,)
        Indices of the particle and of the subhalo's row in ``snapshot.halos``, subhalo by subhalo. In nested subhalos a
        particle is a member of each.

    Raises
    ------
    InputError
        If `n_sigma` is not positive.

    Notes
    -----
    Paper, Sec. 2.2: |r - r_h| < R200m and |v - v_h| < n_sigma sigma_v. A particle exactly at a limit is outside.
    """
    if not n_sigma > 0.0:
        raise InputError(f"n_sigma is {n_sigma}; it must be above 0 (the paper takes 2.5)")
    halos = snapshot.halos
    born = np.flatnonzero(snapshot.born)
    order = born[np.argsort(snapshot.position[born, 0], kind="stable")]
    position, velocity = (np.asarray(a[order].T, np.float64, order="C") for a in (snapshot.position, snapshot.velocity))
    centre, motion, radius = (np.asarray(a, np.float64) for a in (halos.position, halos.velocity, halos.r200m))
    speed = n_sigma * np.asarray(halos.sigma_v, np.float64)
    # Only the slab |x - x_h| <= R of each subhalo is looked at; the particles are in order of x.
    first = np.searchsorted(position[0], centre[:, 0] - radius, "left")
    last = np.searchsorted(position[0], centre[:, 0] + radius, "right")
    found = [np.empty(0, np.int64)]
    for row, (start, stop) in enumerate(zip(first, last, strict=True)):
        near = start + _within(position[:, start:stop], centre[row], radius[row])
        found.append(order[near[_within(velocity[:, near], motion[row], speed[row])]])
    sizes = [len(one) for one in found[1:]]
    return np.concatenate(found), np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)


def _within(points: Floats, centre: Floats, limit: np.float64) -> Ids:
    """Indices of the points, shape (3, n_points), nearer to a centre than a limit."""
    x, y, z = (points[axis] - centre[axis] for axis in range(3))
    return np.flatnonzero(x * x + y * y + z * z < limit * limit)


def host_by_history(snapshots: Iterable[Snapshot], *, window: int = 4, needed: int = 3, n_sigma: float = 2.5) -> Ids:
    """
    Find the subhalo each particle belonged to: the paper's definition of an accreted star.

    Parameters
    ----------
    snapshots : iterable of Snapshot
        Oldest first; only the memberships of the last `window` are kept.
    window : int
        Number of consecutive snapshots looked at together.
    needed : int
        Number of them, at least, at which the particle is a member of one and the same subhalo.
    n_sigma : float
        As of `members`.

    Returns
    -------
    ndarray of int64, shape (n_particles,)
        Id of the subhalo, ``IN_SITU`` where there is none. Of several, the one the particle belonged to first; of
        several at the same snapshot, the one with the lowest id.

    Raises
    ------
    InputError
        If there are fewer snapshots than needed, they are out of order, or `needed` does not lie in 1 ... `window`.

    Notes
    -----
    Paper, Sec. 2.2 (method of Necib et al. 2019a): three of four consecutive snapshots.
    """
    if not 1 <= needed <= window:
        raise InputError(f"{needed} of {window} snapshots are needed; give a number between 1 and {window}")
    host, n_snapshots = np.empty(0, np.int64), 0
    recent: deque[tuple[Ids, Ids]] = deque(maxlen=window)
    for n_snapshots, snapshot in enumerate(oldest_first(snapshots), start=1):
        if n_snapshots == 1:
            host = np.full(len(snapshot.born), IN_SITU, np.int64)
        particles, rows = members(snapshot, n_sigma)
        recent.append((particles, np.asarray(snapshot.halos.ids, np.int64)[rows]))
        _settle(host, recent, needed)
    if n_snapshots < needed:
        raise InputError(f"the history has {n_snapshots} snapshots; give at least {needed}")
    return host


def _settle(host: Ids, recent: Iterable[tuple[Ids, Ids]], needed: int) -> None:
    """Give those particles a host that lack one and whose recent memberships (particles, halo ids) suffice."""
    particles, ids = (np.concatenate(parts) for parts in zip(*recent, strict=True))
    undecided = host[particles] == IN_SITU
    known, number = np.unique(ids[undecided], return_inverse=True)
    pairs, counts = np.unique(particles[undecided] * len(known) + number, return_counts=True)
    if known.size:
        particle, number = np.divmod(pairs[counts >= needed], len(known))
        settled, lowest = np.unique(particle, return_index=True)
        host[settled] = known[number[lowest]]


def formation_distance(snapshots: Iterable[Snapshot]) -> NDArray[np.float64]:
    """
    Distance from the main galaxy at the first snapshot at which each particle exists.

    Parameters
    ----------
    snapshots : iterable of Snapshot
        Oldest first.

    Returns
    -------
    ndarray, shape (n_particles,)
        Physical kpc; NaN for particles that no snapshot has.

    Raises
    ------
    InputError
        If there is no snapshot or they are out of order.
    """
    distance = np.empty(0)
    for number, snapshot in enumerate(oldest_first(snapshots)):
        if number == 0:
            distance = np.full(len(snapshot.born), np.nan)
        new = np.flatnonzero(snapshot.born & np.isnan(distance))
        x, y, z = np.asarray(snapshot.position[new].T, np.float64)
        distance[new] = np.sqrt(x * x + y * y + z * z)
    return distance


def accreted_by_distance(distance_kpc: ArrayLike, limit_kpc: float) -> Mask:
    """
    Mark the particles born far from the main galaxy: the cross-check of the paper's definition.

    Parameters
    ----------
    distance_kpc : array_like, shape (n_particles,)
        Distance from the main galaxy at birth, physical kpc; a particle without one (NaN) is not marked.
    limit_kpc : float
        Distance beyond which birth counts as ex situ, physical kpc.

    Returns
    -------
    ndarray of bool, shape (n_particles,)

    Notes
    -----
    Paper, Sec. 2.2, after Sanderson et al. (2018a, Fig. 1): 20 kpc in m12i, 25 kpc in m12f.
    """
    return np.asarray(np.asarray(distance_kpc, float) > limit_kpc)


@dataclass(frozen=True, slots=True)
class Overlap:
    """
    How far two definitions of accreted stars agree.

    Parameters
    ----------
    both, distance_only, history_only : float
        Share of what either definition picks that both pick, formation distance alone, merger history alone.
    """

    both: float
    distance_only: float
    history_only: float


def label_overlap(
    by_history: Mask, by_distance: Mask, eligible: Mask, weight: NDArray[np.float64] | None = None
) -> Overlap:
    """
    Compare the two definitions of accreted stars.

    Parameters
    ----------
    by_history : ndarray of bool, shape (n_particles,)
        Accreted by merger history: ``host_by_history(...) != IN_SITU``.
    by_distance : ndarray of bool, shape (n_particles,)
        Accreted by formation distance: `accreted_by_distance`.
    eligible : ndarray of bool, shape (n_particles,)
        Particles that count; in the paper those within ``MAX_DISTANCE_KPC`` today.
    weight : ndarray, shape (n_particles,), optional
        How much each counts, such as the mass it stands for; all alike otherwise.

    Returns
    -------
    Overlap

    Raises
    ------
    InputError
        If the labels are not boolean, arrays differ in length, or neither definition picks an eligible particle.

    Notes
    -----
    Paper, Sec. 2.2: both 74 % (m12f 65 %), distance only 7 % (17 %), history only 19 % (18 %).
    """
    for what, values in (("by_history", by_history), ("by_distance", by_distance), ("eligible", eligible)):
        require_array(what, values, (np.size(by_history),), np.bool_)
    counts = np.ones(np.shape(eligible)) if weight is None else weight
    require_array("weight", counts, np.shape(eligible))
    parts = [by_history & by_distance, by_distance & ~by_history, by_history & ~by_distance]
    found = np.array([counts[part & eligible].sum() for part in parts])
    if not found.sum() > 0.0:
        raise InputError(
            f"neither definition picks any of {np.count_nonzero(eligible)} eligible particles; "
            "check the units of positions and which particles are eligible"
        )
    return Overlap(*(found / found.sum()).tolist())


def _as_ids(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """Identifiers as int64; a float would already have lost the last digits of a large one."""
    ids = np.asarray(values)
    if ids.dtype.kind not in "iu":
        raise InputError(f"{name} must be integers, not {ids.dtype}; read the column as int64")
    if ids.size and int(ids.max()) > np.iinfo(np.int64).max:
        raise InputError(f"{name} reach {ids.max()}, above the largest int64; these are no particle ids")
    return ids.astype(np.int64)


def refuse_mask(what: str, ids: NDArray[Any]) -> None:
    """
    Refuse a mask, True where a particle is listed, in place of a list of particles.

    Parameters
    ----------
    what : str
        Its name in the message.
    ids : ndarray, shape (n_particles,)
        The identifiers, as they came.

    Raises
    ------
    InputError
        If it holds booleans, or more than two numbers that are all 0 or 1.
    """
    numbers = ids.dtype.kind in "iuf" and ids.size > 2 and bool(np.isin(ids, (0, 1)).all())
    if ids.dtype.kind == "b" or numbers:
        raise InputError(
            f"{what} is a mask of {ids.size} particles, not a list of their ids; give numpy.flatnonzero(mask) where a "
            "particle's id is its place in the simulation's table, and the ids at these places otherwise"
        )


def accreted_from_particles(parentid: ArrayLike, accreted_ids: ArrayLike) -> NDArray[np.bool_]:
    """
    Mark the stars whose parent particle was accreted.

    Parameters
    ----------
    parentid : array_like of int, shape (n_stars,)
        Star particle each star was drawn from.
    accreted_ids : array_like of int, shape (n_particles,)
        Particles that the merger history calls accreted, in any order.

    Returns
    -------
    ndarray of bool, shape (n_stars,)
        True where the star was accreted.

    Raises
    ------
    InputError
        If the list of particles is empty, or either holds anything but integers.

    Notes
    -----
    Paper, Sec. 2.2: a star shares the origin of its particle.
    """
    refuse_mask("the list of accreted particles", np.asarray(accreted_ids))
    particles = _as_ids(accreted_ids, "accreted particle ids") if np.size(accreted_ids) else np.empty(0, np.int64)
    if not particles.size:
        raise InputError("the list of accreted particles is empty: every star would count as in situ; check its file")
    return np.isin(_as_ids(parentid, "parentid"), particles)
