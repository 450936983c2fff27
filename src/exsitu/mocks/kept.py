"""Star particles kept between runs: making them costs a minute a galaxy, and surveys are remade more often."""

import ast
import logging
import zipfile
import zlib
from dataclasses import asdict, fields
from importlib import metadata
from pathlib import Path

import numpy as np

from exsitu.mocks.galaxies import GalaxyModel
from exsitu.mocks.galaxy import make_particles
from exsitu.mocks.particles import Particles
from exsitu.provenance import publish_file, sha256_file, sha256_json

log = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parents[1]
_FIRST_MODULE = "exsitu.mocks.galaxy"
# The model's numbers count by value; names of columns and classes of errors decide no particle.
_NO_MAKERS = frozenset({"exsitu.mocks.galaxies", "exsitu.columns", "exsitu.errors"})
_LIBRARIES = ("numba", "numpy", "scipy")


def kept_particles(
    folder: Path | None,
    model: GalaxyModel,
    *,
    particle_mass_msun: float,
    accreted_particle_mass_msun: float,
    seed: int,
    progress: bool = False,
) -> Particles:
    """
    Star particles of a galaxy: the kept ones where there are any, otherwise new ones, which are then kept.

    Parameters
    ----------
    folder : Path or None
        Where they are kept: one ``.npz`` a galaxy, mass, seed and version of the code. None keeps nothing.
    model : GalaxyModel
        The galaxy.
    particle_mass_msun, accreted_particle_mass_msun : float
        Mass of a particle born in the galaxy, and of one from outside, Msun.
    seed : int
        The same seed gives the same particles.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Particles
        As `exsitu.mocks.galaxy.make_particles` gives them. A kept file that is damaged is made again.
    """
    masses = {"particle_mass_msun": particle_mass_msun, "accreted_particle_mass_msun": accreted_particle_mass_msun}
    path = None if folder is None else folder / f"{model.name}-{_identity(model, masses, seed)[:32]}.npz"
    if path is not None and (found := _load(path)) is not None:
        return found
    particles = make_particles(model, seed=seed, progress=progress, **masses)
    if path is not None:
        with publish_file(path) as staged, staged.open("wb") as stream:
            np.savez(stream, **{field.name: getattr(particles, field.name) for field in fields(Particles)})
    return particles


def _identity(model: GalaxyModel, masses: dict[str, float], seed: int) -> str:
    """Digest of all that decides the particles: the model, masses, seed, code and libraries."""
    code = {name: sha256_file(path) for name, path in sorted(_modules_below(_FIRST_MODULE).items())}
    libraries = {name: metadata.version(name) for name in _LIBRARIES}
    return sha256_json({"model": asdict(model), **masses, "seed": seed, "code": code, "libraries": libraries})


def _modules_below(first: str) -> dict[str, Path]:
    """Modules of this package that one of them imports, and those that these import, with their files."""
    found: dict[str, Path] = {}
    waiting = [first]
    while waiting:
        name = waiting.pop()
        path = _PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py")
        if name not in found and name not in _NO_MAKERS and path.is_file():
            found[name] = path
            nodes = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ImportFrom)]
            imported = [f"{node.module}.{alias.name}" for node in nodes for alias in node.names]
            modules = [node.module or "" for node in nodes]
            waiting += [module for module in (*imported, *modules) if module.startswith("exsitu.")]
    return found


def _load(path: Path) -> Particles | None:
    """Particles of a file; None where there is none or it is damaged."""
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        with np.load(path, allow_pickle=False) as arrays:
            if damaged is None and set(arrays.files) == {field.name for field in fields(Particles)}:
                return Particles(**{name: arrays[name] for name in arrays.files})
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        log.warning("%s is damaged (%s): its particles are made again", path, error)
    else:
        log.warning("%s is damaged: its particles are made again", path)
    return None
