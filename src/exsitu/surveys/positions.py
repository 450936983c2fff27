"""Positions of a survey: both pairs of coordinates, compared where a table states both, longitudes in one range."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.phase_space import galactic_to_icrs, icrs_to_galactic, unit_vector

Columns = dict[str, NDArray[Any]]
Mask = NDArray[np.bool_]

EQUATORIAL, GALACTIC = ("ra", "dec"), ("l", "b")
SKY = (*EQUATORIAL, *GALACTIC)

_LARGEST_DIFFERENCE = 0.1
"""Degrees; epochs, equinoxes of one system and rounding make less, another system or another quantity more."""
_COMPARED = 1000
"""Rows of a chunk that are compared."""


def complete_positions(found: Columns, wanted: frozenset[str] = frozenset(SKY), refused: Mask | None = None) -> None:
    """
    Make one pair of coordinates from the other, and bring longitudes into the ranges of exsitu.

    Where both pairs are there, ``ra, dec`` go first: a star whose equatorial position was refused has none, and one
    that lacks either pair alone gets it from the other.

    Parameters
    ----------
    found : dict of str to ndarray, shape (n_stars,)
        With ``ra, dec`` or ``l, b``, degrees; changed in place. ``ra`` comes to lie between 0 and 360 degrees, ``l`` in
        (-180, 180].
    wanted : frozenset of str
        Coordinates that are needed; others are not made.
    refused : ndarray of bool, shape (n_stars,), optional
        Stars whose ``ra`` or ``dec`` is no measurement.
    """
    if "ra" in found:
        found["ra"] = _turned(found["ra"].astype(np.float64, copy=False))
    if wanted & {*GALACTIC} and not found.keys() >= {*GALACTIC}:
        found["l"], found["b"] = icrs_to_galactic(found["ra"], found["dec"])
    elif wanted & {*EQUATORIAL} and not found.keys() >= {*EQUATORIAL}:
        found["ra"], found["dec"] = galactic_to_icrs(found["l"], found["b"])
    elif found.keys() >= {*SKY}:
        _fill(found, refused)
    if "l" in found and not (np.all(found["l"] <= 180.0) and np.all(found["l"] > -180.0)):
        found["l"] = wrapped(found["l"])


def _fill(found: Columns, refused: Mask | None) -> None:
    """Where a star lacks one pair of coordinates, take it from the other; stars refused lose both."""
    for pair in (GALACTIC, EQUATORIAL):
        for name in pair:
            if refused is not None:
                found[name] = np.where(refused, np.nan, found[name])
    known = {pair: np.isfinite(found[pair[0]]) & np.isfinite(found[pair[1]]) for pair in (GALACTIC, EQUATORIAL)}
    if all(mask.all() for mask in known.values()):
        return
    for pair, other, made in ((GALACTIC, EQUATORIAL, icrs_to_galactic), (EQUATORIAL, GALACTIC, galactic_to_icrs)):
        lacking = known[other] & ~known[pair]
        if lacking.any():
            values = made(found[other[0]][lacking], found[other[1]][lacking])
            for name, new in zip(pair, values, strict=True):
                found[name] = found[name].astype(np.float64)
                found[name][lacking] = new


def _turned(ra: NDArray[np.float64]) -> NDArray[np.float64]:
    within = np.all(ra >= 0.0) and np.all(ra < 360.0)  # a remainder costs twenty times as much
    return ra if within else np.mod(ra, 360.0)


def wrapped(longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Bring longitudes into the range the network takes.

    Parameters
    ----------
    longitude : ndarray, shape (n_stars,)
        Degrees, from -180 to 360.

    Returns
    -------
    ndarray, shape (n_stars,)
        Degrees, in (-180, 180].
    """
    turns = 360.0 * (longitude > 180.0) - 360.0 * (longitude <= -180.0)
    return longitude - turns


def refuse_other_position(source: str, columns: Mapping[str, NDArray[Any]], names: Mapping[str, str | None]) -> None:
    """
    Refuse a table whose Galactic coordinates are not those of its equatorial ones.

    Parameters
    ----------
    source : str
        File, for the message.
    columns : mapping of str to ndarray, shape (n_stars,)
        Perhaps with ``ra, dec, l, b``, degrees; a thousand stars throughout are compared.
    names : mapping of str to str
        What the file calls them.

    Raises
    ------
    InputError
        If they differ by more than 0.1 degrees.
    """
    if not columns.keys() >= {*SKY}:
        return
    step = max(1, len(columns["ra"]) // _COMPARED)
    ra, dec, l, b = (columns[name][::step].astype(np.float64) for name in SKY)  # noqa: E741 - the field's name
    known = np.isfinite(ra) & np.isfinite(dec) & np.isfinite(l) & np.isfinite(b)
    if not known.any():
        return
    stated = np.stack(unit_vector(l[known], b[known]))
    made = np.stack(unit_vector(*icrs_to_galactic(ra[known], dec[known])))
    chord = np.sqrt(((stated - made) ** 2).sum(axis=0))
    differences = np.degrees(2.0 * np.arcsin(np.minimum(0.5 * chord, 1.0)))
    apart = int(np.count_nonzero(differences > _LARGEST_DIFFERENCE))
    if apart:
        pairs = [", ".join(repr(names.get(name) or name) for name in pair) for pair in (GALACTIC, EQUATORIAL)]
        raise InputError(
            f"{source}: {pairs[0]} are not the Galactic coordinates of {pairs[1]}: they differ by up to "
            f"{differences.max():.3g} degrees, and by more than {_LARGEST_DIFFERENCE} in {apart} of "
            f"{int(known.sum())} rows compared; correct the wrong pair, or drop or rename it"
        )
