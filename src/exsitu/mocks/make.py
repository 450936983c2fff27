"""Files of the built-in mocks: surveys of the simulated galaxies, and the stand-in for the Milky Way.

A survey is a sample: of each of its strata (stars within the parallax cut, stars beyond it, stars in spectroscopic
fields) one fraction of the galaxy's stars is drawn. The fractions stand in the files' metadata.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import COLUMNS
from exsitu.errors import InputError
from exsitu.mocks.galaxies import GalaxyModel, galaxy_model
from exsitu.mocks.particles import Particles, make_particles
from exsitu.mocks.randomness import Purpose, stream
from exsitu.mocks.spectra import FAINTEST_FIELD_G, in_fields, observe_spectra
from exsitu.mocks.stars import CHUNK, Stratum, View, observe, prepare, sampling_fraction
from exsitu.mocks.uncertainties import error_profile
from exsitu.provenance import publish_file
from exsitu.quality import fractional_parallax_error
from exsitu.settings import Galaxy, MilkyWay, Mocks
from exsitu.tables import write_parquet

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MOCK_COLUMNS = (
    "source_id", "random_index", "parentid", "ra", "dec", "l", "b", "ra_error", "dec_error",
    "parallax", "parallax_error", "parallax_over_error", "pmra", "pmra_error", "pmdec", "pmdec_error",
    "parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr", "radial_velocity", "radial_velocity_error",
    "feh", "age", "logg", "logteff", "phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag",
    "phot_g_mean_mag_error", "phot_bp_mean_mag_error", "phot_rp_mean_mag_error",
    "px_true", "py_true", "pz_true", "vx_true", "vy_true", "vz_true",
)  # fmt: skip
"""Columns of a mock survey, named as in the ananke mocks, with the correlations of the errors."""


GAIA_COLUMNS = tuple(
    c.name for c in COLUMNS.values() if "gaia_dr2" in c.releases and c.name != "original_ext_source_id"
)
"""Columns of the stand-in's Gaia table: the archive's, and no truth."""

TRUTH_COLUMNS = (
    "source_id", "accreted", "parentid", "feh", "age", "px_true", "py_true", "pz_true", "vx_true", "vy_true", "vz_true",
)  # fmt: skip
"""Columns of what is known of the stand-in's stars, for the audit alone."""

OBSERVED_FRACTION = 0.8
"""Share of the stars in the spectroscopic fields that have a spectrum."""


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
        Galaxy and viewpoint stand in the high bits, so ids never collide between surveys, and exceed 2^53 as Gaia's do.
    """
    return (8 * model.code + viewpoint) << 55


def _particles(model: GalaxyModel, mocks: Mocks, *, seed: int, progress: bool) -> Particles:
    if mocks.particle_mass_msun is None or mocks.accreted_particle_mass_msun is None:
        raise InputError(f"mocks.source is {mocks.source!r}; only 'builtin' mocks have particles to make")
    return make_particles(
        model,
        particle_mass_msun=mocks.particle_mass_msun,
        accreted_particle_mass_msun=mocks.accreted_particle_mass_msun,
        seed=seed,
        progress=progress,
    )


def within(low: float, high: float) -> "_Window":
    """
    Parallaxes measured to a fractional error in a range.

    Parameters
    ----------
    low, high : float
        low <= parallax_error / parallax < high, with a positive parallax.

    Returns
    -------
    callable
        ``(parallax, parallax_error) -> bool array``.
    """
    return _Window(low, high)


class _Window:
    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __call__(self, parallax: Floats, error: Floats) -> Mask:
        fraction = fractional_parallax_error(parallax, error)
        return (fraction >= self.low) & (fraction < self.high)


def _numbered(frames: Iterator[pd.DataFrame], first_id: int) -> Iterator[pd.DataFrame]:
    """Give the rows ids and their place in the random order."""
    done = 0
    for frame in frames:
        index = np.arange(done, done + len(frame), dtype=np.int64)
        done += len(frame)
        yield frame.assign(source_id=first_id + index, random_index=index)


def _survey(
    particles: Particles, view: View, stratum: Stratum, stars: int, seed: int, *, progress: bool
) -> tuple[float, Iterator[pd.DataFrame]]:
    """Sampling fraction of a stratum and its stars, chunk by chunk, with a bar."""
    prepared = prepare(particles, view, stratum, seed)
    fraction = sampling_fraction(prepared, view, stratum, stars, seed)

    def frames() -> Iterator[pd.DataFrame]:
        from tqdm import tqdm

        label = view.model.frames[view.viewpoint]
        with tqdm(total=stars, desc=label, unit="star", unit_scale=True, disable=not progress, leave=False) as bar:
            for frame in observe(prepared, view, stratum, fraction, seed):
                bar.update(len(frame))
                yield frame

    return fraction, frames()


def _describe(view: View, mocks: Mocks, seed: int) -> dict[str, str]:
    return {
        "generator": "exsitu built-in mock galaxies",
        "galaxy": view.model.name,
        "galaxy_source": view.model.source,
        "viewpoint": str(view.viewpoint),
        "solar_frame": view.model.frames[view.viewpoint],
        "error_profile": view.profile.name,
        "seed": str(seed),
        "particle_mass_msun": repr(mocks.particle_mass_msun),
        "accreted_particle_mass_msun": repr(mocks.accreted_particle_mass_msun),
    }


def make_mocks(
    folder: Path, galaxy: Galaxy, mocks: Mocks, *, seed: int, max_fractional_parallax_error: float, progress: bool
) -> list[Path]:
    """
    Make a galaxy and write surveys of it.

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

    Returns
    -------
    list of Path
        ``<galaxy>/lsr<N>.parquet`` (rows in random order) and ``<galaxy>/accreted_particle_ids.npy``: int64 ids that
        ``parentid`` refers to.

    Raises
    ------
    InputError
        If the galaxy, a viewpoint or the error profile is unknown, or more stars are asked for than there are.
    """
    model, profile = galaxy_model(galaxy.galaxy), error_profile(str(mocks.error_profile))
    views = [View(model, viewpoint, profile) for viewpoint in galaxy.viewpoints]
    if unknown := [view.viewpoint for view in views if not 0 <= view.viewpoint < len(model.frames)]:
        raise InputError(f"{model.name} has no viewpoints {unknown}; it has {len(model.frames)}, numbered from 0")
    particles = _particles(model, mocks, seed=seed, progress=progress)
    stratum = Stratum(0, within(0.0, max_fractional_parallax_error), max_fractional_parallax_error)
    written = []
    for view in views:
        fraction, frames = _survey(particles, view, stratum, mocks.stars_per_viewpoint, seed, progress=progress)
        about = _describe(view, mocks, seed) | {
            "max_fractional_parallax_error": repr(max_fractional_parallax_error),
            "sampling_fraction": repr(fraction),
        }
        path = folder / model.name / f"lsr{view.viewpoint}.parquet"
        numbered = _numbered(frames, first_source_id(model, view.viewpoint))
        write_parquet(path, (frame[list(MOCK_COLUMNS)] for frame in numbered), metadata=about)
        written.append(path)
    return [*written, _write_ids(folder / model.name / "accreted_particle_ids.npy", particles)]


def _write_ids(path: Path, particles: Particles) -> Path:
    with publish_file(path) as staged, staged.open("wb") as stream:
        np.save(stream, particles.accreted_ids, allow_pickle=False)
    return path


def make_standin(folder: Path, milky_way: MilkyWay, mocks: Mocks, *, seed: int, progress: bool) -> list[Path]:
    """
    Make the stand-in for the Milky Way: a Gaia-like survey, a RAVE-like one, their cross-match, and the truth.

    The Gaia-like table holds stars of the whole sky within the 10 % parallax cut, a fifth as many with errors of
    10-20 %, and a twentieth of worse ones, negative parallaxes among them. Spectroscopic fields (southern sky, away
    from the plane, 9 < I < 12) are sampled at a higher fraction than the rest, whatever their parallax, so that a small
    stand-in has enough spectra; each stratum's fraction stands in the metadata.

    Parameters
    ----------
    folder : Path
        Where.
    milky_way : MilkyWay
        ``gaia_stars`` within the parallax cut and ``spectroscopic_stars``, expected numbers.
    mocks : Mocks
        Particle masses.
    seed : int
        The same seed gives the same bytes.
    progress : bool
        Whether to show bars.

    Returns
    -------
    list of Path
        ``gaia.parquet`` (the archive's columns of Gaia DR2), ``rave.parquet`` (canonical columns, positions at epoch
        2000), ``best_neighbour.parquet``, ``truth.parquet``.

    Raises
    ------
    InputError
        If more spectra than Gaia stars, or more stars than there are, are asked for.
    """
    if milky_way.gaia_stars is None or milky_way.spectroscopic_stars is None:
        raise InputError(f"milky_way.source is {milky_way.source!r}; only the 'standin' is made")
    strata = _strata(milky_way.gaia_stars, milky_way.spectroscopic_stars)
    view = View(galaxy_model("milky_way"), 0, error_profile("dr2"))
    particles = _particles(view.model, mocks, seed=seed, progress=progress)
    about = _describe(view, mocks, seed) | {"release": "gaia_dr2"}
    frames: list[pd.DataFrame] = []
    for name, (stratum, stars) in strata.items():
        fraction, chunks = _survey(particles, view, stratum, stars, seed, progress=progress)
        about[f"sampling_fraction_{name}"] = repr(fraction)
        frames.extend(chunk.assign(in_fields=stratum.by_row is in_fields) for chunk in chunks)
    stars_table = _shuffled(frames, view, seed)
    stars_table["accreted"] = particles.accreted[stars_table["parentid"].to_numpy()]
    return _write_standin(folder, stars_table, about, view, seed)


def _strata(gaia_stars: int, spectroscopic_stars: int) -> dict[str, tuple[Stratum, int]]:
    """The stand-in's strata and the expected number of stars in each."""
    in_all_fields = round(spectroscopic_stars / OBSERVED_FRACTION)
    if in_all_fields >= gaia_stars:
        raise InputError(
            f"milky_way.spectroscopic_stars = {spectroscopic_stars} need {in_all_fields} stars in the fields, but "
            f"gaia_stars is {gaia_stars}; ask for more Gaia stars or fewer spectra"
        )
    precise, fair = within(0.0, 0.1), within(0.1, 0.2)
    return {
        "within_cut": (Stratum(1, precise, 0.1, by_row=_outside_fields), gaia_stars - in_all_fields),
        "beyond_cut": (Stratum(2, fair, 0.2, by_row=_outside_fields), max(gaia_stars // 5, 1)),
        "far_beyond_cut": (Stratum(3, _worse_than(0.2), by_row=_outside_fields), max(gaia_stars // 20, 1)),
        "fields": (Stratum(4, _any_parallax, faintest=FAINTEST_FIELD_G, by_row=in_fields), in_all_fields),
    }


def _worse_than(limit: float) -> "_Complement":
    return _Complement(within(0.0, limit))


class _Complement:
    def __init__(self, window: _Window) -> None:
        self.window = window

    def __call__(self, parallax: Floats, error: Floats) -> Mask:
        return ~self.window(parallax, error)


def _any_parallax(parallax: Floats, _error: Floats) -> Mask:
    return np.isfinite(parallax)


def _outside_fields(frame: pd.DataFrame) -> Mask:
    return ~in_fields(frame)


def _shuffled(frames: list[pd.DataFrame], view: View, seed: int) -> pd.DataFrame:
    """All strata in one random order, numbered."""
    table = pd.concat(frames, ignore_index=True)
    order = stream(seed, view.model, Purpose.SHUFFLE, view.viewpoint).permutation(len(table))
    return next(
        _numbered(iter([table.iloc[order].reset_index(drop=True)]), first_source_id(view.model, view.viewpoint))
    )


def _write_standin(folder: Path, stars: pd.DataFrame, about: dict[str, str], view: View, seed: int) -> list[Path]:
    rng = stream(seed, view.model, Purpose.SPECTRA, view.viewpoint)
    observed = stars[stars["in_fields"].to_numpy() & (rng.random(len(stars)) < OBSERVED_FRACTION)]
    spectra, neighbours = observe_spectra(observed, rng)
    # The archive counts longitudes from 0 to 360.
    longitude = stars["l"].to_numpy()
    gaia = stars.assign(l=np.where(longitude < 0.0, longitude + 360.0, longitude))
    tables = {
        "gaia": (gaia[list(GAIA_COLUMNS)], about),
        "rave": (spectra, about | {"release": "rave_dr5", "epoch": "2000.0"}),
        "best_neighbour": (neighbours, about),
        "truth": (stars[list(TRUTH_COLUMNS)], about),
    }
    paths = []
    for name, (table, metadata) in tables.items():
        chunks = (table.iloc[first : first + CHUNK] for first in range(0, len(table), CHUNK))
        write_parquet(folder / f"{name}.parquet", chunks, metadata=metadata)
        paths.append(folder / f"{name}.parquet")
    return paths
