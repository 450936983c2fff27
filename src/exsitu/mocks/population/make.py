"""A population of mock galaxies: many of them drawn from the priors, each with its surveys, to train a network on."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.mocks.galaxies import GalaxyModel
from exsitu.mocks.galaxy import make_particles
from exsitu.mocks.make import Plan, make_surveys
from exsitu.mocks.orbits import circular_velocity
from exsitu.mocks.particles import HEATED, Particles
from exsitu.mocks.population.priors import R_SUN, draw_galaxy
from exsitu.mocks.uncertainties import error_profile
from exsitu.phase_space import PhaseSpace
from exsitu.provenance import publish_file, publish_folder, read_json, sha256_file, sha256_json, write_json
from exsitu.tables import read_parquet

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]

RADII_KPC = tuple(range(4, 13))
"""Where rotation curves are measured."""

PLANE_KPC = 0.25
"""What lies within this height of the plane is compared with nearby stars of the Milky Way."""

DISC_AGES = ("young", "old thin", "thick")
"""Parts of the disc: below 3 Gyr, from 4 Gyr to the thick disc's age, and above."""

_PACKAGE = Path(__file__).parents[2]
# Code that decides what is in a galaxy's folder, its parameters apart: a change makes every galaxy again.
_MAKERS = (
    *(
        f"mocks/{name}"
        for name in (
            "bar.py", "debris.py", "discs.py", "dust.py", "galaxy.py", "isochrones.npz", "isochrones.py", "kept.py",
            "make.py", "orbits.py", "particles.py", "population/make.py", "randomness.py", "sampling.py", "stars.py",
            "uncertainties.py",
        )
    ),
    "surveys/mock_files.py", "columns.py", "draws.py", "elementary.py", "phase_space.py", "quality.py", "tables.py",
)  # fmt: skip

_LIBRARIES = ("numba", "numpy", "pandas", "pyarrow", "scipy")


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    How every galaxy of a population is made.

    Parameters
    ----------
    seed : int
        Of the population.
    stars_per_viewpoint : int
        Expected number of stars of one survey.
    viewpoints : tuple of int
        Numbers of the viewpoints.
    profile : str
        Name of the error profile.
    max_fractional_parallax_error : float
        Only stars with 0 < parallax_error / parallax below this are written.
    particle_mass_msun, accreted_particle_mass_msun : float
        Mass of a particle born in the galaxy, and of one from outside, Msun.
    """

    seed: int
    stars_per_viewpoint: int
    viewpoints: tuple[int, ...]
    profile: str
    max_fractional_parallax_error: float
    particle_mass_msun: float
    accreted_particle_mass_msun: float


def make_population(
    output: Path,
    *,
    count: int,
    seed: int,
    stars_per_viewpoint: int = 40_000,
    viewpoints: Sequence[int] = (0, 1, 2),
    profile: str = "ananke",
    max_fractional_parallax_error: float = 0.1,
    particle_mass_msun: float = 14_000.0,
    accreted_particle_mass_msun: float = 80_000.0,
    processes: int | None = None,
    progress: bool = False,
) -> list[Path]:
    """
    Make galaxies drawn from the priors and their surveys, one process a core.

    Parameters
    ----------
    output : Path
        Where: a folder a galaxy, ``population.csv`` and ``population.png``.
    count : int
        How many galaxies.
    seed : int
        The same seed gives the same galaxies, however many, and the same bytes of their surveys.
    stars_per_viewpoint : int
        Expected number of stars of one survey.
    viewpoints : sequence of int
        Which of a galaxy's three viewpoints.
    profile : str
        Name of the error profile.
    max_fractional_parallax_error : float
        Only stars with 0 < parallax_error / parallax below this are written.
    particle_mass_msun, accreted_particle_mass_msun : float
        Mass of a particle born in a galaxy, and of one from outside, Msun.
    processes : int, optional
        At most so many galaxies at a time; as many as there are cores by default. 1 makes them in this process.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    list of Path
        The folder of each galaxy: ``lsr<N>.parquet`` and ``lsr<N>.uncut.json`` a viewpoint,
        ``accreted_particle_ids.npy``, ``galaxy.json`` (its parameters, and what `summarise` measured). A folder appears
        whole; one that is there already, made by the same recipe and code, is left alone.

    Raises
    ------
    InputError
        If fewer than one galaxy is asked for, the error profile or a viewpoint is unknown, or a galaxy shows fewer
        stars than are asked for.
    """
    if count < 1:
        raise InputError(f"count is {count}; a population has at least one galaxy")
    error_profile(profile)
    recipe = Recipe(
        seed,
        stars_per_viewpoint,
        tuple(viewpoints),
        profile,
        max_fractional_parallax_error,
        particle_mass_msun,
        accreted_particle_mass_msun,
    )
    code = {name: sha256_file(_PACKAGE / name) for name in _MAKERS}
    code |= {name: metadata.version(name) for name in _LIBRARIES}
    models = [draw_galaxy(seed, index) for index in range(count)]
    identities = [sha256_json({"model": asdict(model), "recipe": asdict(recipe), "code": code}) for model in models]
    folders = [output / model.name for model in models]
    galaxies = zip(folders, models, identities, strict=True)
    jobs = [(*galaxy, recipe) for galaxy in galaxies if not _is_current(galaxy[0], galaxy[2])]
    log.info("%s: %d of %d galaxies to make", output, len(jobs), count)
    _run_all(jobs, count, processes or os.cpu_count() or 1, progress=progress)
    _write_index(output, folders)
    return folders


def _is_current(folder: Path, identity: str) -> bool:
    about = folder / "galaxy.json"
    if not about.is_file():
        return False
    written = read_json(about)
    return written["identity"] == identity and all((folder / name).is_file() for name in written["sha256"])


def _run_all(jobs: list[tuple[Any, ...]], count: int, processes: int, *, progress: bool) -> None:
    """Make what is missing; the first failure stops the rest, and what was made stays."""
    from tqdm import tqdm

    with tqdm(desc="galaxies", total=count, initial=count - len(jobs), unit="galaxy", disable=not progress) as bar:
        for name in _in_this_process(jobs) if processes == 1 else _in_processes(jobs, processes):
            log.info("made %s", name)
            bar.update()


def _in_this_process(jobs: list[tuple[Any, ...]]) -> Iterator[str]:
    for job in jobs:
        yield _make_galaxy(*job)


def _in_processes(jobs: list[tuple[Any, ...]], processes: int) -> Iterator[str]:
    with ProcessPoolExecutor(max(min(processes, len(jobs)), 1), get_context("spawn")) as pool:
        try:
            for done in as_completed([pool.submit(_make_galaxy, *job) for job in jobs]):
                yield done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _make_galaxy(folder: Path, model: GalaxyModel, identity: str, recipe: Recipe) -> str:
    profile, limit = error_profile(recipe.profile), recipe.max_fractional_parallax_error
    plan = Plan(recipe.stars_per_viewpoint, profile, recipe.seed, limit)
    in_situ, accreted = recipe.particle_mass_msun, recipe.accreted_particle_mass_msun
    about = {"particle_mass_msun": repr(in_situ), "accreted_particle_mass_msun": repr(accreted)}
    particles = make_particles(
        model, particle_mass_msun=in_situ, accreted_particle_mass_msun=accreted, seed=recipe.seed
    )
    with publish_folder(folder, replace=True) as staged:
        files = make_surveys(staged, model, particles, recipe.viewpoints, plan, about, progress=False)
        parents = {path.stem: _parents(path) for path in files if path.suffix == ".parquet"}
        galaxy = {
            "identity": identity,
            "recipe": asdict(recipe),
            "model": asdict(model),
            "summary": summarise(model, particles, parents),
            "sha256": {path.relative_to(staged).as_posix(): sha256_file(path) for path in files},
        }
        write_json(staged / "galaxy.json", galaxy)
    return model.name


def _parents(path: Path) -> NDArray[np.int64]:
    return read_parquet(path, ["parentid"])["parentid"].to_numpy()


def summarise(model: GalaxyModel, particles: Particles, surveys: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
    """
    Measure a galaxy.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    particles : Particles
        Its star particles.
    surveys : mapping of str to ndarray of int
        Name of each survey of it, and the particle of every star in it.

    Returns
    -------
    dict
        Rotation curve, velocity dispersions, accreted fractions and metallicities; nested, of numbers, None where
        there is nothing to measure. The disc's are of particles within 1 kpc of R = 8.2 kpc and `PLANE_KPC` of the
        plane, at all azimuths; shares are of the mass of stars formed there, or within 1 kpc of the Sun's circle.
    """
    stars = PhaseSpace(*particles.position.T, *particles.velocity.T)
    off = stars.r - R_SUN
    local, plane = off * off + stars.z * stars.z < 1.0, (np.abs(off) < 1.0) & (np.abs(stars.z) < PLANE_KPC)
    accreted, mass, feh = particles.accreted, particles.mass, particles.feh
    disc, age, thick = particles.origin < HEATED, particles.age, model.disc.thick_age
    by_age = zip(DISC_AGES, (age < 3.0, (age >= 4.0) & (age < thick), age >= thick), strict=True)
    groups = {name: plane & disc & chosen for name, chosen in by_age}
    return {
        "v_c_sun_kms": float(circular_velocity(model.potential, R_SUN)),
        "v_c_kms": {str(r): float(circular_velocity(model.potential, float(r))) for r in RADII_KPC},
        "sigma_kms": {name: {"R": _sigma(stars.v_r[g]), "z": _sigma(stars.v_z[g])} for name, g in groups.items()},
        "accreted": {
            "mass_within_1kpc_msun": float(mass[local & accreted].sum()),
            "share_within_1kpc": _share(mass[local & accreted], mass[local]),
            "over_in_situ_in_plane": _share(mass[plane & accreted], mass[plane & ~accreted]),
            "share_of_stars": {
                name: float(np.mean(accreted[particles.find(parents)])) for name, parents in surveys.items()
            },
        },
        "feh": {
            "disc": _moments(feh[plane & disc]),
            "heated": _moments(feh[local & (particles.origin == HEATED)]),
            "accreted": _moments(feh[local & accreted]),
        },
    }


def _sigma(values: Floats) -> float | None:
    return float(np.std(values)) if len(values) > 1 else None


def _moments(values: Floats) -> dict[str, float | None]:
    return {"mean": float(np.mean(values)) if len(values) else None, "sigma": _sigma(values)}


def _share(part: Floats, whole: Floats) -> float | None:
    return float(part.sum() / whole.sum()) if len(whole) else None


def read_population(output: Path) -> pd.DataFrame:
    """
    Read the table of a population.

    Parameters
    ----------
    output : Path
        Folder that `make_population` filled.

    Returns
    -------
    DataFrame
        A row a galaxy: ``name``, its parameters under their paths (``disc.sigma``, ``satellites.0.mass``) and what
        `summarise` measured under ``summary.``; NaN where a galaxy has fewer parts than another.

    Raises
    ------
    InputError
        If there is no population.
    """
    path = output / "population.csv"
    if not path.is_file():
        raise InputError(f"no population in {output}: run `exsitu mocks make --galaxy population --count N` first")
    return pd.read_csv(path)


def _write_index(output: Path, folders: list[Path]) -> None:
    """The table and the figure of the whole population."""
    from exsitu.evaluation.style import save_figure
    from exsitu.mocks.population.predictive import predictive_figure

    written = [read_json(folder / "galaxy.json") for folder in folders]
    table = pd.DataFrame([_flat(galaxy["model"]) | _flat(galaxy["summary"], "summary") for galaxy in written])
    with publish_file(output / "population.csv") as staged:
        table.to_csv(staged, index=False)
    save_figure(predictive_figure(table), output / "population.png")


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Leaves of nested JSON by the keys and numbers that lead to them, joined by dots."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = [(str(number), item) for number, item in enumerate(value)]
    else:
        return {path: value}
    leaves = (_flat(item, f"{path}.{key}" if path else key) for key, item in items)
    return {name: leaf for part in leaves for name, leaf in part.items()}
