"""Draws of measurement errors that belong to a star: the same whatever chunk it comes in, and on any processor.

Each number is a function of the seed, the star's key and the number's place, so that nothing depends on the order in
which stars are read.
"""

import math
from collections.abc import Callable
from typing import cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Keys = NDArray[np.int64]
Word = np.uint64

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11, _ONE = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11), np.uint64(1)
_UNIT = 2.0**-53


def _mix(state: Word) -> Word:
    """Turn a counter into a number without pattern."""
    first = (state ^ (state >> _S30)) * _FIRST
    second = (first ^ (first >> _S27)) * _SECOND
    return second ^ (second >> _S31)


mix = cast("Callable[[Word], Word]", njit("uint64(uint64)", cache=True)(_mix))


def _stream(seed: Word, key: int) -> Word:
    return mix(mix(seed + _STEP) ^ mix(np.uint64(key) + _STEP + _STEP))


stream = cast("Callable[[Word, int], Word]", njit("uint64(uint64, int64)", cache=True)(_stream))
"""Where a star's numbers begin, of the seed and the star's key; for compiled loops."""


def _pair(state: Word, i: int) -> tuple[float, float]:
    """Two normal numbers, the i-th pair of a star's (Box & Muller 1958)."""
    place = np.uint64(2 * i)
    first = (float(mix(state + (place + _ONE) * _STEP) >> _S11) + 0.5) * _UNIT
    angle = 2.0 * math.pi * float(mix(state + (place + _ONE + _ONE) * _STEP) >> _S11) * _UNIT
    radius = math.sqrt(-2.0 * math.log(first))
    return radius * math.cos(angle), radius * math.sin(angle)


pair = cast(
    "Callable[[Word, int], tuple[float, float]]", njit("UniTuple(float64, 2)(uint64, int64)", cache=True)(_pair)
)
"""The i-th two normal numbers of a star; for compiled loops."""


def _normals(keys: Keys, draws: int, width: int, seed: Word, found: NDArray[np.float32]) -> None:
    pairs = (width + 1) // 2
    for star in range(len(keys)):
        state = stream(seed, keys[star])
        for draw in range(draws):
            for i in range(pairs):
                first, second = pair(state, draw * pairs + i)
                found[star, draw, 2 * i] = first
                if 2 * i + 1 < width:
                    found[star, draw, 2 * i + 1] = second


_compiled = cast(
    "Callable[..., None]", njit("void(int64[::1], int64, int64, uint64, float32[:, :, ::1])", cache=True)(_normals)
)


def normals(keys: Keys, draws: int, width: int, *, seed: int) -> NDArray[np.float32]:
    """
    Standard normal numbers of each star.

    Parameters
    ----------
    keys : ndarray of int64, shape (n_stars,)
        What names a star: its ``source_id``, or its row.
    draws : int
        Draws of each star.
    width : int
        Numbers of each draw.
    seed : int
        Another seed, other numbers; from 0 to 2^63.

    Returns
    -------
    ndarray of float32, shape (n_stars, draws, width)

    Notes
    -----
    A SplitMix64 stream for each star (Steele, Lea & Flood 2014), turned into normal numbers as Box & Muller (1958) do.
    """
    found = np.empty((len(keys), draws, width), np.float32)
    _compiled(np.ascontiguousarray(keys, np.int64), draws, width, np.uint64(seed), found)
    return found


def triangle(ab: Floats, ac: Floats, bc: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """
    Lower triangle that gives three standard normal numbers a correlation.

    Parameters
    ----------
    ab, ac, bc : ndarray, shape (n_stars,)
        Correlations of the three; NaN counts as 0.

    Returns
    -------
    tuple of 5 ndarrays, shape (n_stars,)
        ``ba, bb, ca, cb, cc``: the numbers are ``n0``, ``ba n0 + bb n1`` and ``ca n0 + cb n1 + cc n2``. What rounding
        takes beyond a correlation matrix is taken back to its edge.
    """
    ba, ca, between = (np.clip(np.nan_to_num(np.asarray(x, float), nan=0.0), -1.0, 1.0) for x in (ab, ac, bc))
    bb = np.sqrt(1.0 - ba * ba)
    room = np.sqrt(1.0 - ca * ca)
    cb = np.clip(np.divide(between - ba * ca, bb, out=np.zeros_like(bb), where=bb > 0.0), -room, room)
    return ba, bb, ca, cb, np.sqrt(np.maximum(0.0, 1.0 - ca * ca - cb * cb))
