"""Whether a survey can be what its columns are called: units, angles, swapped columns, turned signs.

What is looked at are rows that lie evenly in the whole survey, whether they pass the parallax cut or not, and never the
selected stars alone: a slip makes other stars selected. No range here is narrower than what was met in right surveys of
every kind (Gaia, Hipparcos, spectroscopic surveys, clusters, haloes, mock galaxies); tests hold it to that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from exsitu.evaluation.reflex import FEWEST_CELLS, FEWEST_STARS, Reflex, reflex
from exsitu.gates.sampling import EvenSample
from exsitu.phase_space import KMS_PER_KPC_MASYR, galactic_to_icrs, unit_vector

Floats = NDArray[np.float64]

_SAMPLE_ROWS = 1 << 17
_MOTIONS = 20_000
"""Stars whose motions are compared; more would cost time and show nothing more."""

_WELL_MEASURED = 5.0
"""Parallax over its error of the stars whose parallaxes and motions are looked at."""

_FEWEST = 20
"""Stars below which a median or a range says nothing."""

_LOST_POSITIONS = 0.25
"""Swapping ra and dec leaves three stars in four beyond the poles; sentinels take fewer."""
_SEPARATION_DEG = 0.1

# Medians of well measured stars met (mas): apogee giants 0.15, Gaia 0.9, halo stars 0.9, Hipparcos 9, stars within
# 10 pc 130. Two powers of ten on either side of the usual: a slip of a factor 1000 leaves the range.
_PARALLAX_MAS = (0.1, 300.0)
_PARALLAX_ERROR_MAS = (0.003, 5.0)
# Medians met (km/s): Hipparcos, clusters 25, Gaia 40, metal-poor stars 270.
_SPEED_KMS = (2.0, 1500.0)


@dataclass(slots=True)
class Plausibility:
    """
    Watch over a survey that comes in chunks.

    Parameters
    ----------
    more : tuple of str
        Further columns of the survey to keep a sample of, such as the inputs of a network.
    """

    more: tuple[str, ...] = ()
    _sample: EvenSample | None = field(default=None, init=False)
    _fitted: tuple[int, Reflex | None] | None = field(default=None, init=False)

    def add(self, columns: Mapping[str, ArrayLike] | pd.DataFrame) -> None:
        """
        Take in one chunk.

        Parameters
        ----------
        columns : mapping of str to array_like, shape (n_stars,), or DataFrame
            Under the registry's names and in its units; every chunk has the same. Needed are ``ra, dec`` or ``l, b``,
            ``parallax``, ``pmra`` and ``pmdec``.
        """
        wanted = ("ra", "dec", "l", "b", "parallax", "parallax_error", "pmra", "pmdec", *self.more)
        names = [name for name in dict.fromkeys(wanted) if name in columns]
        if self._sample is None:
            self._sample = EvenSample(names, _SAMPLE_ROWS)
        self._sample.add(pd.DataFrame({name: columns[name] for name in names}, copy=False))

    @property
    def rows(self) -> pd.DataFrame:
        """Rows that lie evenly in the survey, as they came."""
        return pd.DataFrame() if self._sample is None else self._sample.frame()

    def doubts(self) -> list[str]:
        """
        Say what cannot be as the columns' names and units have it.

        Returns
        -------
        list of str
            A sentence each, with the value and the limit; empty where nothing was found.
        """
        rows = self.rows
        if rows.empty:
            return []
        found = [*_positions(rows), *_angles(rows), *_two_positions(rows), *_scales(rows, _well_measured(rows))]
        motion = self._motion()
        if motion is not None and motion.better:
            found.append(
                f"the motions of {motion.stars} stars all over the sky fit the Sun's motion better if "
                f"{motion.better[0]}: correct the columns"
            )
        return found

    def notes(self) -> list[str]:
        """
        Say what could not be looked at.

        Returns
        -------
        list of str
        """
        motion = self._motion()
        if motion is not None and motion.told:
            return []
        stars, cells = (0, 0) if motion is None else (motion.stars, motion.cells)
        said = (
            f"whether proper motions, parallaxes and positions belong together could not be told: {stars} stars "
            f"measured to a fifth or better lie in {cells} of 288 cells of the sky; {FEWEST_STARS} in "
            f"{FEWEST_CELLS} are needed"
        )
        return [said]

    def _motion(self) -> Reflex | None:
        """What the motions say of the rows that came so far; None where no star is measured well."""
        seen = 0 if self._sample is None else self._sample.seen
        if self._fitted is None or self._fitted[0] != seen:
            good = _well_measured(self.rows) if seen else pd.DataFrame()
            self._fitted = (seen, None if good.empty else _reflex(good))
        return self._fitted[1]


def _well_measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Stars with a position, a proper motion and a parallax measured to a fifth (positive where it has no error)."""
    place = ("l", "b") if {"l", "b"} <= set(rows) else ("ra", "dec")
    needed = rows[[*place, "parallax", "pmra", "pmdec"]].to_numpy(np.float64)
    parallax = rows["parallax"].to_numpy(np.float64)
    good = np.isfinite(needed).all(axis=1) & (np.abs(needed[:, 1]) <= 90.0) & (parallax > 0.0)
    if "parallax_error" in rows:
        good &= ~(rows["parallax_error"].to_numpy(np.float64) * _WELL_MEASURED > parallax)
    kept: pd.DataFrame = rows.loc[good]
    return kept


def _positions(rows: pd.DataFrame) -> Iterator[str]:
    for longitude, latitude in (("ra", "dec"), ("l", "b")):
        if {longitude, latitude} <= set(rows):
            angles = rows[[longitude, latitude]].to_numpy(np.float64)
            lost = float(np.mean(~(np.isfinite(angles).all(axis=1) & (np.abs(angles[:, 1]) <= 90.0))))
            if lost > _LOST_POSITIONS:
                yield (
                    f"{100 * lost:.3g} % of the rows have no possible {longitude}, {latitude} (at most "
                    f"{100 * _LOST_POSITIONS:g} %; {latitude} is from -90 to 90): {longitude} and {latitude} may be "
                    "swapped"
                )
            return  # the other pair is made from this one, or compared with it


def _angles(rows: pd.DataFrame) -> Iterator[str]:
    """All of the sky in what would be a corner of it if the angles were degrees."""
    for longitude, latitude in (("ra", "dec"), ("l", "b")):
        if not {longitude, latitude} <= set(rows):
            continue
        lon, lat = (values[np.isfinite(values)] for values in rows[[longitude, latitude]].to_numpy(np.float64).T)
        if min(lon.size, lat.size) < _FEWEST:
            continue
        around, high = float(np.ptp(lon)), float(np.ptp(lat))
        radians = np.abs(lon).max() <= 2 * np.pi and np.abs(lat).max() <= np.pi / 2 and around > 4.0 and high > 1.0
        hours = lon.min() >= 0.0 and lon.max() <= 24.0 and around > 18.0 and high > 60.0
        if radians or hours:
            yield (
                f"{longitude} runs from {lon.min():.4g} to {lon.max():.4g} and {latitude} from {lat.min():.4g} to "
                f"{lat.max():.4g}: {'both seem to be radians' if radians else f'{longitude} seems to be in hours'}, "
                "not degrees"
            )


def _two_positions(rows: pd.DataFrame) -> Iterator[str]:
    if not {"ra", "dec", "l", "b"} <= set(rows):
        return
    ra, dec, lon, lat = rows[["ra", "dec", "l", "b"]].dropna().to_numpy(np.float64).T
    if not ra.size:
        return
    there, here = np.stack(unit_vector(*galactic_to_icrs(lon, lat))), np.stack(unit_vector(ra, dec))
    chord = np.sqrt(((there - here) ** 2).sum(axis=0))
    apart = float(np.degrees(2.0 * np.arcsin(np.median(np.minimum(chord / 2.0, 1.0)))))
    if apart > _SEPARATION_DEG:
        yield (
            f"l, b are not the place of ra, dec: {apart:.3g} degrees apart in the median (at most "
            f"{_SEPARATION_DEG:g}); leave out the wrong pair"
        )


def _scales(rows: pd.DataFrame, good: pd.DataFrame) -> Iterator[str]:
    if len(good) < _FEWEST:
        return
    parallax = good["parallax"].to_numpy(np.float64)
    proper = np.hypot(good["pmra"].to_numpy(np.float64), good["pmdec"].to_numpy(np.float64))
    yield from _median("parallax of the well measured stars", parallax, _PARALLAX_MAS, "mas")
    if "parallax_error" in rows:
        errors = rows["parallax_error"].to_numpy(np.float64)
        yield from _median("parallax_error", errors, _PARALLAX_ERROR_MAS, "mas")
    speed = KMS_PER_KPC_MASYR * proper / parallax
    yield from _median("tangential speed of the well measured stars", speed, _SPEED_KMS, "km/s")


def _median(what: str, values: Floats, limits: tuple[float, float], unit: str) -> Iterator[str]:
    finite = values[np.isfinite(values)]
    if finite.size < _FEWEST or limits[0] <= (middle := float(np.median(finite))) <= limits[1]:
        return
    yield (
        f"the median {what} is {middle:.3g} {unit} (from {limits[0]:g} to {limits[1]:g}): a column may be in another "
        "unit than it states, such as arcsec instead of mas"
    )


def _reflex(good: pd.DataFrame) -> Reflex:
    some = good.iloc[:: 1 + len(good) // _MOTIONS]
    place = ("l", "b") if {"l", "b"} <= set(some) else ("ra", "dec")
    lon, lat = (some[name].to_numpy(np.float64) for name in place)
    ra, dec = galactic_to_icrs(lon, lat) if place == ("l", "b") else (lon, lat)
    return reflex(ra, dec, *(some[name].to_numpy(np.float64) for name in ("pmra", "pmdec", "parallax")))
