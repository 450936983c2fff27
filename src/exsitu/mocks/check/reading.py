"""Mock surveys on the disk: which there are, what they say of themselves, and their stars in chunks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from exsitu.errors import InputError
from exsitu.labels.histories import accreted_from_particles
from exsitu.phase_space import SolarFrame
from exsitu.samples import TRUTH, passes_quality_cut, true_phase_space
from exsitu.surveys.ananke import read_particle_ids
from exsitu.surveys.mock_files import IDS, described_sun
from exsitu.tables import describe, iter_parquet

DRAWN = 400_000
"""About so many in-situ stars of a survey are kept for the pictures."""

_CUT = ("parallax", "parallax_error")


def survey_path(folder: Path, viewpoint: int) -> Path:
    """
    File of a survey.

    Parameters
    ----------
    folder : Path
        Folder of one galaxy.
    viewpoint : int
        Number of the viewpoint.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is none.
    """
    path = folder / f"lsr{viewpoint}.parquet"
    if not path.is_file():
        raise InputError(f"no {path}: run `exsitu mocks make` or `exsitu mocks import`, or choose another --viewpoint")
    return path


def viewpoints_in(folder: Path) -> list[int]:
    """
    Numbers of the viewpoints that have a survey in a folder.

    Parameters
    ----------
    folder : Path
        Folder of one galaxy.

    Returns
    -------
    list of int
        Ascending.
    """
    numbers = (path.stem.removeprefix("lsr") for path in folder.glob("lsr*.parquet"))
    return sorted(int(number) for number in numbers if number.isdecimal())


def describe_survey(path: Path) -> dict[str, str]:
    """
    What a survey's file says of itself.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of str to str
        ``galaxy`` among it; the name of the folder where the file names none.
    """
    from pyarrow import parquet

    describe(path)
    said = {key.decode(): value.decode() for key, value in (parquet.read_schema(path).metadata or {}).items()}
    return {"galaxy": path.parent.name} | {key: value for key, value in said.items() if key.isidentifier()}


def stars_of(
    path: Path, columns: tuple[str, ...], max_fractional_parallax_error: float, *, progress: bool
) -> Iterator[pd.DataFrame]:
    """
    Read a survey in chunks, with the quality cut.

    Parameters
    ----------
    path : Path
        The file.
    columns : tuple of str
        Columns to read, ``parallax`` and ``parallax_error`` among them.
    max_fractional_parallax_error : float
        Only stars with 0 < parallax_error / parallax below this are given.
    progress : bool
        Whether to show a bar.

    Yields
    ------
    DataFrame
    """
    from tqdm import tqdm

    label, rows = f"{path.parent.name}/{path.stem}", describe(path).rows
    with tqdm(total=rows, desc=label, unit="star", unit_scale=True, disable=not progress, leave=False) as bar:
        for chunk in iter_parquet(path, columns=columns):
            yield chunk[passes_quality_cut(chunk, max_fractional_parallax_error)].reset_index(drop=True)
            bar.update(len(chunk))


def thinning(path: Path) -> int:
    """
    Every so many-th in-situ star of a survey is kept for the pictures.

    Parameters
    ----------
    path : Path
        Its file.

    Returns
    -------
    int
    """
    return max(1, round((describe(path).rows or 0) / DRAWN))


def motions(chunk: pd.DataFrame, solar: SolarFrame) -> pd.DataFrame:
    """
    True places and motions of stars.

    Parameters
    ----------
    chunk : DataFrame
        With ananke's truth columns.
    solar : SolarFrame
        Of the survey.

    Returns
    -------
    DataFrame
        Galactocentric ``x, y, z`` and ``distance_kpc`` from the Sun, kpc; ``v_r, v_phi, v_z``, km/s.
    """
    true = true_phase_space(chunk, solar)
    columns = {name: getattr(true, name) for name in ("x", "y", "z", "v_r", "v_phi", "v_z")}
    columns["distance_kpc"] = np.sqrt(sum(chunk[f"p{axis}_true"].to_numpy(np.float64) ** 2 for axis in "xyz"))
    return pd.DataFrame({name: values.astype(np.float32) for name, values in columns.items()})


def look_around(
    folder: Path, viewpoint: int, max_fractional_parallax_error: float, *, progress: bool
) -> tuple[pd.DataFrame, int, int]:
    """
    A survey's in-situ stars for the pictures, and how many of its stars are accreted.

    Parameters
    ----------
    folder : Path
        Folder of one galaxy.
    viewpoint : int
        Number of the viewpoint.
    max_fractional_parallax_error : float
        The quality cut.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    stars : DataFrame
        From `motions`, thinned.
    accreted, everyone : int
        Numbers of stars.
    """
    path, ids = survey_path(folder, viewpoint), read_particle_ids(folder / IDS)
    solar, step = described_sun(describe_survey(path)), thinning(path)
    kept, accreted, everyone = [], 0, 0
    columns = (*_CUT, "parentid", *TRUTH)
    for chunk in stars_of(path, columns, max_fractional_parallax_error, progress=progress):
        found = accreted_from_particles(chunk["parentid"], ids)
        accreted, everyone = accreted + int(found.sum()), everyone + len(chunk)
        kept.append(motions(chunk[~found].iloc[::step], solar))
    return pd.concat(kept, ignore_index=True), accreted, everyone


def percent_in_common(one: Path, other: Path) -> float:
    """
    Share of the first stars of a survey that are in another one too, told by their true places.

    Parameters
    ----------
    one, other : Path
        Files of two surveys.

    Returns
    -------
    float
        Percent.
    """
    places = [next(iter_parquet(path, columns=list(TRUTH[:3]))) for path in (one, other)]
    return 100.0 * len(places[0].merge(places[1].drop_duplicates())) / len(places[0])
