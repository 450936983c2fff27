"""Metrics of a score against the truth.

A star is selected when its score lies above the cut, S > cut, as in the paper. ``accreted`` is the truth: True where
the star was born in another galaxy. Everything is vectorised; ten million stars take seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from exsitu.errors import InputError
from exsitu.evaluation.checks import Booleans, Floats, Integers, scores_of, truth_of
from exsitu.evaluation.scan import best_cut, cut_values, scan_cuts, sum_chi2, velocity_fractions
from exsitu.settings import Acceptance, Evaluation

__all__ = [
    "Counts",
    "auc",
    "best_cut",
    "counts",
    "cut_values",
    "efficiency_accreted_at",
    "purity_at",
    "roc",
    "scan_cuts",
    "selection_counts",
    "shortfalls",
    "sum_chi2",
    "summary",
    "velocity_fractions",
]

_ROC_POINTS = 1000


@dataclass(frozen=True, slots=True)
class Counts:
    """
    What a selection holds.

    Parameters
    ----------
    selected : int
        Stars selected.
    selected_accreted : int
        Accreted stars among them.
    n_stars : int
        All stars.
    n_accreted : int
        Accreted stars among all.
    """

    selected: int
    selected_accreted: int
    n_stars: int
    n_accreted: int

    @property
    def purity(self) -> float:
        """Accreted fraction of the selected stars (paper, eq. 1); NaN where none is selected."""
        return self.selected_accreted / self.selected if self.selected else float("nan")

    @property
    def efficiency_accreted(self) -> float:
        """Selected fraction of the accreted stars (paper, eq. 2)."""
        return self.selected_accreted / self.n_accreted

    @property
    def efficiency_in_situ(self) -> float:
        """Selected fraction of the in situ stars (paper, eq. 2)."""
        return (self.selected - self.selected_accreted) / (self.n_stars - self.n_accreted)


def selection_counts(selected: ArrayLike, accreted: ArrayLike) -> Counts:
    """
    Count a selection, made by a score or by a traditional method.

    Parameters
    ----------
    selected : array_like of bool, shape (n_stars,)
        True where the star is selected.
    accreted : array_like of bool, shape (n_stars,)
        The truth.

    Returns
    -------
    Counts

    Raises
    ------
    InputError
        If shapes or dtypes differ, or all stars are of one kind.
    """
    chosen = np.asarray(selected)
    if chosen.ndim != 1 or chosen.dtype != np.bool_:
        raise InputError(f"selected has shape {chosen.shape} and dtype {chosen.dtype}; give one bool a star")
    truth = truth_of(accreted, chosen.size)
    return Counts(int(chosen.sum()), int((chosen & truth).sum()), int(truth.size), int(truth.sum()))


def counts(score: ArrayLike, accreted: ArrayLike, cut: float) -> Counts:
    """
    Count the selection S > cut.

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.
    cut : float
        Score cut.

    Returns
    -------
    Counts

    Raises
    ------
    InputError
        If a score is not finite, shapes differ, or all stars are of one kind.
    """
    return selection_counts(scores_of(score) > cut, accreted)


@dataclass(frozen=True, slots=True)
class Curve:
    """
    Selected accreted and in situ stars above each distinct score, from none selected to all.

    Parameters
    ----------
    cut : ndarray, shape (n_points,)
        The scores, descending; the last lies below all.
    accreted, in_situ : ndarray of int, shape (n_points,)
        Stars of each kind above the cut.
    """

    cut: Floats
    accreted: Integers
    in_situ: Integers

    @property
    def efficiency_accreted(self) -> Floats:
        """Share of the accreted stars above each cut."""
        fraction: Floats = self.accreted / self.accreted[-1]
        return fraction

    @property
    def efficiency_in_situ(self) -> Floats:
        """Share of the in situ stars above each cut."""
        fraction: Floats = self.in_situ / self.in_situ[-1]
        return fraction

    def auc(self) -> float:
        """
        Measure what the function `auc` does.

        Returns
        -------
        float
        """
        step_accreted, step_in_situ = np.diff(self.accreted), np.diff(self.in_situ)
        later_in_situ = self.in_situ[-1] - self.in_situ[1:]
        won = float(np.sum(step_accreted * (later_in_situ + 0.5 * step_in_situ)))
        return won / (float(self.accreted[-1]) * float(self.in_situ[-1]))

    def efficiency_accreted_at(self, efficiency_in_situ: float = 0.01) -> float:
        """
        Measure what the function `efficiency_accreted_at` does.

        Parameters
        ----------
        efficiency_in_situ : float
            In situ efficiency that may not be exceeded.

        Returns
        -------
        float
        """
        allowed = efficiency_in_situ * float(self.in_situ[-1]) * (1.0 + 1e-12)
        point = int(np.searchsorted(self.in_situ, allowed, side="right")) - 1
        return float(self.accreted[point] / self.accreted[-1])

    def purity_at(self, efficiency_accreted: float) -> float:
        """
        Measure what the function `purity_at` does.

        Parameters
        ----------
        efficiency_accreted : float
            Accreted efficiency to reach, in (0, 1].

        Returns
        -------
        float

        Raises
        ------
        InputError
            If the efficiency is not in (0, 1].
        """
        if not 0.0 < efficiency_accreted <= 1.0:
            raise InputError(f"efficiency_accreted = {efficiency_accreted}; give a number in (0, 1]")
        needed = efficiency_accreted * float(self.accreted[-1]) * (1.0 - 1e-12)
        point = int(np.searchsorted(self.accreted, needed))
        return float(self.accreted[point] / (self.accreted[point] + self.in_situ[point]))


class Ranking:
    """
    Stars by falling score: sorted once, however many parts of them are measured.

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.

    Raises
    ------
    InputError
        If a score is not finite, shapes differ, or all stars are of one kind.
    """

    def __init__(self, score: ArrayLike, accreted: ArrayLike) -> None:
        values = scores_of(score)
        truth = truth_of(accreted, values.size)
        self._order = np.argsort(values)[::-1]
        self._score, self._truth = values[self._order], truth[self._order]

    def curve(self, chosen: Booleans | None = None) -> Curve:
        """
        Count the stars above every score.

        Parameters
        ----------
        chosen : ndarray of bool, shape (n_stars,), optional
            Which stars count; all by default. Both kinds must be among them.

        Returns
        -------
        Curve
        """
        counts = slice(None) if chosen is None else chosen[self._order]
        ranked, found = self._score[counts], np.cumsum(self._truth[counts], dtype=np.int64)
        last_of_tie = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
        above = np.concatenate([[0], found[last_of_tie]])
        selected = np.concatenate([[0], last_of_tie + 1])
        cut = np.append(ranked[last_of_tie], np.nextafter(ranked[-1], -np.inf))
        return Curve(cut, above, selected - above)


def _thinned(curve: Curve) -> Integers:
    """Points evenly spread in accreted efficiency and in the logarithm of in situ efficiency; both ends stay."""
    if curve.cut.size <= _ROC_POINTS:
        return np.arange(curve.cut.size)
    half = _ROC_POINTS // 2
    even = np.searchsorted(curve.efficiency_accreted, np.linspace(0.0, 1.0, half))
    least = 1.0 / float(curve.in_situ[-1])
    logarithmic = np.searchsorted(curve.efficiency_in_situ, np.geomspace(least, 1.0, half - 2))
    kept: Integers = np.unique(np.concatenate([even, logarithmic, [0, curve.cut.size - 1]]))
    return kept


def roc(score: ArrayLike, accreted: ArrayLike) -> pd.DataFrame:
    """
    Efficiencies at every distinct score, thinned to at most 1000 points.

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.

    Returns
    -------
    DataFrame
        Columns ``cut``, ``efficiency_accreted``, ``efficiency_in_situ``; from nothing selected to everything. The
        points are spread evenly in accreted efficiency and in the logarithm of in situ efficiency, because background
        rejection 1 / efficiency_in_situ is read on a logarithmic axis.

    Raises
    ------
    InputError
        If a score is not finite, shapes differ, or all stars are of one kind.
    """
    curve = Ranking(score, accreted).curve()
    kept = _thinned(curve)
    return pd.DataFrame(
        {
            "cut": curve.cut[kept],
            "efficiency_accreted": curve.efficiency_accreted[kept],
            "efficiency_in_situ": curve.efficiency_in_situ[kept],
        }
    )


def auc(score: ArrayLike, accreted: ArrayLike) -> float:
    """
    Probability that an accreted star scores above an in situ one, ties counting half (Mann & Whitney 1947).

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.

    Returns
    -------
    float
        Area under the ROC curve.

    Raises
    ------
    InputError
        If a score is not finite, shapes differ, or all stars are of one kind.
    """
    return Ranking(score, accreted).curve().auc()


def efficiency_accreted_at(score: ArrayLike, accreted: ArrayLike, efficiency_in_situ: float = 0.01) -> float:
    """
    Accreted efficiency of the loosest cut that keeps no more than a given fraction of the in situ stars.

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.
    efficiency_in_situ : float
        In situ efficiency that may not be exceeded.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If a score is not finite, shapes differ, or all stars are of one kind.
    """
    return Ranking(score, accreted).curve().efficiency_accreted_at(efficiency_in_situ)


def purity_at(score: ArrayLike, accreted: ArrayLike, efficiency_accreted: float) -> float:
    """
    Purity of the tightest cut that keeps at least a given fraction of the accreted stars.

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.
    efficiency_accreted : float
        Accreted efficiency to reach, in (0, 1].

    Returns
    -------
    float

    Raises
    ------
    InputError
        If a score is not finite, shapes differ, all stars are of one kind, or the efficiency is not in (0, 1].
    """
    return Ranking(score, accreted).curve().purity_at(efficiency_accreted)


def summary(
    score: ArrayLike,
    accreted: ArrayLike,
    velocities: ArrayLike,
    evaluation: Evaluation,
    cut: float | None = None,
) -> dict[str, float | int]:
    """
    All numbers a network is judged by.

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    accreted : array_like of bool, shape (n_stars,)
        The truth.
    velocities : array_like, shape (n_stars, 3)
        True v_R, v_phi, v_z, km/s.
    evaluation : Evaluation
        Settings.
    cut : float, optional
        Score cut; by default that of the least sum of chi2.

    Returns
    -------
    dict
        ``sum_chi2`` at the cut, ``auc``, ``efficiency_accreted_at_1pct``, ``n_stars``, ``n_accreted`` and, at the cut,
        ``selected``, ``cut``, ``purity``, ``efficiency_accreted``, ``efficiency_in_situ``. All finite.

    Raises
    ------
    InputError
        If a score or velocity is not finite, shapes differ, all stars are of one kind, or the cut selects too few stars
        to compare distributions.
    """
    curve = Ranking(score, accreted).curve()
    limits = evaluation.cuts if cut is None else np.array([cut])
    scan = scan_cuts(score, accreted, velocities, evaluation.velocity_bins, limits)
    row = best_cut(scan, evaluation.min_selected if cut is None else 1)
    at_cut = ("cut", "purity", "efficiency_accreted", "efficiency_in_situ")
    n_accreted = int(curve.accreted[-1])
    return {
        "sum_chi2": float(row["sum_chi2"]),  # what a cut and a variant are chosen by comes first
        "auc": curve.auc(),
        "efficiency_accreted_at_1pct": curve.efficiency_accreted_at(),
        "n_stars": n_accreted + int(curve.in_situ[-1]),
        "n_accreted": n_accreted,
        "selected": int(row["selected"]),
        **{name: float(row[name]) for name in at_cut},
    }


def shortfalls(metrics: Mapping[str, Any], acceptance: Acceptance) -> list[str]:
    """
    What keeps a network from being promoted.

    Parameters
    ----------
    metrics : mapping
        What `summary` returns.
    acceptance : Acceptance
        Settings.

    Returns
    -------
    list of str
        A sentence a missed limit; empty where all are met. A metric that is absent or NaN misses its limit.
    """
    lower = {
        "auc": acceptance.min_auc,
        "purity": acceptance.min_purity,
        "efficiency_accreted": acceptance.min_efficiency_accreted,
    }
    found = {name: float(metrics.get(name, float("nan"))) for name in (*lower, "sum_chi2")}
    reasons = [f"{name} = {found[name]:.4g} is not at least {limit:g}" for name, limit in lower.items()
               if not found[name] >= limit]  # fmt: skip
    if not found["sum_chi2"] <= acceptance.max_sum_chi2:
        reasons.append(f"sum_chi2 = {found['sum_chi2']:.4g} is not at most {acceptance.max_sum_chi2:g}")
    return reasons
