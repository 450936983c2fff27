"""Files of the built-in mocks: surveys of a galaxy from its viewpoints.

A survey is a sample: of the stars within the parallax cut one fraction is drawn, which stands in the file's metadata.
Beside it stand the mean and standard deviation of what the network takes in, of all stars whatever their parallax.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.mocks.galaxies import GalaxyModel, galaxy_model
from exsitu.mocks.kept import kept_particles
from exsitu.mocks.particles import Particles
from exsitu.mocks.sampling import Sample, observe, sampling_fraction, share_of, stars_shown
from exsitu.mocks.stars import Stratum, View, any_parallax, prepare, within
from exsitu.mocks.uncertainties import ErrorProfile, error_profile
from exsitu.settings import Galaxy, Mocks
from exsitu.surveys.mock_files import Moments, describe_view, uncut_path, write_particle_ids, write_uncut
from exsitu.tables import write_parquet

MOCK_COLUMNS = (
    "source_id", "random_index", "parentid", "ra", "dec", "l", "b", "ra_error", "dec_error",
    "parallax", "parallax_error", "parallax_over_error", "pmra", "pmra_error", "pmdec", "pmdec_error",
    "parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr", "radial_velocity", "radial_velocity_error",
    "feh", "age", "logg", "logteff", "phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag",
    "phot_g_mean_mag_error", "phot_bp_mean_mag_error", "phot_rp_mean_mag_error",
    "px_true", "py_true", "pz_true", "vx_true", "vy_true", "vz_true",
)  # fmt: skip
"""Columns of a mock survey, named as in the ananke mocks, with the correlations of the errors."""

UNCUT_STARS = 300_000
"""Stars without a parallax cut whose means and standard deviations are kept, or all there are."""

_WITHIN_CUT, _UNCUT = 0, 5
"""Numbers of the strata; 1 to 4 are the stand-in's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What surveys are to be made of a galaxy.

    Parameters
    ----------
    stars : int
        Expected number of stars of one survey.
    profile : ErrorProfile
        How well is measured.
    seed : int
        The same seed gives the same bytes.
    max_fractional_parallax_error : float
        Only stars with 0 < parallax_error / parallax below this are written.
    """

    stars: int
    profile: ErrorProfile
    seed: int
    max_fractional_parallax_error: float


def make_mocks(
    folder: Path,
    galaxy: Galaxy,
    mocks: Mocks,
    *,
    seed: int,
    max_fractional_parallax_error: float,
    progress: bool,
    kept: Path | None = None,
) -> list[Path]:
    """
    Make a built-in galaxy and write surveys of it.

    Parameters
    ----------
    folder : Path
        Where; files go into a folder named after the galaxy.
    galaxy : Galaxy
        Name and viewpoints.
    mocks : Mocks
        Stars a survey (expected number), particle masses, error profile.
    seed : int
        The same seed gives the same bytes.
    max_fractional_parallax_error : float
        Only stars with 0 < parallax_error / parallax below this are written, and G < 21.
    progress : bool
        Whether to show bars.
    kept : Path, optional
        Folder in which particles are kept between runs.

    Returns
    -------
    list of Path
        As of `make_surveys`.

    Raises
    ------
    InputError
        If the galaxy, a viewpoint or the error profile is unknown, or more stars are asked for than there are.
    """
    model, profile = galaxy_model(galaxy.galaxy), error_profile(str(mocks.error_profile))
    views_of(model, galaxy.viewpoints, profile)
    plan = Plan(mocks.stars_per_viewpoint, profile, seed, max_fractional_parallax_error)
    particles = particles_of(model, mocks, seed=seed, kept=kept, progress=progress)
    about = described_masses(mocks)
    return make_surveys(folder / model.name, model, particles, galaxy.viewpoints, plan, about, progress=progress)


def make_surveys(
    folder: Path,
    model: GalaxyModel,
    particles: Particles,
    viewpoints: Sequence[int],
    plan: Plan,
    about: Mapping[str, str],
    *,
    progress: bool,
) -> list[Path]:
    """
    Write surveys of a galaxy.

    Parameters
    ----------
    folder : Path
        Where.
    model : GalaxyModel
        The galaxy.
    particles : Particles
        Its star particles.
    viewpoints : sequence of int
        Numbers of the viewpoints.
    plan : Plan
        How many stars, how well measured.
    about : mapping of str to str
        What the files say of themselves, beyond what the generator knows.
    progress : bool
        Whether to show bars.

    Returns
    -------
    list of Path
        ``lsr<N>.parquet`` (rows in random order) and ``lsr<N>.uncut.json`` a viewpoint, and
        ``accreted_particle_ids.npy``: int64 ids that ``parentid`` refers to.

    Raises
    ------
    InputError
        If a viewpoint is unknown, or more stars are asked for than there are.
    """
    written = []
    for view in views_of(model, viewpoints, plan.profile):
        path = folder / f"lsr{view.viewpoint}.parquet"
        _write_survey(path, particles, view, plan, about, progress=progress)
        written += [path, _write_uncut(uncut_path(path), particles, view, plan.seed, progress=progress)]
    return [*written, write_particle_ids(folder, particles.accreted_ids)]


def first_source_id(model: GalaxyModel, viewpoint: int) -> int:
    """
    Lowest ``source_id`` of a survey.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    viewpoint : int
        Number of the viewpoint.

    Returns
    -------
    int
        Galaxy and viewpoint stand in the high bits, so ids never collide between surveys of galaxies with codes below
        2^17, and exceed 2^53 as Gaia's do. The other 40 bits are the star's place in the random order.
    """
    return (1 << 61) + ((8 * model.code + viewpoint) << 40)


def particles_of(model: GalaxyModel, mocks: Mocks, *, seed: int, kept: Path | None, progress: bool) -> Particles:
    """
    Make a galaxy's star particles as the settings say, or take the kept ones.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    mocks : Mocks
        Particle masses.
    seed : int
        The stage's.
    kept : Path or None
        Folder in which particles are kept between runs.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Particles

    Raises
    ------
    InputError
        If the mocks are not built in.
    """
    if mocks.particle_mass_msun is None or mocks.accreted_particle_mass_msun is None:
        raise InputError(f"mocks.source is {mocks.source!r}; only 'builtin' mocks have particles to make")
    return kept_particles(
        kept,
        model,
        particle_mass_msun=mocks.particle_mass_msun,
        accreted_particle_mass_msun=mocks.accreted_particle_mass_msun,
        seed=seed,
        progress=progress,
    )


def described_masses(mocks: Mocks) -> dict[str, str]:
    """
    Particle masses, for the metadata of a file.

    Parameters
    ----------
    mocks : Mocks
        The settings.

    Returns
    -------
    dict of str to str
    """
    return {
        "particle_mass_msun": repr(mocks.particle_mass_msun),
        "accreted_particle_mass_msun": repr(mocks.accreted_particle_mass_msun),
    }


def described(view: View, seed: int) -> dict[str, str]:
    """
    What the generator knows of a survey, for the metadata of its file.

    Parameters
    ----------
    view : View
        From where, and how well measured.
    seed : int
        The stage's.

    Returns
    -------
    dict of str to str
    """
    return describe_view(view.model.name, view.viewpoint, view.solar) | {
        "generator": "exsitu built-in mock galaxies",
        "galaxy_source": view.model.source,
        "error_profile": view.profile.name,
        "seed": str(seed),
    }


def sample_of(particles: Particles, view: View, stratum: Stratum, stars: int, seed: int) -> Sample:
    """
    Make a stratum ready to be drawn.

    Parameters
    ----------
    particles : Particles
        Of the whole galaxy.
    view : View
        From where.
    stratum : Stratum
        Which stars.
    stars : int
        Expected number.
    seed : int
        The stage's.

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        If there are fewer stars.
    """
    prepared = prepare(particles, view, stratum, seed)
    return Sample(stratum, prepared, sampling_fraction(prepared, view, stratum, stars, seed))


def drawn(
    samples: Sequence[Sample], view: View, seed: int, *, stars: float, label: str, progress: bool
) -> Iterator[pd.DataFrame]:
    """
    Draw stars and number them, with a bar.

    Parameters
    ----------
    samples : sequence of Sample
        The strata.
    view : View
        From where.
    seed : int
        The stage's.
    stars : float
        Expected number, for the bar.
    label : str
        What the bar says.
    progress : bool
        Whether to show it.

    Yields
    ------
    DataFrame
        A chunk of all strata in random order, with ``source_id`` and ``random_index``.
    """
    from tqdm import tqdm

    done, last_id = 0, first_source_id(view.model, view.viewpoint) - 1
    with tqdm(total=round(stars), desc=label, unit="star", unit_scale=True, disable=not progress, leave=False) as bar:
        for frame in observe(samples, view, seed):
            index = np.arange(done, done + len(frame), dtype=np.int64)
            ids = _distinct(first_source_id(view.model, view.viewpoint) + frame.pop("order").to_numpy(), last_id)
            done, last_id = done + len(frame), int(ids[-1]) if len(ids) else last_id
            bar.update(len(frame))
            yield frame.assign(source_id=ids, random_index=index)


def _distinct(ascending: NDArray[np.int64], above: int) -> NDArray[np.int64]:
    """Ids that equal none before: of two stars in one place the second takes the next."""
    index = np.arange(len(ascending), dtype=np.int64)
    found: NDArray[np.int64] = np.maximum(np.maximum.accumulate(ascending - index), above + 1) + index
    return found


def views_of(model: GalaxyModel, viewpoints: Sequence[int], profile: ErrorProfile) -> list[View]:
    """
    A galaxy from some of its viewpoints.

    Parameters
    ----------
    model : GalaxyModel
        The galaxy.
    viewpoints : sequence of int
        Numbers of the viewpoints.
    profile : ErrorProfile
        How well is measured.

    Returns
    -------
    list of View

    Raises
    ------
    InputError
        If the galaxy has no such viewpoint.
    """
    if unknown := [viewpoint for viewpoint in viewpoints if not 0 <= viewpoint < len(model.suns)]:
        raise InputError(f"{model.name} has no viewpoints {unknown}; it has {len(model.suns)}, numbered from 0")
    return [View(model, viewpoint, profile) for viewpoint in viewpoints]


def _write_survey(
    path: Path, particles: Particles, view: View, plan: Plan, about: Mapping[str, str], *, progress: bool
) -> None:
    limit = plan.max_fractional_parallax_error
    sample = sample_of(particles, view, Stratum(_WITHIN_CUT, within(0.0, limit), limit), plan.stars, plan.seed)
    frames = drawn([sample], view, plan.seed, stars=plan.stars, label=view.survey, progress=progress)
    metadata = {
        **described(view, plan.seed),
        **about,
        "max_fractional_parallax_error": repr(limit),
        "sampling_fraction": repr(sample.fraction),
    }
    write_parquet(path, (frame[list(MOCK_COLUMNS)] for frame in frames), metadata=metadata)


def _write_uncut(path: Path, particles: Particles, view: View, seed: int, *, progress: bool) -> Path:
    """Draw stars whatever their parallax and keep what the paper's scaler was measured on."""
    stratum, moments = Stratum(_UNCUT, any_parallax), Moments()
    prepared = prepare(particles, view, stratum, seed)
    shown = stars_shown(prepared, view, stratum, seed)
    sample = Sample(stratum, prepared, share_of(UNCUT_STARS, shown))
    label = f"{view.survey}, uncut"
    for frame in drawn([sample], view, seed, stars=min(shown, UNCUT_STARS), label=label, progress=progress):
        moments.add(frame)
    return write_uncut(path, view.survey, round(shown), moments)
