"""The files of a mock survey, made or imported: the stars, the uncut sample, the list of accreted particles.

``<folder>/lsr<N>.parquet`` holds the stars that pass the parallax cut, ``<folder>/lsr<N>.uncut.json`` the means and
standard deviations of all stars the galaxy shows there, which is what the paper's scaler was measured on, and
``<folder>/accreted_particle_ids.npy`` the particles born in another galaxy.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.formats import recognise
from exsitu.formats.parquet import parquet_parts
from exsitu.phase_space import SolarFrame
from exsitu.provenance import publish_file, write_json
from exsitu.table_formats import reading

IDS = "accreted_particle_ids.npy"
"""Name of the list of accreted particles."""

FAINTEST_G = 21.0
"""Fainter stars are in no survey, mag."""

UNCUT_COLUMNS = (
    "l", "b", "pmra", "pmdec", "parallax", "phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag",
    "radial_velocity", "feh",
)  # fmt: skip
"""Columns whose mean and standard deviation are kept of stars without a parallax cut: the network's inputs."""


_Moments = tuple[int, float, float]
"""Number of values, their mean, and the sum of squares about it."""


class Moments:
    """
    Means and standard deviations of columns that come in chunks.

    Parameters
    ----------
    names : tuple of str
        Columns; those that a chunk lacks are left out of it.

    Notes
    -----
    Chunks are merged as in Chan, Golub & LeVeque (1983), so that no sum of squares loses its digits.
    """

    __slots__ = ("_found", "rows")

    def __init__(self, names: tuple[str, ...] = UNCUT_COLUMNS) -> None:
        self._found = dict.fromkeys(names, (0, 0.0, 0.0))
        self.rows = 0

    def add(self, frame: pd.DataFrame) -> None:
        """
        Take in one chunk.

        Parameters
        ----------
        frame : DataFrame
            Any rows; values that are not finite are left out.
        """
        self.rows += len(frame)
        for name, before in self._found.items():
            values = frame[name].to_numpy(np.float64) if name in frame else np.empty(0)
            values = values[np.isfinite(values)]
            if values.size:
                self._found[name] = _merged(before, _moments(values))

    def summary(self) -> dict[str, dict[str, float | int | None]]:
        """
        What came in.

        Returns
        -------
        dict
            ``{column: {"mean", "std", "count"}}`` in the column's unit, over all finite values; mean and standard
            deviation are None where there are none.
        """
        return {
            name: {
                "mean": mean if n else None,
                "std": float(np.sqrt(squares / n)) if n else None,
                "count": n,
            }
            for name, (n, mean, squares) in self._found.items()
        }


def _moments(values: NDArray[np.float64]) -> _Moments:
    """Of one chunk; summed in the order of the rows, because NumPy's own sums differ between processors."""
    mean = float(np.cumsum(values)[-1]) / values.size
    off = values - mean
    return values.size, mean, float(np.cumsum(off * off)[-1])


def _merged(a: _Moments, b: _Moments) -> _Moments:
    total, step = a[0] + b[0], b[1] - a[1]
    return total, a[1] + step * b[0] / total, a[2] + b[2] + step * step * a[0] * b[0] / total


def uncut_path(survey: Path) -> Path:
    """
    File of the uncut sample beside that of a survey.

    Parameters
    ----------
    survey : Path
        ``lsr<N>.parquet``.

    Returns
    -------
    Path
        ``lsr<N>.uncut.json``.
    """
    return survey.with_suffix(".uncut.json")


def write_uncut(path: Path, survey: str, expected_stars: int, sample: Moments) -> Path:
    """
    Write what is known of the stars of a survey without a parallax cut.

    Parameters
    ----------
    path : Path
        From `uncut_path`.
    survey : str
        Name of the survey, ``<galaxy>/lsr<N>``.
    expected_stars : int
        How many stars with G < 21 the galaxy shows there.
    sample : Moments
        Of a random sample of them, or of all.

    Returns
    -------
    Path
        `path`.
    """
    about: dict[str, Any] = {"survey": survey, "stars": sample.rows, "expected_stars": expected_stars}
    write_json(path, about | {"columns": sample.summary()})
    return path


def write_particle_ids(folder: Path, ids: NDArray[np.int64]) -> Path:
    """
    Write the list of accreted particles.

    Parameters
    ----------
    folder : Path
        Folder of the galaxy.
    ids : ndarray of int64, shape (n_particles,)
        What ``parentid`` refers to.

    Returns
    -------
    Path
        The file.
    """
    path = folder / IDS
    with publish_file(path) as staged, staged.open("wb") as stream:
        np.save(stream, ids, allow_pickle=False)
    return path


def describe_view(galaxy: str, viewpoint: int, solar: SolarFrame) -> dict[str, str]:
    """
    Say where a survey was made from, for the metadata of its file.

    Parameters
    ----------
    galaxy : str
        Name of the galaxy.
    viewpoint : int
        Number of the viewpoint.
    solar : SolarFrame
        The Sun there.

    Returns
    -------
    dict of str to str
        ``survey``, ``galaxy``, ``viewpoint``, ``solar_r_kpc``, ``solar_z_kpc`` and ``solar_velocity_kms``, the last a
        JSON list (towards the centre, along the rotation, towards the north pole).
    """
    return {
        "survey": f"{galaxy}/lsr{viewpoint}",
        "galaxy": galaxy,
        "viewpoint": str(viewpoint),
        "solar_r_kpc": repr(float(solar.r_sun_kpc)),
        "solar_z_kpc": repr(float(solar.z_sun_kpc)),
        "solar_velocity_kms": json.dumps([float(v) for v in solar.v_sun_kms]),
    }


def described_sun(about: Mapping[str, str]) -> SolarFrame:
    """
    Read the Sun back from the metadata of a survey's file.

    Parameters
    ----------
    about : mapping of str to str
        As `describe_view` gives it, perhaps with more.

    Returns
    -------
    SolarFrame

    Raises
    ------
    InputError
        If the file does not say where it was made from.
    """
    try:
        inwards, ahead, upwards = json.loads(about["solar_velocity_kms"])
        r_sun, z_sun = float(about["solar_r_kpc"]), float(about["solar_z_kpc"])
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"the survey's file does not say where the Sun is ({error}); make or import it again"
        ) from None
    return SolarFrame(r_sun, z_sun, (float(inwards), float(ahead), float(upwards)), about.get("survey", "its file"))


def survey_sun(path: Path) -> SolarFrame:
    """
    Where a survey was made from.

    Parameters
    ----------
    path : Path
        Its Parquet file, made or imported by exsitu.

    Returns
    -------
    SolarFrame

    Raises
    ------
    InputError
        If the file is missing or does not say.
    """
    if not path.is_file():
        raise InputError(f"no survey {path}; make it with `exsitu data` or `exsitu mocks make`")
    return described_sun(_metadata(path))


def stated_sun(path: Path) -> SolarFrame | None:
    """
    From where the stars of any file are seen, if it says.

    Parameters
    ----------
    path : Path
        A table of stars.

    Returns
    -------
    SolarFrame or None
        None for what is no mock: the Milky Way's stars are seen from the Sun.
    """
    told = _metadata(path) if recognise(path) == "parquet" else {}
    return described_sun(told) if "solar_velocity_kms" in told else None


def _metadata(path: Path) -> dict[str, str]:
    import pyarrow.parquet as pq

    with reading(path):
        told = pq.read_schema(next(iter(parquet_parts(path)), path)).metadata or {}
        return {key.decode(): value.decode() for key, value in told.items() if key not in {b"ARROW:schema", b"pandas"}}
