"""The traditional selections of accreted stars: V, VM and ZM (paper, Sec. 3).

Velocities are Galactocentric Cartesian, as the paper's: at the Sun the disc rotates along +y, so that the local
standard of rest moves with (0, v_lsr, 0). A star that lacks a number a selection needs is not selected by it.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exsitu.errors import InputError
from exsitu.phase_space import PhaseSpace
from exsitu.settings import HeightMetallicity, VelocityMixture

Floats = NDArray[np.float64]
Selection = NDArray[np.bool_]

_FIT_STARS = 1_000_000
_FEWEST_STARS = 100
_ITERATIONS = 500


def select_v(stars: PhaseSpace, v_lsr_kms: float) -> Selection:
    """
    Select stars that move fast against the local standard of rest.

    Parameters
    ----------
    stars : PhaseSpace
        Velocities of n_stars stars.
    v_lsr_kms : float
        Speed of the local standard of rest, km/s.

    Returns
    -------
    ndarray of bool, shape (n_stars,)
        True where |v - v_LSR| > |v_LSR|.

    Notes
    -----
    The V selection of the paper's Sec. 3 (Nissen & Schuster 2010), v_LSR = (0, 224, 0) km/s.
    """
    v_x, v_y, v_z = (np.asarray(v, float) for v in (stars.v_x, stars.v_y, stars.v_z))
    return np.asarray(v_x**2 + (v_y - v_lsr_kms) ** 2 + v_z**2 > v_lsr_kms**2)


def select_vm(stars: PhaseSpace, feh: ArrayLike, mixture: VelocityMixture, *, seed: int) -> Selection:
    """
    Select metal-poor stars that move with the halo rather than with the disc.

    Parameters
    ----------
    stars : PhaseSpace
        Velocities of n_stars stars, NaN where one is not known.
    feh : array_like, shape (n_stars,)
        [Fe/H], dex; NaN where it is not known.
    mixture : VelocityMixture
        Limit in [Fe/H] and the mean velocities the two components start from.
    seed : int
        Picks the million stars a larger sample is fitted on.

    Returns
    -------
    ndarray of bool, shape (n_stars,)
        True where [Fe/H] is below the limit and the star more likely belongs to the component that is not the disc's.

    Raises
    ------
    InputError
        If fewer than 100 stars have a velocity, or the fit does not converge.

    Notes
    -----
    The VM selection of the paper's Sec. 3 (Helmi et al. 2017; Posti et al. 2018): two Gaussians in 3D velocity. Left to
    random starts they split the disc, so both start from stated means; the disc's is the one that ends nearer to where
    the disc's started.
    """
    velocities = np.stack([np.asarray(v, float) for v in (stars.v_x, stars.v_y, stars.v_z)], axis=1)
    moving = np.isfinite(velocities).all(axis=1)
    fitted = _fit(velocities[moving], mixture, seed)
    distances = np.linalg.norm(fitted.means_ - np.asarray(mixture.disc_mean_kms), axis=1)
    candidates = np.flatnonzero(moving & (np.asarray(feh, float) < mixture.max_feh))
    selected = np.zeros(len(velocities), bool)
    if candidates.size:
        selected[candidates] = fitted.predict(velocities[candidates]) != int(np.argmin(distances))
    return selected


def _fit(velocities: Floats, mixture: VelocityMixture, seed: int) -> Any:
    """Two Gaussians fitted to velocities, shape (n_stars, 3), km/s, on one thread so that sums keep their order."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

    if len(velocities) < _FEWEST_STARS:
        raise InputError(
            f"{len(velocities)} stars have a 3D velocity; the VM selection needs {_FEWEST_STARS}: "
            "give more stars with a radial velocity, or label with ZM"
        )
    if len(velocities) > _FIT_STARS:
        velocities = velocities[np.random.default_rng(seed).choice(len(velocities), _FIT_STARS, replace=False)]
    means = np.array([mixture.disc_mean_kms, mixture.halo_mean_kms])
    weights, precisions = _start(velocities, means)
    model = GaussianMixture(
        2, means_init=means, weights_init=weights, precisions_init=precisions, max_iter=_ITERATIONS, random_state=seed
    )
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # an error below
        model.fit(velocities)
    if not model.converged_:
        raise InputError(
            f"the velocity mixture did not converge in {_ITERATIONS} iterations on {len(velocities)} stars; "
            "look at labels.vm.disc_mean_kms and halo_mean_kms"
        )
    return model


def _start(velocities: Floats, means: Floats) -> tuple[Floats, Floats]:
    """Weights and precisions to start from: those of the stars nearer to each starting mean."""
    nearer = np.argmin([np.linalg.norm(velocities - mean, axis=1) for mean in means], axis=0)
    groups = [velocities[nearer == k] for k in (0, 1)]
    groups = [group if len(group) > velocities.shape[1] else velocities for group in groups]
    sizes = np.array([len(group) for group in groups], float)
    precisions = [np.linalg.inv(np.cov(group, rowvar=False) + np.eye(velocities.shape[1])) for group in groups]
    return sizes / sizes.sum(), np.array(precisions)


def select_zm(z_kpc: ArrayLike, feh: ArrayLike, limits: HeightMetallicity) -> Selection:
    """
    Select metal-poor stars far from the disc's plane.

    Parameters
    ----------
    z_kpc : array_like, shape (n_stars,)
        Height above the plane, kpc, either sign.
    feh : array_like, shape (n_stars,)
        [Fe/H], dex; NaN where it is not known.
    limits : HeightMetallicity
        Least height and limit in [Fe/H].

    Returns
    -------
    ndarray of bool, shape (n_stars,)
        True where |z| and [Fe/H] pass.

    Notes
    -----
    The ZM selection of the paper's Sec. 3 (Herzog-Arbeitman et al. 2018; Necib et al. 2019): |z| > 1.5 kpc and
    [Fe/H] < -1.5.
    """
    height, metallicity = np.abs(np.asarray(z_kpc, float)), np.asarray(feh, float)
    return np.asarray((height > limits.min_height_kpc) & (metallicity < limits.max_feh))
