"""What the paper says of its mock surveys, each number once: value, place, and how near a mock has to come.

A claim's name is that of the number that `exsitu.mocks.check.measure` finds. The values are those of m12i, viewpoint 0,
with parallax_error / parallax < 0.1, unless the place says otherwise; of m12f the paper gives fewer.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Kind(StrEnum):
    """How a number is held against the paper's."""

    FACTOR = "factor"
    WITHIN = "within"
    BELOW = "below"
    ABOVE = "above"


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A number that is measured on a mock survey, and what the paper says of it.

    Parameters
    ----------
    name : str
        Name of the number, its unit last.
    says : str
        What it is, for people.
    paper : float or None
        The paper's value; None where it gives none.
    where : str
        Place in the paper; empty where it says nothing.
    kind : Kind or None
        FACTOR: the larger over the smaller is at most `limit`. WITHIN: they differ by at most `limit`. BELOW, ABOVE:
        the number is below or above `limit`, whatever the paper's. None: the number is shown and not judged.
    limit : float
        See `kind`.
    reason : str
        Why a mock falls short, where that is known; shown only where it does.
    """

    name: str
    says: str
    paper: float | None = None
    where: str = ""
    kind: Kind | None = None
    limit: float = 0.0
    reason: str = ""

    @property
    def asks(self) -> str:
        """What it takes to hold, for people; empty where nothing is judged."""
        words = {Kind.FACTOR: "factor ", Kind.WITHIN: "± ", Kind.BELOW: "< ", Kind.ABOVE: "> "}
        return f"{words[self.kind]}{self.limit:.3g}" if self.kind else ""


@dataclass(frozen=True, slots=True)
class Reading:
    """
    A number measured on one mock.

    Parameters
    ----------
    value : float or None
        None where the mock cannot say.
    error : float or None
        Standard error from the number of stars and of the particles they come from; None where it was not estimated.
    """

    value: float | None
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    A claim and what mocks show.

    Parameters
    ----------
    claim : Claim
        The claim.
    found : Reading
        On the mock that is held against the paper.
    others : tuple of Reading
        The same on other mocks of the galaxy, such as those of other seeds.
    """

    claim: Claim
    found: Reading
    others: tuple[Reading, ...] = ()

    @property
    def factor(self) -> float | None:
        """The larger of paper and here over the smaller; None unless both are positive or both negative."""
        return ratio(self.claim.paper, self.found.value)

    @property
    def holds(self) -> bool | None:
        """Whether the mock shows what the paper says; None where that cannot be judged."""
        if self.found.value is None or self.claim.kind is None:
            return None
        return _holds(self.claim, self.found.value)

    @property
    def agree(self) -> bool | None:
        """Whether all mocks of the galaxy are alike (see `alike`); None of one alone."""
        known = [reading for reading in (self.found, *self.others) if reading.value is not None]
        return all(alike(self.claim, a, b) for a, b in itertools.combinations(known, 2)) if len(known) > 1 else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: name, paper, here, its error, factor, holds; others and agree where there are others."""
        told = {"name": self.claim.name, "paper": self.claim.paper, "here": self.found.value, "error": self.found.error}
        told |= {"factor": self.factor, "holds": self.holds}
        others = [reading.value for reading in self.others]
        return told | {"others": others, "agree": self.agree} if others else told


def ratio(a: float | None, b: float | None) -> float | None:
    """
    The larger of two numbers over the smaller.

    Parameters
    ----------
    a, b : float or None
        The numbers.

    Returns
    -------
    float or None
        None unless both are positive or both negative.
    """
    if a is None or b is None or not a * b > 0.0:
        return None
    return max(a / b, b / a)


def _holds(claim: Claim, here: float) -> bool:
    if claim.kind is Kind.BELOW:
        return here < claim.limit
    if claim.kind is Kind.ABOVE:
        return here > claim.limit
    return claim.paper is not None and near(claim, claim.paper, here)


def near(claim: Claim, a: float, b: float) -> bool:
    """
    Whether two values of a number are as near to each other as its claim asks of a mock and the paper.

    Parameters
    ----------
    claim : Claim
        The claim; one that judges by BELOW or ABOVE, or not at all, asks for a factor of 1.5.
    a, b : float
        The values.

    Returns
    -------
    bool
    """
    if claim.kind is Kind.WITHIN:
        return abs(a - b) <= claim.limit
    apart = ratio(a, b)
    return a == b or (apart is not None and apart <= (claim.limit if claim.kind is Kind.FACTOR else 1.5))


def alike(claim: Claim, a: Reading, b: Reading) -> bool:
    """
    Whether two mocks show the same, as far as their numbers of stars and particles can tell.

    Parameters
    ----------
    claim : Claim
        The claim.
    a, b : Reading
        With values.

    Returns
    -------
    bool
        True where the values are `near`, or differ by less than three times their standard errors.
    """
    if a.value is None or b.value is None:
        return True
    noise = math.hypot(a.error or 0.0, b.error or 0.0)
    return near(claim, a.value, b.value) or abs(a.value - b.value) < _SIGMAS * noise


_SIGMAS = 3.0
_COUNTS = "Tables 3 and 4, all three sets"
_TABLE_1, _TABLE_2 = "Table 1", "Table 2"

# Name in the numbers, unit, column of a survey, mean and standard deviation of the paper's Table 2.
SCALED: tuple[tuple[str, str, str, float, float], ...] = (
    ("l", "deg", "l", 2.72, 78.2),
    ("b", "deg", "b", 0.71, 26.1),
    ("pmra", "masyr", "pmra", -1.66, 10.6),
    ("pmdec", "masyr", "pmdec", -2.83, 11.0),
    ("parallax", "mas", "parallax", 0.48, 0.86),
    ("g", "mag", "phot_g_mean_mag", 18.49, 2.0),
    ("bp", "mag", "phot_bp_mean_mag", 19.16, 2.3),
    ("rp", "mag", "phot_rp_mean_mag", 17.76, 1.9),
    ("rv", "kms", "radial_velocity", -6.15, 75.5),
    ("feh", "dex", "feh", -0.20, 0.42),
)
"""Inputs of the networks, as measured on all stars with G < 21: name, unit, column, mean, standard deviation."""


def _scaler_claims() -> tuple[Claim, ...]:
    claims = []
    for name, unit, column, mean, sigma in SCALED:
        claims.append(
            Claim(f"scaler_{name}_mean_{unit}", f"mean of {column}, all G < 21", mean, _TABLE_2, Kind.WITHIN, sigma / 4)
        )
        claims.append(
            Claim(f"scaler_{name}_sigma_{unit}", f"σ of {column}, all G < 21", sigma, _TABLE_2, Kind.FACTOR, 1.5)
        )
    return tuple(claims)


def _selection_claims() -> tuple[Claim, ...]:
    """Purity and efficiencies of the traditional selections, and the factors they may be off."""
    paper = {
        "v": ("V, with RV", (9.6, 86.0, 4.5), (1.5, 1.5, 2.0), _TABLE_1),
        "vm": ("VM, with RV", (30.5, 86.2, 1.1), (1.5, 1.5, 2.0), _TABLE_1),
        # Purity 50.9 % at these efficiencies needs 0.88 % accreted stars: the paper's ZM row is of all stars.
        "zm": ("ZM, all", (50.9, 2.4, 0.02), (1.5, 2.0, 2.0), _TABLE_1),
        "zm_with_rv": ("ZM, with RV", (None, 3.3, 0.018), (1.5, 2.0, 2.0), "Fig. 3, caption"),
    }
    measures = {"purity": "purity", "efficiency_accreted": "ε_A", "efficiency_in_situ": "ε_I"}
    return tuple(
        Claim(f"{name}_{measure}_percent", f"{title}: {words}, %", value, where, kind, limit)
        for name, (title, values, limits, where) in paper.items()
        for (measure, words), value, limit in zip(measures.items(), values, limits, strict=True)
        for kind in (Kind.FACTOR if value is not None else None,)
    )


_ORDERS = (
    Claim("purity_vm_over_v", "purity of VM over that of V", 30.5 / 9.6, _TABLE_1, Kind.ABOVE, 1.0),
    Claim("purity_zm_over_vm", "purity of ZM over that of VM", 50.9 / 30.5, _TABLE_1, Kind.ABOVE, 1.0),
    Claim("efficiency_accreted_zm_over_vm", "ε_A of ZM over that of VM", 2.4 / 86.2, _TABLE_1, Kind.BELOW, 0.1),
)

_POPULATION = (
    Claim("accreted_percent", "accreted, all, %", 0.884, _COUNTS, Kind.FACTOR, 1.5),
    Claim("accreted_percent_with_rv", "accreted, with RV, %", 0.544, _COUNTS, Kind.FACTOR, 1.5),
    Claim(
        "accreted_with_rv_over_all", "accreted with RV over accreted, all", 0.544 / 0.884, "Sec. 5.2", Kind.BELOW, 1.0
    ),
    Claim("rv_percent", "stars with RV, %", 22.5, _COUNTS, Kind.FACTOR, 1.5),
    Claim("g_below_15_over_rv", "stars with G < 15 over those with RV", 2.0, "Sec. 5.2", Kind.FACTOR, 1.5),
    Claim("g_below_15_percent", "stars with G < 15, %", None, "Sec. 5.2", Kind.BELOW, 50.0),
    Claim("rv_above_g15_percent", "G > 15 among those with RV, %", 0.0, "Sec. 5.2", Kind.WITHIN, 2.0),
    Claim("farthest_kpc", "farthest star, kpc", 4.5, "Sec. 3", Kind.FACTOR, 1.2),
    Claim("accreted_percent_all_viewpoints", "accreted, all viewpoints, %", 0.801, "Sec. 7.2", Kind.FACTOR, 1.5),
)

_SHOWN = tuple(
    Claim(f"{name}_{kind}_p{percent}_{unit}", f"{quantity} of {words} stars, {percent}th percentile, {unit}")
    for name, quantity, unit in (("g", "G", "mag"), ("distance", "distance", "kpc"))
    for kind, words in (("accreted", "accreted"), ("in_situ", "in-situ"))
    for percent in (16, 50, 84)
)

_LABELS = (
    Claim("overlap_both_percent", "accreted by both definitions, %", 74.0, "Sec. 2.2", Kind.WITHIN, 10.0),
    Claim("overlap_distance_only_percent", "by distance only, %", 7.0, "Sec. 2.2", Kind.WITHIN, 10.0),
    Claim("overlap_history_only_percent", "by history only, %", 19.0, "Sec. 2.2", Kind.WITHIN, 10.0),
    Claim("label_history_purity_percent", "history labels that are true, %"),
    Claim("label_history_completeness_percent", "accreted found by history, %"),
    Claim("label_distance_purity_percent", "distance labels that are true, %"),
    Claim("label_distance_completeness_percent", "accreted found by distance, %"),
)

_BETWEEN = (
    Claim("viewpoints_v_r_spread_kms", "mean v_R within 1 kpc, spread over viewpoints, km/s"),
    Claim("stars_in_common_percent", "stars also in another seed's survey, %", kind=Kind.BELOW, limit=1.0),
)

GROUPS: Mapping[str, tuple[Claim, ...]] = MappingProxyType(
    {
        "Kinds of stars": _POPULATION,
        "Traditional selections": (*_selection_claims(), *_ORDERS),
        "All stars with G < 21, without the parallax cut": _scaler_claims(),
        "Magnitudes and distances": _SHOWN,
        "Definitions of an accreted star": _LABELS,
        "Viewpoints and seeds": _BETWEEN,
    }
)
"""All numbers, with what the paper says of m12i, by what they are about."""

_M12F: Mapping[str, tuple[float, str]] = MappingProxyType(
    {
        "accreted_percent": (1.64, "Sec. 7.3, viewpoint 1"),
        "overlap_both_percent": (65.0, "Sec. 2.2"),
        "overlap_distance_only_percent": (17.0, "Sec. 2.2"),
        "overlap_history_only_percent": (18.0, "Sec. 2.2"),
    }
)


def claims_of(galaxy: str) -> tuple[Claim, ...]:
    """
    All numbers that are measured, with what the paper says of one galaxy.

    Parameters
    ----------
    galaxy : str
        Name of the galaxy; of others than m12i and m12f the paper says nothing.

    Returns
    -------
    tuple of Claim
        In the order of the table; unjudged where the paper gives nothing for this galaxy.
    """
    claims = tuple(itertools.chain.from_iterable(GROUPS.values()))
    if galaxy == "m12i":
        return claims
    known = _M12F if galaxy == "m12f" else {}
    return tuple(_of_another(claim, known.get(claim.name)) for claim in claims)


def _of_another(claim: Claim, paper: tuple[float, str] | None) -> Claim:
    """The claim on a galaxy that is not m12i; what the paper does not speak of is judged as before."""
    if paper is not None:
        return replace(claim, paper=paper[0], where=paper[1])
    return replace(claim, paper=None, where="", kind=None) if claim.where else claim
