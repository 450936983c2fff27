"""The Milky Way as surveys of the experiments: its stars with spectra, and all of Gaia's within the quality cut.

What is known of its stars are measurements; the truth is known of the stand-in alone, and used to measure with.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.mocks.spectra import in_fields
from exsitu.phase_space import frame as solar_frame
from exsitu.samples import ERRORS, IDENTITY, MEASURED, measured_phase_space, passes_quality_cut, with_velocities
from exsitu.settings import Settings
from exsitu.stages.prepare import crossmatch, labelled_sample, with_magnitude_errors
from exsitu.surveys.reader import read_survey
from exsitu.tables import read_parquet

SPECTRA, GAIA = "milky_way/spectra", "milky_way/gaia"
"""Names of the surveys: Gaia stars with the velocity and [Fe/H] of a spectroscopic survey, and all Gaia stars."""

EVERY_STAR = 10**9
"""More than any survey has: a sample of so many is the whole."""

VALIDATION_SHARE = 0.2
"""Of its stars, as in the stage ``prepare``: few carry a label, and some must be left to stop a transfer. None is set
aside for tests: thirds, or stars without spectra, are what is looked at."""

FRAME = "milky_way"
"""Name of the Sun's frame (`exsitu.phase_space.frame`)."""

_RELEASE = "gaia_dr2"
_FOLDER = "milkyway"


def is_milky_way(survey: str) -> bool:
    """
    Whether a survey is one of these.

    Parameters
    ----------
    survey : str
        Its name.

    Returns
    -------
    bool
    """
    return survey in {SPECTRA, GAIA}


def files_of(data: Path) -> list[Path]:
    """
    All files that the Milky Way's surveys are made of.

    Parameters
    ----------
    data : Path
        What the stage ``data`` wrote.

    Returns
    -------
    list of Path
        Gaia's table first; the table of neighbours and the truth where they exist.
    """
    folder = data / _FOLDER
    needed = [folder / "gaia.parquet", folder / "rave.parquet"]
    return [*needed, *(p for p in (folder / "best_neighbour.parquet", folder / "truth.parquet") if p.is_file())]


def load_milky_way(settings: Settings, data: Path, survey: str) -> pd.DataFrame:
    """
    Read a survey of the Milky Way as the experiments take it.

    Parameters
    ----------
    settings : Settings
        Quality cut, labels and seed.
    data : Path
        What the stage ``data`` wrote.
    survey : str
        `SPECTRA` or `GAIA`.

    Returns
    -------
    DataFrame
        Stars that pass the quality cut: what is measured with its errors (of the magnitudes those expected),
        ``v_r, v_phi, v_z`` as measured (NaN without a radial velocity), the labels of `SPECTRA`, ``parentid``, and
        ``accreted`` where the truth is known.
    """
    return _with_truth(data, _with_spectra(settings, data) if survey == SPECTRA else _gaia(settings, data))


def _with_spectra(settings: Settings, data: Path) -> pd.DataFrame:
    kinematic = settings.model_copy(update={"network": settings.network.model_copy(update={"input_set": "5D"})})
    parts = labelled_sample(kinematic, crossmatch(data))
    return pd.concat(parts.values(), ignore_index=True).sort_values("source_id", ignore_index=True)


def _gaia(settings: Settings, data: Path) -> pd.DataFrame:
    limit, kept = settings.quality.max_fractional_parallax_error, []
    for frame in read_survey(data / _FOLDER / "gaia.parquet", release=_RELEASE, chunk_rows=settings.chunk_rows):
        columns = [name for name in (*IDENTITY, *MEASURED, *ERRORS) if name in frame]
        kept.append(frame.loc[passes_quality_cut(frame, limit), columns])
    stars = pd.concat(kept, ignore_index=True)
    return with_magnitude_errors(with_velocities(stars, measured_phase_space(stars, solar_frame(FRAME))))


def sky_weights(gaia: Path, stars: pd.DataFrame) -> NDArray[np.float64]:
    """
    Weigh stars by how many of the sky each stands for.

    Parameters
    ----------
    gaia : Path
        Gaia's table; the stand-in's says what fraction it holds of the stars in spectroscopic fields, and of others.
    stars : DataFrame
        Stars of it.

    Returns
    -------
    ndarray, shape (n_stars,)
        1 for stars outside the fields, and for all of a real survey.
    """
    import pyarrow.parquet as pq

    about = pq.read_schema(gaia).metadata or {}
    fractions = [about.get(f"sampling_fraction_{part}".encode()) for part in ("within_cut", "fields")]
    if None in fractions:
        return np.ones(len(stars))
    elsewhere, inside = (float(fraction or b"nan") for fraction in fractions)
    return np.where(in_fields(stars), elsewhere / inside, 1.0)


def _with_truth(data: Path, frame: pd.DataFrame) -> pd.DataFrame:
    path = data / _FOLDER / "truth.parquet"
    if not path.is_file():
        return frame.assign(parentid=frame["source_id"])
    truth = read_parquet(path, columns=["source_id", "accreted", "parentid"])
    return frame.merge(truth, on="source_id", how="left", validate="one_to_one")


def counts(path: Path, gaia: pd.DataFrame, spectra: pd.DataFrame) -> pd.DataFrame:
    """
    Count the stars that pass the cuts (paper, Table 8).

    Parameters
    ----------
    path : Path
        Gaia's table.
    gaia, spectra : DataFrame
        The surveys.

    Returns
    -------
    DataFrame
        ``name``, ``stars``, ``paper_stars``.
    """
    import pyarrow.parquet as pq

    rows = {
        "all": (pq.read_metadata(path).num_rows, 1_692_919_135),
        "within the parallax cut": (len(gaia), 72_488_013),
        "... with a radial velocity": (int(gaia["radial_velocity"].notna().sum()), 5_393_495),
        "... with spectra": (len(spectra), 347_979),
    }
    return pd.DataFrame([{"name": name, "stars": n, "paper_stars": paper} for name, (n, paper) in rows.items()])


def truth_of(stars: pd.DataFrame) -> NDArray[np.bool_] | None:
    """
    Which stars are accreted, where that is known.

    Parameters
    ----------
    stars : DataFrame
        Stars of a survey.

    Returns
    -------
    ndarray of bool, shape (n_stars,), or None
    """
    return stars["accreted"].to_numpy(np.bool_) if "accreted" in stars else None


def absolute_magnitude(stars: pd.DataFrame) -> NDArray[np.float64]:
    """
    Absolute magnitudes, extinction left in.

    Parameters
    ----------
    stars : DataFrame
        With ``phot_g_mean_mag`` and positive ``parallax``, mas.

    Returns
    -------
    ndarray, shape (n_stars,)
        M_G, mag.
    """
    modulus = 5.0 * np.log10(stars["parallax"].to_numpy(np.float64)) - 10.0
    magnitude: NDArray[np.float64] = stars["phot_g_mean_mag"].to_numpy(np.float64) + modulus
    return magnitude
