"""The history of a galaxy's star particles as one HDF5 file; ``docs/histories.md`` describes it for those who convert.

A file is written and read snapshot by snapshot: neither way holds more than one of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.formats.hdf5 import refuse_endless
from exsitu.labels.histories import Halos, Ids, Mask, Snapshot, oldest_first, require_array, require_ids
from exsitu.provenance import publish_file
from exsitu.table_formats import reading

Floats = NDArray[np.float64]

VERSION = 1
"""Of the layout; a reader refuses any other."""

_GUIDE = "docs/histories.md lists what a history file holds"
_LOOKBACK, _TRUTH = "lookback_gyr", "particles/accreted_truth"

# Dataset of each field: its name in the group, its type and its unit in the file.
_PARTICLES = {
    "ids": ("id", "i8", ""),
    "formation_lookback_gyr": ("formation_lookback_gyr", "f8", "Gyr"),
    "formation_position": ("formation_position", "f8", "kpc"),
    "today_position": ("today_position", "f8", "kpc"),
    "weight": ("weight", "f8", "Msun"),
}
_SNAPSHOT = {
    "position": ("position", "f4", "kpc"),
    "velocity": ("velocity", "f4", "km/s"),
    "born": ("born", "u1", ""),
}
_HALOS = {
    "ids": ("id", "i8", ""),
    "position": ("position", "f8", "kpc"),
    "velocity": ("velocity", "f8", "km/s"),
    "r200m": ("r200m", "f8", "kpc"),
    "sigma_v": ("sigma_v", "f8", "km/s"),
}


@dataclass(frozen=True, slots=True)
class HistoryHeader:
    """
    What a history is of.

    Parameters
    ----------
    galaxy : str
        Name of the simulated galaxy, such as ``"m12i"``.
    seed : int, optional
        Seed of a generated history; none for a simulation's.
    metadata : mapping of str to str
        Anything else worth keeping: simulation, halo finder, how velocity dispersions were measured.
    """

    galaxy: str
    seed: int | None = None
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class HistoryParticles:
    """
    What does not change about the star particles of a history, in the order its snapshots have.

    Parameters
    ----------
    ids : ndarray of int64, shape (n_particles,)
        The ``parentid`` of the stars drawn from each particle.
    formation_lookback_gyr : ndarray, shape (n_particles,)
        Time of birth before today, Gyr; NaN where it is not known.
    formation_position, today_position : ndarray, shape (n_particles, 3)
        In the rest frame of the main galaxy, physical kpc; NaN where it is not known.
    weight : ndarray, shape (n_particles,)
        Mass that each stands for, Msun: its own, and more where the file holds a sample.
    accreted_truth : ndarray of bool, shape (n_particles,), optional
        What a generator knows about each particle's origin; a simulation has none.

    Raises
    ------
    InputError
        If shapes or types do not fit, or ids repeat.
    """

    ids: Ids
    formation_lookback_gyr: Floats
    formation_position: Floats
    today_position: Floats
    weight: Floats
    accreted_truth: Mask | None = None

    def __post_init__(self) -> None:
        """Refuse rows that cannot be told apart or do not belong together."""
        n_particles = np.size(self.ids)
        require_array("particle ids", self.ids, (n_particles,))
        require_ids("particle ids", self.ids)
        require_array("formation_lookback_gyr", self.formation_lookback_gyr, (n_particles,))
        require_array("formation_position", self.formation_position, (n_particles, 3))
        require_array("today_position", self.today_position, (n_particles, 3))
        require_array("weight", self.weight, (n_particles,))
        if self.accreted_truth is not None:
            require_array("accreted_truth", self.accreted_truth, (n_particles,), np.bool_)


def write_snapshots(
    path: Path, header: HistoryHeader, particles: HistoryParticles, snapshots: Iterable[Snapshot]
) -> None:
    """
    Write a history, one snapshot after the other.

    Parameters
    ----------
    path : Path
        Target file; it appears whole or not at all.
    header : HistoryHeader
        What the history is of.
    particles : HistoryParticles
        The star particles.
    snapshots : iterable of Snapshot
        Oldest first. Positions and velocities are kept in 32-bit floats: label what `read_snapshots` gives back, and
        whoever reads the file gets the same labels.

    Raises
    ------
    InputError
        If there is no snapshot, they are out of order, or hold other particles.
    """
    import h5py

    lookbacks: list[float] = []
    with publish_file(Path(path)) as staged, h5py.File(staged, "w") as file:
        file.attrs.update({"format_version": VERSION, "galaxy": header.galaxy})
        if header.seed is not None:
            file.attrs["seed"] = header.seed
        file.create_group("metadata").attrs.update(header.metadata)
        _write(file.create_group("particles"), particles, _PARTICLES)
        if particles.accreted_truth is not None:
            file[_TRUTH] = particles.accreted_truth.astype("u1")
        for snapshot in oldest_first(snapshots):
            require_array("born", snapshot.born, np.shape(particles.ids), np.bool_)
            group = file.create_group(_group(len(lookbacks)))
            _write(group, snapshot, _SNAPSHOT)
            _write(group.create_group("halos"), snapshot.halos, _HALOS)
            lookbacks.append(snapshot.lookback_gyr)
        file[_LOOKBACK] = np.array(lookbacks, np.float64)
        file[_LOOKBACK].attrs["unit"] = "Gyr"


def read_snapshots(path: Path) -> Iterator[Snapshot]:
    """
    Read the snapshots of a history one by one.

    Parameters
    ----------
    path : Path
        File in the layout of ``docs/histories.md``.

    Yields
    ------
    Snapshot
        In the file's order, which is oldest first; 32-bit floats stay what they are.

    Raises
    ------
    InputError
        If the file cannot be read, is of another layout, lacks a dataset, or one of them does not fit the others.
    """
    with _opened(path) as file:
        lookbacks = _values(file, _LOOKBACK)
        n_groups = len(file.get("snapshots", ()))
        if len(lookbacks) != n_groups:
            raise InputError(f"/{_LOOKBACK} has {len(lookbacks)} times for {n_groups} groups in /snapshots; {_GUIDE}")
        n_particles = len(_values(file, "particles/id"))
        for number, lookback in enumerate(lookbacks):
            group = _group(number)
            fields, halos = _read(file, group, _SNAPSHOT), _read(file, f"{group}/halos", _HALOS)
            born = fields.pop("born") != 0
            with _naming(f"/{group}"):
                require_array("born", born, (n_particles,), np.bool_)
                snapshot = Snapshot(float(lookback), **fields, born=born, halos=Halos(**halos))
            yield snapshot


def read_history_particles(path: Path) -> HistoryParticles:
    """
    Read the star particles of a history.

    Parameters
    ----------
    path : Path
        File in the layout of ``docs/histories.md``.

    Returns
    -------
    HistoryParticles

    Raises
    ------
    InputError
        If the file cannot be read, is of another layout, or lacks a dataset other than the truth.
    """
    with _opened(path) as file:
        truth = _values(file, _TRUTH) != 0 if _TRUTH in file else None
        return HistoryParticles(**_read(file, "particles", _PARTICLES), accreted_truth=truth)


def read_history_header(path: Path) -> HistoryHeader:
    """
    Read what a history is of.

    Parameters
    ----------
    path : Path
        File in the layout of ``docs/histories.md``.

    Returns
    -------
    HistoryHeader

    Raises
    ------
    InputError
        If the file cannot be read, is of another layout, or does not name its galaxy.
    """
    with _opened(path) as file:
        if "galaxy" not in file.attrs:
            raise InputError(f"no attribute 'galaxy'; {_GUIDE}")
        seed = file.attrs.get("seed")
        metadata = file["metadata"].attrs if "metadata" in file else {}
        return HistoryHeader(
            galaxy=_text(file.attrs["galaxy"]),
            seed=None if seed is None else int(seed),
            metadata=MappingProxyType({name: _text(value) for name, value in metadata.items()}),
        )


def _group(number: int) -> str:
    return f"snapshots/{number:03d}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _write(group: Any, fields: Any, layout: Mapping[str, tuple[str, str, str]]) -> None:
    for name, (dataset, dtype, unit) in layout.items():
        group.create_dataset(dataset, data=np.asarray(getattr(fields, name)).astype(dtype))
        if unit:
            group[dataset].attrs["unit"] = unit


def _read(file: Any, group: str, layout: Mapping[str, tuple[str, str, str]]) -> dict[str, NDArray[Any]]:
    return {name: _values(file, f"{group}/{dataset}") for name, (dataset, _, _) in layout.items()}


def _values(file: Any, name: str) -> NDArray[Any]:
    import h5py

    node = file.get(name)
    if not isinstance(node, h5py.Dataset):
        raise InputError(f"no dataset /{name}; {_GUIDE}")
    return np.asarray(node[()])


@contextmanager
def _naming(place: str) -> Iterator[None]:
    """Say where in the file an error is."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The open file, of the layout known here; errors name its path."""
    import h5py

    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {path}; check the path, or write one as docs/histories.md shows")
    refuse_endless(path)
    with reading(path), h5py.File(path, "r") as file, _naming(str(path)):
        version = file.attrs.get("format_version")
        if version != VERSION:
            found = "has no format_version" if version is None else f"is of format_version {version}"
            raise InputError(f"the file {found}, {VERSION} is read here; {_GUIDE}")
        try:
            yield file
        except RuntimeError as error:  # what h5py makes of some damages
            raise OSError(str(error)) from error
