"""Where the star particles of a mock galaxy have been: the histories that merger-history labels are made of.

Particles of satellites stay in them, on small orbits about the centre, until they are stripped; from then on, and
those of inflows from birth on, they move as `exsitu.mocks.orbits` moved them. What was born here is followed back along
its orbit to its birth; disc stars older than the merger that heated the disc moved on circles in the plane before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as File

import numpy as np
from numpy.typing import NDArray

from exsitu import elementary as el
from exsitu.errors import InputError
from exsitu.labels.histories import Snapshot
from exsitu.labels.snapshots import HistoryHeader, HistoryParticles, write_snapshots
from exsitu.mocks.debris import Debris, make_debris
from exsitu.mocks.galaxies import GalaxyModel
from exsitu.mocks.orbits import INTERVAL_MYR, KPC_PER_MYR, advance, circular_velocity, in_kms, march
from exsitu.mocks.particles import FIRST_SATELLITE, HEATED, OLDEST_GYR, Particles
from exsitu.mocks.randomness import Purpose, draws_for
from exsitu.mocks.subhalos import Path, halos_at, paths_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

PARTICLES = 30_000
"""Most particles kept of what was born in the disc, and as many of what came from outside."""

FEWEST_SNAPSHOTS = 4
"""Fewer make no label: three of four in a row are asked for."""

_GYR = INTERVAL_MYR / 1000.0
_ABOUT = {"generator": "exsitu built-in mock galaxies", "sigma_v": "one-dimensional, V200m / sqrt 2"}


@dataclass(frozen=True, slots=True)
class _Outside:
    """Debris sorted by when it begins to move on its own, and the paths of the satellites."""

    debris: Debris
    paths: tuple[Path, ...]

    @property
    def age(self) -> Floats:
        return self.debris.age

    def at(self, lookback_gyr: float) -> Floats:
        """States, shape (n, 6), of stars as long as they are in their satellites; NaN for those of inflows."""
        return self._inside(np.full(len(self.debris.age), lookback_gyr))

    def at_birth(self) -> Floats:
        """States where they were born: in their satellite, or where the inflow's gas was."""
        born = self._inside(np.maximum(self.debris.age, self.debris.lookback * _GYR))
        return np.where(np.isnan(born), self.debris.state, born)

    def _inside(self, lookback_gyr: Floats) -> Floats:
        states = np.full((len(lookback_gyr), 6), np.nan)
        for number, path in enumerate(self.paths):
            mine = np.flatnonzero(self.debris.origin == FIRST_SATELLITE + number)
            until = (lookback_gyr[mine] - self.debris.lookback[mine] * _GYR) * 1000.0
            states[mine] = path.centre(lookback_gyr[mine]) + _swing(path, self.debris.offset[mine], until)
        return states


def _swing(path: Path, offset: Floats, myr_before: Floats) -> Floats:
    """Place in the satellite some time before it was `offset`: a harmonic orbit about the centre."""
    frequency = path.satellite.sigma / path.satellite.scale
    angle = (-myr_before * KPC_PER_MYR * frequency)[:, None]
    c, s = el.cos(angle), el.sin(angle)
    place, speed = offset[:, :3], offset[:, 3:]
    return np.concatenate([place * c + speed / frequency * s, speed * c - place * frequency * s], axis=1)


def make_histories(
    path: File,
    model: GalaxyModel,
    particles: Particles,
    *,
    accreted_particle_mass_msun: float,
    snapshots: int,
    seed: int,
    progress: bool = False,
) -> None:
    """
    Follow star particles through time and write what a simulation would have kept of them.

    Parameters
    ----------
    path : Path
        HDF5 file to write, in the layout of ``docs/histories.md``.
    model : GalaxyModel
        The galaxy.
    particles : Particles
        Its particles; a sample of at most ``PARTICLES`` born in the disc and as many from outside is followed.
    accreted_particle_mass_msun : float
        As the particles were made with.
    snapshots : int
        How many, evenly spaced over the age of the oldest stars, at least 4.
    seed : int
        As the particles were made with.
    progress : bool
        Whether to show bars.

    Raises
    ------
    InputError
        If there are too few snapshots to label anything.
    """
    require_snapshots(snapshots)
    here, outside = _sampled(model, particles, seed)
    debris, mine = _begun(make_debris(model, accreted_particle_mass_msun, seed), particles.debris[outside])
    outside = outside[mine]
    times = np.unique(np.round(np.linspace(0.0, OLDEST_GYR / _GYR, snapshots)).astype(np.int64))
    born_outside = _Outside(debris, paths_of(model, seed))
    inner = _backwards(model, particles.rows(here), times, progress=progress)
    chosen = np.concatenate([here, outside])
    header = HistoryHeader(model.name, seed, _ABOUT | {"source": model.source})
    steady = HistoryParticles(
        ids=particles.id[chosen],
        formation_lookback_gyr=particles.age[chosen],
        formation_position=np.concatenate([inner.birthplace, born_outside.at_birth()[:, :3]]),
        today_position=particles.position[chosen],
        weight=np.concatenate([_weights(particles, here, False), _weights(particles, outside, True)]),
        accreted_truth=particles.accreted[chosen],
    )
    write_snapshots(path, header, steady, _snapshots(model, born_outside, inner, times, progress=progress))


def require_snapshots(snapshots: int) -> None:
    """
    Refuse a history that nothing could be labelled by.

    Parameters
    ----------
    snapshots : int
        How many.

    Raises
    ------
    InputError
        If there are fewer than ``FEWEST_SNAPSHOTS``.
    """
    if snapshots < FEWEST_SNAPSHOTS:
        raise InputError(
            f"{snapshots} snapshots label nothing, at least {FEWEST_SNAPSHOTS} are needed; the default is 120"
        )


def _sampled(model: GalaxyModel, particles: Particles, seed: int) -> tuple[Integers, Integers]:
    """Rows of the particles to follow: of those born in the disc or before it, and of those from outside."""
    order = draws_for(seed, model, Purpose.HISTORIES).shuffled("followed", particles.id)
    here, outside = (np.sort(order[mine[order]][:PARTICLES]) for mine in (particles.debris < 0, particles.debris >= 0))
    return here, outside


def _weights(particles: Particles, chosen: Integers, outside: bool) -> Floats:  # noqa: FBT001
    """Mass (Msun) that each sampled particle stands for."""
    alike = np.count_nonzero((particles.debris >= 0) == outside)
    return particles.mass[chosen] * (alike / max(len(chosen), 1))


def _begun(debris: Debris, rows: NDArray[np.int32]) -> tuple[Debris, Integers]:
    """The chosen debris, sorted by when it begins, and the order that sorts it."""
    order = np.argsort(-debris.lookback[rows], kind="stable")
    picked = rows[order]
    return Debris(*(getattr(debris, name)[picked] for name in Debris.__slots__)), order


@dataclass(frozen=True, slots=True)
class _Inner:
    """States of disc particles at the snapshots, oldest last as they were found, and where each was born."""

    states: dict[int, NDArray[np.float32]]
    birthplace: Floats
    age: Floats


def _backwards(model: GalaxyModel, particles: Particles, times: Integers, *, progress: bool) -> _Inner:
    """Follow disc particles back from today to birth, the oldest first in the table."""
    from tqdm import tqdm

    order = np.argsort(-particles.age, kind="stable")
    age = particles.age[order]
    heated = (particles.origin[order] <= HEATED) & (age > model.heated.heated)
    wanted = set(times.tolist())
    state = np.concatenate([particles.position[order].T, -KPC_PER_MYR * particles.velocity[order].T])
    circles, states, birth = _circles(model, state), {}, np.empty((len(age), 3))
    for now in tqdm(range(int(times[-1]) + 1), "histories", unit="interval", disable=not progress, leave=False):
        begun = int(np.searchsorted(-age, -now * _GYR))
        if heated.any() and round(model.heated.heated / _GYR) == now:
            state[:, heated] = circles[:, heated]
        if now in wanted:
            states[now] = _in_order(in_kms(state) * np.repeat([1.0, -1.0], 3), order).astype(np.float32)
        stops = int(np.searchsorted(-age, -(now + 1) * _GYR))
        birth[order[stops:begun]] = state[:3, stops:begun].T
        advance(model.potential, state[:, :stops])
    return _Inner(states, birth, particles.age)


def _circles(model: GalaxyModel, state: Floats) -> Floats:
    """Circular orbits in the plane, run backwards, at the radii and azimuths of states of shape (6, n)."""
    x, y = state[0], state[1]
    radius = np.sqrt(x * x + y * y)
    speed = KPC_PER_MYR * circular_velocity(model.potential, radius) / radius
    # The disc rotates towards decreasing azimuth; backwards it turns the other way.
    return np.stack([x, y, np.zeros_like(x), -speed * y, speed * x, np.zeros_like(x)])


def _in_order(sorted_rows: Floats, order: Integers) -> Floats:
    rows = np.empty_like(sorted_rows)
    rows[order] = sorted_rows
    return rows


def _snapshots(
    model: GalaxyModel, outside: _Outside, inner: _Inner, times: Integers, *, progress: bool
) -> Iterator[Snapshot]:
    """Snapshots, oldest first: disc particles as found, those from outside as they move."""
    from tqdm import tqdm

    debris = outside.debris
    marching = march(model.potential, debris.state, debris.lookback)
    now, moving, moved = next(marching)
    for time in tqdm(times[::-1].tolist(), "snapshots", disable=not progress, leave=False):
        while now > time:
            now, moving, moved = next(marching)
        lookback = time * _GYR
        states = outside.at(lookback)
        if now == time:
            states[:moving] = in_kms(moved[:, :moving])
        both = np.concatenate([inner.states[time], states])
        born = np.concatenate([inner.age, outside.age]) >= lookback
        yield Snapshot(lookback, both[:, :3], both[:, 3:], born, halos_at(model, outside.paths, lookback))
