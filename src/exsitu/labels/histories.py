"""Truth labels of mock surveys, from lists of star particles that came in with another galaxy."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exsitu.errors import InputError


def _as_ids(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """Identifiers as int64; a float would already have lost the last digits of a large one."""
    ids = np.asarray(values)
    if ids.dtype.kind not in "iu":
        raise InputError(f"{name} must be integers, not {ids.dtype}; read the column as int64")
    if ids.size and int(ids.max()) > np.iinfo(np.int64).max:
        raise InputError(f"{name} reach {ids.max()}, above the largest int64; these are no particle ids")
    return ids.astype(np.int64)


def accreted_from_particles(parentid: ArrayLike, accreted_ids: ArrayLike) -> NDArray[np.bool_]:
    """
    Mark the stars whose parent particle was accreted.

    Parameters
    ----------
    parentid : array_like of int, shape (n_stars,)
        Star particle each star was drawn from.
    accreted_ids : array_like of int, shape (n_particles,)
        Particles that the merger history calls accreted, in any order.

    Returns
    -------
    ndarray of bool, shape (n_stars,)
        True where the star was accreted.

    Raises
    ------
    InputError
        If the list of particles is empty, or either holds anything but integers.

    Notes
    -----
    Paper, Sec. 2.2: a star shares the origin of its particle.
    """
    particles = _as_ids(accreted_ids, "accreted particle ids") if np.size(accreted_ids) else np.empty(0, np.int64)
    if not particles.size:
        raise InputError("the list of accreted particles is empty: every star would count as in situ; check its file")
    return np.isin(_as_ids(parentid, "parentid"), particles)
