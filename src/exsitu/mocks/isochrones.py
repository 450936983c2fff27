"""Stars of a given age and [Fe/H]: how many are brighter than a limit, and a draw from them.

The table is made by ``scripts/make_isochrones.py``, whose docstring names the published formulae behind it.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from exsitu import elementary as el

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_STEPS = {"g_abs": 1e-3, "bp_rp": 1e-3, "g_rp": 1e-3, "log_teff": 2e-4, "logg": 1e-3}
_PIECE_MAG = 0.1
_CELL_KEY = 100.0
"""Apart in the sorted keys: more than the range of absolute magnitudes."""

IMF_RANGE = (0.08, 120.0)
_IMF_BREAK = 0.5
_IMF_SLOPES = (1.3, 2.3)


def imf_number(mass: Floats) -> Floats:
    """
    Number of stars between the lower end of the initial mass function and a mass, for one Msun of stars formed.

    Parameters
    ----------
    mass : ndarray
        Initial mass, Msun.

    Returns
    -------
    ndarray, same shape
        Stars per Msun.

    Notes
    -----
    Kroupa (2001), eq. 2: slope -1.3 from 0.08 to 0.5 Msun, -2.3 above; normalised between ``IMF_RANGE``.
    """
    return _imf_integral(np.asarray(mass, float), 0.0) / _imf_integral(np.array(IMF_RANGE[1]), 1.0)


def _imf_integral(mass: Floats, power: float) -> Floats:
    """Integral of m^power dN from the lower end to a mass; the two pieces meet at the break."""
    low, high = (power + 1.0 - slope for slope in _IMF_SLOPES)
    join = el.power(_IMF_BREAK, _IMF_SLOPES[1] - _IMF_SLOPES[0])
    below = (el.power(np.minimum(mass, _IMF_BREAK), low) - el.power(IMF_RANGE[0], low)) / low
    above = join * (el.power(np.maximum(mass, _IMF_BREAK), high) - el.power(_IMF_BREAK, high)) / high
    result: Floats = below + above
    return result


@dataclass(frozen=True, slots=True)
class Stars:
    """
    Stars drawn from isochrones.

    Parameters
    ----------
    g_abs, bp_rp, g_rp : ndarray, shape (n_stars,)
        Absolute G and colours without extinction, mag.
    log_teff, logg : ndarray, shape (n_stars,)
        log10 of Teff in kelvin and of the surface gravity in cm/s2.
    """

    g_abs: Floats
    bp_rp: Floats
    g_rp: Floats
    log_teff: Floats
    logg: Floats

    def rows(self, index: Integers) -> "Stars":
        """The stars of these rows."""
        return Stars(*(getattr(self, name)[index] for name in _STEPS))


@dataclass(frozen=True, slots=True)
class Isochrones:
    """
    The table, cut into pieces of at most 0.1 mag, in order of cell and then of absolute magnitude.

    Parameters
    ----------
    feh, log_age : ndarray
        The grid: [Fe/H] in dex and log10 of the age in years. A cell is one of each.
    key : ndarray, shape (n_pieces,)
        100 x cell + middle absolute G of the piece.
    cumulative : ndarray, shape (n_pieces + 1,)
        Stars per Msun in all pieces before.
    base : ndarray, shape (n_cells,)
        `cumulative` where a cell begins.
    start, end : ndarray, shape (5, n_pieces)
        Absolute G, BP - RP, G - RP, log Teff, log g at the two ends.
    """

    feh: Floats
    log_age: Floats
    key: Floats
    cumulative: Floats
    base: Floats
    start: Floats
    end: Floats

    def cells(self, age_gyr: Floats, feh: Floats, dither: tuple[Floats, Floats]) -> Integers:
        """
        Cells of star particles; between two grid points the nearer is the likelier.

        Parameters
        ----------
        age_gyr, feh : ndarray, shape (n_particles,)
            Gyr, dex.
        dither : tuple of 2 ndarrays, shape (n_particles,)
            Uniform numbers that decide between neighbours in age and in [Fe/H], so that populations have no steps.

        Returns
        -------
        ndarray of int, shape (n_particles,)
        """
        rows = _dithered(feh, self.feh, dither[1])
        columns = _dithered(el.log10(age_gyr * 1e9), self.log_age, dither[0])
        return rows * len(self.log_age) + columns

    def count(self, cells: Integers, faintest: Floats) -> Floats:
        """
        Stars per Msun brighter than a limit.

        Parameters
        ----------
        cells : ndarray of int, shape (n_particles,)
            From `cells`.
        faintest : ndarray, shape (n_particles,)
            Limit in absolute G, mag.

        Returns
        -------
        ndarray, shape (n_particles,)
        """
        return self.cumulative[self._last(cells, faintest)] - self.base[cells]

    def _last(self, cells: Integers, faintest: Floats) -> Integers:
        return np.searchsorted(self.key, cells * _CELL_KEY + np.clip(faintest, -20.0, 40.0)).astype(np.int64)

    def draw(self, cells: Integers, count: Floats, place: tuple[Floats, Floats]) -> Stars:
        """
        Draw stars brighter than a limit.

        Parameters
        ----------
        cells : ndarray of int, shape (n_stars,)
            Cell of each star.
        count : ndarray, shape (n_stars,)
            `count` of the cell at the limit.
        place : tuple of 2 ndarrays, shape (n_stars,)
            Uniform numbers: which piece of the isochrone each star is on, and where on it.

        Returns
        -------
        Stars
        """
        target = self.base[cells] + place[0] * count
        piece = np.clip(np.searchsorted(self.cumulative, target, side="right") - 1, 0, len(self.key) - 1)
        state = self.start[:, piece] + place[1] * (self.end[:, piece] - self.start[:, piece])
        return Stars(*state)


def _dithered(value: Floats, grid: Floats, dither: Floats) -> Integers:
    """Index of one of the two grid points around a value, the nearer the likelier; the ends hold what is beyond."""
    place = (value - grid[0]) / (grid[-1] - grid[0]) * (len(grid) - 1)
    index: Integers = np.clip(np.floor(place + dither), 0, len(grid) - 1).astype(np.int64)
    return index


@lru_cache(maxsize=1)
def load_isochrones() -> Isochrones:
    """
    The table shipped with the package.

    Returns
    -------
    Isochrones
    """
    source = resources.files("exsitu.mocks").joinpath("isochrones.npz")
    with source.open("rb") as stream, np.load(stream, allow_pickle=False) as table:
        columns = np.stack([table[name].astype(float) * step for name, step in _STEPS.items()])
        number = imf_number(table["mass"].astype(float))
        feh, log_age = table["feh"].astype(float), table["log_age"].astype(float)
    return _in_pieces(feh, log_age, number, columns)


def _in_pieces(feh: Floats, log_age: Floats, number: Floats, columns: Floats) -> Isochrones:
    """Cut segments between nodes into pieces; `number` (n_feh, n_age, n_nodes), `columns` (5, same)."""
    n_cells, n_segments = len(feh) * len(log_age), number.shape[-1] - 1
    stars = np.diff(number, axis=-1).ravel()
    first, last = columns[..., :-1].reshape(5, -1), columns[..., 1:].reshape(5, -1)
    pieces = np.clip(np.ceil(np.abs(last[0] - first[0]) / _PIECE_MAG), 1, 60).astype(np.int64)
    pieces[stars <= 0.0] = 0
    segment = np.repeat(np.arange(len(stars)), pieces)
    order_in_segment = np.arange(len(segment)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    step = (last - first)[:, segment] / pieces[segment]
    start = first[:, segment] + order_in_segment * step
    cell = segment // n_segments
    key = cell * _CELL_KEY + start[0] + 0.5 * step[0]
    order = np.argsort(key, kind="stable")
    weight = (stars[segment] / pieces[segment])[order]
    cumulative = np.concatenate([[0.0], np.cumsum(weight)])
    base = cumulative[np.searchsorted(cell[order], np.arange(n_cells))]
    return Isochrones(feh, log_age, key[order], cumulative, base, start[:, order], (start + step)[:, order])
