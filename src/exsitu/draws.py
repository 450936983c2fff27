"""Random numbers that belong to what they are drawn for: the same whatever chunk it comes in, and on any processor.

Each number is a function of the seed, a key (of a star, a particle) and the number's place, so that nothing depends on
the order in which things are read, or on how many of them were left out before.
"""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from exsitu.elementary import compiled_exp, compiled_log, compiled_sine_and_cosine

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


def _uniform(state: Word, i: int) -> float:
    """Give the i-th number of a star: uniform, between 0 and 1, neither of them included."""
    return (float(mix(state + (np.uint64(i) + _ONE) * _STEP) >> _S11) + 0.5) * _UNIT


uniform = cast("Callable[[Word, int], float]", njit("float64(uint64, int64)", cache=True)(_uniform))
"""The i-th number of a star, uniform between 0 and 1; for compiled loops."""


def _pair(state: Word, i: int) -> tuple[float, float]:
    """Two normal numbers, the i-th pair of a star's (Box & Muller 1958)."""
    place = np.uint64(2 * i)
    angle = 2.0 * math.pi * float(mix(state + (place + _ONE + _ONE) * _STEP) >> _S11) * _UNIT
    radius = math.sqrt(-2.0 * compiled_log(uniform(state, 2 * i)))
    sine, cosine = compiled_sine_and_cosine(angle)
    return radius * cosine, radius * sine


pair = cast(
    "Callable[[Word, int], tuple[float, float]]", njit("UniTuple(float64, 2)(uint64, int64)", cache=True)(_pair)
)
"""The i-th two normal numbers of a star; for compiled loops."""


def _normals(keys: Keys, draws: int, width: int, seed: Word, found: NDArray[np.floating]) -> None:
    pairs = (width + 1) // 2
    for star in range(len(keys)):
        state = stream(seed, keys[star])
        for draw in range(draws):
            for i in range(pairs):
                first, second = pair(state, draw * pairs + i)
                found[star, draw, 2 * i] = first
                if 2 * i + 1 < width:
                    found[star, draw, 2 * i + 1] = second


_NORMALS = [f"void(int64[::1], int64, int64, uint64, {kind}[:, :, ::1])" for kind in ("float32", "float64")]
_fill_normals = cast("Callable[..., None]", njit(_NORMALS, cache=True)(_normals))


def _uniforms(keys: Keys, seed: Word, found: Floats) -> None:
    for i in range(len(keys)):
        found[i] = uniform(stream(seed, keys[i]), 0)


_fill_uniforms = cast("Callable[..., None]", njit("void(int64[::1], uint64, float64[::1])", cache=True)(_uniforms))

_LARGEST_MEAN = 500.0


def _poissons(keys: Keys, seed: Word, means: Floats, found: Keys) -> None:
    """Invert the distribution; a large mean is a sum of several, because exp(-mean) must not vanish."""
    for i in range(len(keys)):
        state, left, part, count = stream(seed, keys[i]), means[i], 0, 0
        while left > 0.0:
            mean = min(left, _LARGEST_MEAN)
            drawn, term, number = uniform(state, part), compiled_exp(-mean), 0
            below = term
            while drawn > below and term > 0.0:
                number += 1
                term *= mean / number
                below += term
            left, part, count = left - mean, part + 1, count + number
        found[i] = count


_fill_poissons = cast(
    "Callable[..., None]", njit("void(int64[::1], uint64, float64[::1], int64[::1])", cache=True)(_poissons)
)


@dataclass(frozen=True, slots=True)
class Draws:
    """
    Random numbers by name: those of one name do not depend on whether there are any of another.

    Parameters
    ----------
    seed : sequence of int
        What all of them belong to: a seed, a galaxy, a purpose.
    """

    seed: Sequence[int]

    def uniform(self, name: str, keys: ArrayLike) -> Floats:
        """
        Draw uniform numbers.

        Parameters
        ----------
        name : str
            What is drawn.
        keys : array_like of int, shape (n,)
            What each number belongs to.

        Returns
        -------
        ndarray, shape (n,)
            Between 0 and 1, neither of them included.
        """
        whole = _as_keys(keys)
        found = np.empty(len(whole))
        _fill_uniforms(whole, self._word(name), found)
        return found

    def normal(self, name: str, keys: ArrayLike, width: int = 1) -> Floats:
        """
        Draw standard normal numbers.

        Parameters
        ----------
        name : str
            What is drawn.
        keys : array_like of int, shape (n,)
            What they belong to.
        width : int
            How many for each key.

        Returns
        -------
        ndarray, shape (n,) or, where `width` is above 1, (n, width)
        """
        whole = _as_keys(keys)
        found = np.empty((len(whole), 1, width))
        _fill_normals(whole, 1, width, self._word(name), found)
        return found.reshape(len(whole)) if width == 1 else found.reshape(len(whole), width)

    def poisson(self, name: str, keys: ArrayLike, mean: ArrayLike) -> Keys:
        """
        Draw Poisson numbers.

        Parameters
        ----------
        name : str
            What is drawn.
        keys : array_like of int, shape (n,)
            What each number belongs to.
        mean : array_like, shape (n,)
            Expected numbers; a slightly different mean changes few of the numbers, each by one.

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        whole = _as_keys(keys)
        found = np.empty(len(whole), np.int64)
        means = np.array(np.broadcast_to(mean, whole.shape), np.float64)
        _fill_poissons(whole, self._word(name), means, found)
        return found

    def shuffled(self, name: str, keys: ArrayLike) -> NDArray[np.intp]:
        """
        Order things at random; leaving one out leaves the order of the others.

        Parameters
        ----------
        name : str
            What the order is for.
        keys : array_like of int, shape (n,)
            The things.

        Returns
        -------
        ndarray of int, shape (n,)
            Their places in the given sequence, in random order.
        """
        return np.argsort(self.uniform(name, keys), kind="stable")

    def _word(self, name: str) -> Word:
        words = np.random.SeedSequence([*self.seed, zlib.crc32(name.encode())])
        return cast("Word", words.generate_state(1, np.uint64)[0])


def _as_keys(keys: ArrayLike) -> Keys:
    return np.require(keys, np.int64, ("C", "W")).reshape(-1)


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
    _fill_normals(np.ascontiguousarray(keys, np.int64), draws, width, np.uint64(seed), found)
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
