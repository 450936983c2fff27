"""Where star particles come from: which satellite each was born in, and where all of them have been.

Surveys do not say it. Of a built-in galaxy the particles are made again, or taken from where `exsitu data` kept them;
of a simulation a history can be given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.experiments.bench import Bench
from exsitu.mocks.debris import satellites_of
from exsitu.mocks.galaxies import GALAXIES, GalaxyModel
from exsitu.mocks.kept import kept_particles
from exsitu.mocks.particles import FIRST_SATELLITE, Particles
from exsitu.provenance import sha256_json, sha256_tree

HISTORIES = "histories"
"""Folder below that of the experiments; ``<galaxy>.hdf5`` in it is a history that somebody put there."""

DWARFS = "dwarfs"
"""What all satellites are called that a galaxy's model does not name."""

_PARTICLES = "particles"
"""Folder beside that of the experiments, in which the command `exsitu data` keeps particles."""
_SNAPSHOTS = 120
"""Of a history that is made, the default of `exsitu mocks make`; the paper's simulations have 600."""
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class _Made:
    """How a built-in galaxy was made, as its survey's file says."""

    model: GalaxyModel
    masses: Mapping[str, float]
    seed: int

    def particles(self, kept: Path) -> Particles:
        return kept_particles(
            kept.parent / _PARTICLES,
            self.model,
            particle_mass_msun=self.masses["particle_mass_msun"],
            accreted_particle_mass_msun=self.masses["accreted_particle_mass_msun"],
            seed=self.seed,
        )

    @property
    def identity(self) -> str:
        code = [sha256_tree(_PACKAGE, pattern) for pattern in ("mocks/*.py", "labels/*.py")]
        told = {"galaxy": self.model.name, "masses": dict(self.masses), "seed": self.seed}
        return sha256_json({**told, "snapshots": _SNAPSHOTS, "code": code})


def _made(path: Path) -> _Made | None:
    """None where the survey was not made of a galaxy that is built in."""
    import pyarrow.parquet as pq

    held = pq.read_schema(path).metadata or {}
    about = {key.decode(): value.decode() for key, value in held.items() if key != b"ARROW:schema"}
    masses = ("particle_mass_msun", "accreted_particle_mass_msun")
    if "generator" not in about or about["galaxy"] not in GALAXIES:
        return None
    return _Made(GALAXIES[about["galaxy"]], {name: float(about[name]) for name in masses}, int(about["seed"]))


def progenitors(bench: Bench, survey: str) -> NDArray[np.str_] | None:
    """
    Name the satellite that each particle of a galaxy was born in.

    Parameters
    ----------
    bench : Bench
        Surveys.
    survey : str
        A survey of the galaxy.

    Returns
    -------
    ndarray of str, shape (n_particles,), or None
        By ``parentid``: a satellite's name, `DWARFS`, or nothing where it was born in the galaxy itself. None where
        nobody knows, as of an imported simulation.
    """
    made = _made(bench.surveys.path(survey))
    if made is None:
        return None
    named = len(made.model.satellites)
    satellites = enumerate(satellites_of(made.model, made.seed))
    names = np.array(["", *(s.name if i < named else DWARFS for i, s in satellites)])
    born: NDArray[np.str_] = names[np.maximum(made.particles(bench.kept).origin - FIRST_SATELLITE + 1, 0)]
    return born


def history_of(bench: Bench, survey: str) -> Path:
    """
    Find the history of a galaxy's particles; that of a built-in galaxy is made where there is none.

    Parameters
    ----------
    bench : Bench
        Surveys.
    survey : str
        A survey of the galaxy.

    Returns
    -------
    Path
        A file in the layout of ``docs/histories.md``.

    Raises
    ------
    InputError
        If there is none and it cannot be made.
    """
    from exsitu.mocks.histories import make_histories

    galaxy, folder = survey.rpartition("/")[0], bench.kept / HISTORIES
    given = folder / f"{galaxy}.hdf5"
    if given.is_file():
        return given
    made = _made(bench.surveys.path(survey))
    if made is None:
        raise InputError(f"no history of {galaxy}, which is no built-in galaxy; put one at {given} (docs/histories.md)")
    path = folder / f"{galaxy}-{made.identity[:16]}.hdf5"
    if not path.is_file():
        make_histories(
            path,
            made.model,
            made.particles(bench.kept),
            accreted_particle_mass_msun=made.masses["accreted_particle_mass_msun"],
            snapshots=_SNAPSHOTS,
            seed=made.seed,
            progress=True,
        )
    return path
