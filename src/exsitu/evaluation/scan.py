"""Velocity distributions of the selected stars against those of the accreted ones, at every score cut."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from exsitu.errors import InputError
from exsitu.evaluation.checks import VELOCITIES, Booleans, Floats, Integers, scores_of, truth_of, velocities_of
from exsitu.settings import Bins, Cuts


def _bin_numbers(values: Floats, bins: Bins) -> Integers:
    """Bin of each value, from 0; `bins.count` where it lies outside. The last bin includes its upper edge."""
    edges = np.linspace(bins.low, bins.high, bins.count + 1)
    number = np.searchsorted(edges, values, side="right") - 1
    number[values == edges[-1]] = bins.count - 1
    number[(number < 0) | (number >= bins.count)] = bins.count
    return number


def velocity_fractions(velocities: ArrayLike, bins: Bins) -> Floats:
    """
    Normalised distributions of the three velocities.

    Parameters
    ----------
    velocities : array_like, shape (n_stars, 3)
        v_R, v_phi, v_z, km/s.
    bins : Bins
        Equal bins.

    Returns
    -------
    ndarray, shape (3, bins.count)
        Fraction of all stars in each bin. Stars outside the bins count in the normalisation and fall in no bin, so a
        row may sum to less than one.

    Raises
    ------
    InputError
        If there is no star, or a velocity is not finite.
    """
    values = velocities_of(velocities)
    if not len(values):
        raise InputError("no star to take velocity distributions of; loosen the cut")
    tables = [np.bincount(_bin_numbers(column, bins), minlength=bins.count + 1)[:-1] for column in values.T]
    return np.stack(tables) / len(values)


def sum_chi2(truth: ArrayLike, selected: ArrayLike, bins: Bins) -> float:
    """
    Distance of the selected stars' velocity distributions from the accreted stars' (paper, eq. 6).

    Parameters
    ----------
    truth : array_like, shape (n_accreted, 3)
        v_R, v_phi, v_z of all truly accreted stars, km/s.
    selected : array_like, shape (n_selected, 3)
        The same of the selected stars.
    bins : Bins
        Equal bins.

    Returns
    -------
    float
        Sum over velocities and bins of (f_i - h_i)^2, with f and h as `velocity_fractions` gives them.

    Raises
    ------
    InputError
        If either set is empty, or a velocity is not finite.
    """
    return float(np.sum((velocity_fractions(truth, bins) - velocity_fractions(selected, bins)) ** 2))


def cut_values(cuts: Cuts) -> Floats:
    """
    Score cuts to scan, both ends included.

    Parameters
    ----------
    cuts : Cuts
        Settings.

    Returns
    -------
    ndarray, shape (n_cuts,)

    Raises
    ------
    InputError
        If the upper end lies below the lower one.
    """
    if cuts.high < cuts.low:
        raise InputError(f"evaluation.cuts: high = {cuts.high} lies below low = {cuts.low}; exchange them")
    steps = int(np.floor((cuts.high - cuts.low) / cuts.step + 1e-9))
    return np.round(cuts.low + cuts.step * np.arange(steps + 1), 10)


def scan_cuts(
    score: ArrayLike, accreted: ArrayLike, velocities: ArrayLike, bins: Bins, cuts: Cuts | ArrayLike
) -> pd.DataFrame:
    """
    Metrics at every score cut.

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.
    velocities : array_like, shape (n_stars, 3)
        True v_R, v_phi, v_z, km/s.
    bins : Bins
        Equal velocity bins.
    cuts : Cuts or array_like, shape (n_cuts,)
        Which cuts; an array must ascend.

    Returns
    -------
    DataFrame
        A row a cut: ``cut``, ``selected``, ``purity``, ``efficiency_accreted``, ``efficiency_in_situ``, ``chi2_v_r``,
        ``chi2_v_phi``, ``chi2_v_z``, ``sum_chi2``. Purity and chi2 are NaN where nothing is selected.

    Raises
    ------
    InputError
        If a score or velocity is not finite, shapes differ, all stars are of one kind, or the cuts do not ascend.
    """
    values = scores_of(score)
    truth = truth_of(accreted, values.size)
    velocity = velocities_of(velocities, values.size)
    limits = cut_values(cuts) if isinstance(cuts, Cuts) else np.asarray(cuts, dtype=np.float64)
    if limits.size == 0 or bool((np.diff(limits) <= 0).any()):
        raise InputError(f"score cuts {limits} do not ascend; sort them and drop repeats")
    passed = np.searchsorted(limits, values, side="left")  # how many of the cuts the star lies above
    selected = _above(passed, limits.size)
    found = _above(passed[truth], limits.size)
    with np.errstate(invalid="ignore"):  # nothing selected: 0 / 0 is the NaN that is promised
        scan = {
            "cut": limits,
            "selected": selected,
            "purity": found / selected,
            "efficiency_accreted": found / truth.sum(),
            "efficiency_in_situ": (selected - found) / (~truth).sum(),
        }
        for name, component in zip(VELOCITIES, velocity.T, strict=True):
            scan[f"chi2_{name}"] = _chi2_by_cut(_bin_numbers(component, bins), truth, passed, limits.size, bins.count)
    scan["sum_chi2"] = sum((scan[f"chi2_{name}"] for name in VELOCITIES), start=np.zeros(limits.size))
    return pd.DataFrame(scan)


def _above(passed: Integers, n_cuts: int) -> Integers:
    """Stars above each cut, from the number of cuts each star lies above."""
    table = np.bincount(passed, minlength=n_cuts + 1)
    return np.cumsum(table[::-1])[::-1][1:]


def _chi2_by_cut(number: Integers, truth: Booleans, passed: Integers, n_cuts: int, n_bins: int) -> Floats:
    """Eq. 6 for one velocity at every cut: one two-dimensional histogram, summed from the tightest cut down."""
    width = n_bins + 1  # the last column holds the stars outside the bins: normalised over, compared in no bin
    table = np.bincount(passed * width + number, minlength=(n_cuts + 1) * width).reshape(n_cuts + 1, width)
    above = np.cumsum(table[::-1], axis=0)[::-1][1:]
    selected = above / above.sum(axis=1, keepdims=True)
    accreted = np.bincount(number[truth], minlength=width) / truth.sum()
    difference: Floats = ((selected - accreted)[:, :n_bins] ** 2).sum(axis=1)
    return difference


def best_cut(scan: pd.DataFrame, min_selected: int) -> pd.Series:
    """
    Row of the cut with the least sum of chi2.

    Parameters
    ----------
    scan : DataFrame
        What `scan_cuts` returns.
    min_selected : int
        Cuts that select fewer stars are not considered.

    Returns
    -------
    Series
        The row; the lowest cut where several are equal.

    Raises
    ------
    InputError
        If no cut selects enough stars.
    """
    enough = scan[(scan["selected"] >= min_selected) & (scan["selected"] > 0)]
    if enough.empty:
        raise InputError(
            f"no cut from {scan['cut'].min():g} to {scan['cut'].max():g} selects {min_selected} stars (at most "
            f"{scan['selected'].max()}); test on more stars, or lower evaluation.min_selected or evaluation.cuts.low"
        )
    best: pd.Series = enough.iloc[int(np.argmin(enough["sum_chi2"].to_numpy()))]
    return best
