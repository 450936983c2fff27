"""Numbers with errors: over the seeds of a network, and over the star particles it was measured with.

What several networks are worth on the same stars differs by less than each number's error: the stars are shared. A
difference of estimates keeps what they share.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exsitu.evaluation.checks import Booleans, Floats, Integers, scores_of
from exsitu.evaluation.jackknife import jackknife_error
from exsitu.evaluation.metrics import Curve, Ranking, best_cut, scan_cuts, sum_chi2
from exsitu.settings import Evaluation

Metric = Callable[[Booleans], Mapping[str, float]]

PURITY_AT = (0.47, 0.13)
"""Accreted efficiencies at which purities are compared: those of the paper's cuts at 0.75 and 0.95 (Table 7)."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """
    A number, measured with the networks of several seeds.

    Parameters
    ----------
    values : ndarray, shape (n_seeds,)
        The number of each seed.
    replicas : ndarray, shape (n_seeds, n_blocks)
        The same, each block of stars left out in turn; no columns where there are no blocks.
    """

    values: Floats
    replicas: Floats

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return float(np.mean(self.values))

    @property
    def spread(self) -> float:
        """Standard deviation over seeds; NaN of a single one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else float("nan")

    @property
    def sampling_error(self) -> float:
        """Standard error of the mean from the number of star particles (jackknife, Efron 1982); 0 without blocks."""
        return jackknife_error(self.replicas.mean(axis=0)) if self.replicas.shape[1] else 0.0

    @property
    def error(self) -> float:
        """Standard error: of the mean over seeds, and of the stars."""
        seeds = self.spread / np.sqrt(len(self.values)) if len(self.values) > 1 else 0.0
        return float(np.hypot(seeds, self.sampling_error))

    def __sub__(self, other: "Estimate") -> "Estimate":
        """Difference on the same stars, seed by seed."""
        return Estimate(self.values - other.values, self.replicas - other.replicas)

    def __add__(self, other: "Estimate") -> "Estimate":
        """Sum on the same stars, seed by seed."""
        return Estimate(self.values + other.values, self.replicas + other.replicas)

    def __mul__(self, factor: float) -> "Estimate":
        """Multiple."""
        return Estimate(self.values * factor, self.replicas * factor)

    def __truediv__(self, other: "Estimate") -> "Estimate":
        """Ratio on the same stars, seed by seed."""
        return Estimate(self.values / other.values, self.replicas / other.replicas)

    def row(self, name: str) -> dict[str, float]:
        """
        Cells of a table.

        Parameters
        ----------
        name : str
            Of the number.

        Returns
        -------
        dict of str to float
            ``<name>``, ``<name>_spread`` over seeds (NaN of one) and ``<name>_error``.
        """
        return {name: self.value, f"{name}_spread": self.spread, f"{name}_error": self.error}


def average(estimates: Sequence[Estimate]) -> Estimate:
    """
    Mean of numbers measured on the same stars.

    Parameters
    ----------
    estimates : sequence of Estimate
        At least one, of as many seeds and blocks.

    Returns
    -------
    Estimate
    """
    return Estimate(
        np.mean([e.values for e in estimates], axis=0),
        np.mean([e.replicas for e in estimates], axis=0),
    )


def estimates(metrics: Sequence[Metric], blocks: Integers) -> dict[str, Estimate]:
    """
    Measure by each seed, on all stars and with each block left out.

    Parameters
    ----------
    metrics : sequence of callable
        One a seed: takes which stars count, shape (n_stars,), gives named numbers.
    blocks : ndarray of int, shape (n_stars,)
        Block of each star, from 0; all zero where there are to be no errors.

    Returns
    -------
    dict of str to Estimate
        By name.
    """
    count = int(blocks.max()) + 1 if len(blocks) else 1
    everything = np.ones(len(blocks), np.bool_)
    left = [blocks != b for b in range(count)] if count > 1 else []
    whole = [metric(everything) for metric in metrics]
    parts = [[metric(chosen) for chosen in left] for metric in metrics]
    return {
        name: Estimate(
            np.array([found[name] for found in whole]),
            np.array([[found[name] for found in seed] for seed in parts]).reshape(len(metrics), len(left)),
        )
        for name in whole[0]
    }


def judging(
    score: NDArray[Any], accreted: Booleans, velocities: Floats, evaluation: Evaluation, cut: float | None = None
) -> Metric:
    """
    Make the metric a network is judged by.

    Parameters
    ----------
    score : ndarray, shape (n_stars,)
        Network output, 1 is accreted.
    accreted : ndarray of bool, shape (n_stars,)
        The truth.
    velocities : ndarray, shape (n_stars, 3)
        True v_R, v_phi, v_z, km/s.
    evaluation : Evaluation
        Bins and cuts.
    cut : float, optional
        Score cut; that of the least sum of chi2 over all stars by default, which leaving out a block does not move.

    Returns
    -------
    callable
        Takes which stars count; gives ``auc``, ``efficiency_accreted_at_1pct``, ``purity_at_47pct``,
        ``purity_at_13pct`` and, at the cut, ``cut``, ``sum_chi2``, ``purity``, ``efficiency_accreted``,
        ``efficiency_in_situ``, ``selected_share``.
    """
    if cut is None:
        scan = scan_cuts(score, accreted, velocities, evaluation.velocity_bins, evaluation.cuts)
        cut = float(best_cut(scan, evaluation.min_selected)["cut"])
    ranking, bins = Ranking(score, accreted), evaluation.velocity_bins
    above, outside = np.flatnonzero(scores_of(score) > cut), np.flatnonzero(accreted)

    def metric(chosen: Booleans) -> dict[str, float]:
        curve, selected, wanted = ranking.curve(chosen), above[chosen[above]], outside[chosen[outside]]
        found, n_in_situ = int(np.count_nonzero(accreted[selected])), int(curve.in_situ[-1])
        some = len(selected) > 0
        return {
            **ranked(curve),
            **{f"purity_at_{round(100 * e)}pct": curve.purity_at(e) for e in PURITY_AT},
            "cut": cut,
            "sum_chi2": sum_chi2(velocities[wanted], velocities[selected], bins) if some else float("nan"),
            "purity": found / len(selected) if some else float("nan"),
            "efficiency_accreted": found / len(wanted),
            "efficiency_in_situ": (len(selected) - found) / n_in_situ,
            "selected_share": len(selected) / (len(wanted) + n_in_situ),
        }

    return metric


def ranked(curve: Curve) -> dict[str, float]:
    """
    Tell what a network's ranking is worth, whatever the cut.

    Parameters
    ----------
    curve : Curve
        Stars above every score.

    Returns
    -------
    dict of str to float
        ``auc``, ``efficiency_accreted_at_1pct``.
    """
    return {"auc": curve.auc(), "efficiency_accreted_at_1pct": curve.efficiency_accreted_at()}
