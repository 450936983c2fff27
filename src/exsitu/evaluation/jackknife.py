"""Error bars of a selection's metrics, and of the difference of two on the same stars, by a jackknife over the sky.

Stars of one disrupted satellite lie together on the sky and move together: they are no independent draws. Whole cells
of the sky are left out, so that such stars go together, and the cells are dealt to the groups at random, so that every
group is a fair sample of the survey.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from exsitu.errors import InputError
from exsitu.evaluation.checks import Booleans, Floats, Integers, scores_of, truth_of, velocities_of
from exsitu.evaluation.scan import velocity_fractions
from exsitu.settings import Bins

_IN_LONGITUDE, _IN_LATITUDE = 72, 36
"""Cells of equal area: 5 degrees in longitude, equal steps in the sine of latitude."""

METRICS = ("sum_chi2", "purity", "efficiency_accreted", "efficiency_in_situ")
"""What is measured, in this order."""


def sky_groups(longitude_deg: ArrayLike, latitude_deg: ArrayLike, groups: int, *, seed: int) -> Integers:
    """
    Deal cells of the sky to groups at random.

    Parameters
    ----------
    longitude_deg, latitude_deg : array_like, shape (n_stars,)
        Position on the sky, deg.
    groups : int
        How many groups.
    seed : int
        Of the dealing.

    Returns
    -------
    ndarray of int, shape (n_stars,)
        Group of each star, from 0 to `groups` - 1.
    """
    across = np.floor(np.mod(np.asarray(longitude_deg, dtype=np.float64), 360.0) / 360.0 * _IN_LONGITUDE)
    up = np.floor((np.sin(np.radians(np.asarray(latitude_deg, dtype=np.float64))) + 1.0) / 2.0 * _IN_LATITUDE)
    cell = np.minimum(across, _IN_LONGITUDE - 1) * _IN_LATITUDE + np.clip(up, 0, _IN_LATITUDE - 1)
    dealt = np.random.default_rng(seed).permutation(_IN_LONGITUDE * _IN_LATITUDE) % groups
    found: Integers = dealt[cell.astype(np.int64)].astype(np.int64)
    return found


@dataclass(frozen=True, slots=True)
class Resampled:
    """
    Metrics of a selection, and again with each group of stars left out.

    Parameters
    ----------
    whole : mapping of str to float
        Each of `METRICS` on all stars; NaN where nothing is selected.
    without : mapping of str to ndarray, shape (n_groups,)
        The same with one group left out.
    n_stars : int
        How many stars.
    """

    whole: Mapping[str, float]
    without: Mapping[str, Floats]
    n_stars: int

    def error(self, name: str) -> float:
        """
        Standard error of a metric.

        Parameters
        ----------
        name : str
            One of `METRICS`.

        Returns
        -------
        float
        """
        return jackknife_error(self.without[name])

    def difference(self, other: "Resampled", name: str) -> tuple[float, float]:
        """
        Difference from another selection of the same stars, and its standard error.

        Parameters
        ----------
        other : Resampled
            Of the same stars in the same groups.
        name : str
            One of `METRICS`.

        Returns
        -------
        difference : float
            This minus the other.
        error : float
            Its standard error; far less than those of the two, because both see the same stars.
        """
        return self.whole[name] - other.whole[name], jackknife_error(self.without[name] - other.without[name])


def jackknife_error(without: Floats) -> float:
    """
    Delete-a-group jackknife standard error.

    Parameters
    ----------
    without : ndarray, shape (n_groups,)
        An estimate with each group left out.

    Returns
    -------
    float
        ``sqrt((G - 1) / G sum (x_i - mean x)^2)``; NaN if one of them is.
    """
    count = without.size
    return float(np.sqrt((count - 1) / count * np.sum((without - without.mean()) ** 2)))


def resampled(
    score: ArrayLike, cut: float, accreted: ArrayLike, velocities: ArrayLike, bins: Bins, group: Integers
) -> Resampled:
    """
    Measure the selection S > cut on all stars and with each group left out.

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    cut : float
        Score cut.
    accreted : array_like of bool, shape (n_stars,)
        The truth.
    velocities : array_like, shape (n_stars, 3)
        True v_R, v_phi, v_z, km/s.
    bins : Bins
        Equal velocity bins.
    group : ndarray of int, shape (n_stars,)
        Group of each star, as `sky_groups` gives it.

    Returns
    -------
    Resampled

    Raises
    ------
    InputError
        If a score or velocity is not finite, shapes differ, all stars are of one kind, or there are fewer than two
        groups with stars.
    """
    values = scores_of(score)
    truth, velocity = truth_of(accreted, values.size), velocities_of(velocities, values.size)
    selected = values > cut
    numbers = np.unique(group)
    if numbers.size < 2:
        raise InputError(f"{values.size} stars lie in {numbers.size} group of the sky; a jackknife needs two or more")
    tables = [_Table.of(selected[own], truth[own], velocity[own], bins) for own in (group == n for n in numbers)]
    total = _Table.total(tables)
    rows = [(total - table).metrics() for table in tables]
    without = {name: np.array([row[name] for row in rows]) for name in METRICS}
    return Resampled(total.metrics(), without, int(values.size))


@dataclass(frozen=True, slots=True)
class _Table:
    """Counts (selected in situ, selected accreted, all in situ, all accreted) and velocity histograms of some stars."""

    counts: Floats
    selected: Floats
    accreted: Floats

    @classmethod
    def of(cls, chosen: Booleans, truth: Booleans, velocity: Floats, bins: Bins) -> "_Table":
        counts = [np.count_nonzero(kind) for kind in (chosen & ~truth, chosen & truth, ~truth, truth)]
        return cls(np.array(counts, float), _histogram(velocity[chosen], bins), _histogram(velocity[truth], bins))

    @classmethod
    def total(cls, tables: "list[_Table]") -> "_Table":
        return cls(*(np.sum([getattr(t, name) for t in tables], axis=0) for name in cls.__slots__))

    def __sub__(self, other: "_Table") -> "_Table":
        return _Table(*(getattr(self, name) - getattr(other, name) for name in self.__slots__))

    def metrics(self) -> dict[str, float]:
        in_situ, accreted, all_in_situ, all_accreted = self.counts
        with np.errstate(invalid="ignore", divide="ignore"):  # nothing selected: 0 / 0 is the NaN that is promised
            fractions = self.selected / (in_situ + accreted), self.accreted / all_accreted
            return {
                "sum_chi2": float(np.sum((fractions[0] - fractions[1]) ** 2)),
                "purity": float(accreted / (in_situ + accreted)),
                "efficiency_accreted": float(accreted / all_accreted),
                "efficiency_in_situ": float(in_situ / all_in_situ),
            }


def _histogram(velocity: Floats, bins: Bins) -> Floats:
    """Stars a bin, shape (3, n_bins)."""
    return velocity_fractions(velocity, bins) * len(velocity) if len(velocity) else np.zeros((3, bins.count))
