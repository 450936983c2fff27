"""What a candidate must reach to become champion, criterion by criterion, each with its numbers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exsitu.evaluation.jackknife import Resampled
from exsitu.settings import Acceptance, Promotion, RealStars

_HIGHER_IS_BETTER = {"sum_chi2": False, "purity": True, "efficiency_accreted": True}


@dataclass(frozen=True)
class Criterion:
    """
    One thing a candidate is held to.

    Parameters
    ----------
    name : str
        Such as ``"champion: purity"``.
    passed : bool or None
        None where it was not checked.
    detail : str
        The numbers, or why there are none, in words.
    figures : mapping of str to float
        The numbers by name, all finite.
    """

    name: str
    passed: bool | None
    detail: str
    figures: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """
        Turn the criterion into what JSON can hold.

        Returns
        -------
        dict
        """
        return {"name": self.name, "passed": self.passed, "detail": self.detail, "figures": dict(self.figures)}


@dataclass(frozen=True)
class Verdict:
    """
    What came of judging a candidate.

    Parameters
    ----------
    criteria : tuple of Criterion
        Every criterion, checked or not.
    """

    criteria: tuple[Criterion, ...]

    @property
    def passed(self) -> bool:
        """Whether no criterion failed; what was not checked does not fail."""
        return not self.failed

    @property
    def failed(self) -> tuple[Criterion, ...]:
        """The criteria that failed."""
        return tuple(criterion for criterion in self.criteria if criterion.passed is False)

    def as_dict(self) -> dict[str, Any]:
        """
        Turn the verdict into what JSON can hold.

        Returns
        -------
        dict
        """
        return {"passed": self.passed, "criteria": [criterion.as_dict() for criterion in self.criteria]}

    def text(self) -> str:
        """
        Turn the verdict into text for people.

        Returns
        -------
        str
            A line a criterion.
        """
        words = {True: "pass", False: "FAIL", None: "not checked"}
        return "\n".join(f"{words[c.passed]:<12} {c.name}: {c.detail}" for c in self.criteria)


def acceptance_criteria(evaluation: Mapping[str, Any], acceptance: Acceptance) -> list[Criterion]:
    """
    Hold what evaluation measured of a recipe against the acceptance limits.

    Parameters
    ----------
    evaluation : mapping
        Metrics of the recipe, ``passed`` and ``reasons``.
    acceptance : Acceptance
        Settings.

    Returns
    -------
    list of Criterion
        A criterion a limit, and one for what evaluation itself decided, under the limits of its day.
    """
    limits = {
        "auc": ("at least", acceptance.min_auc),
        "purity": ("at least", acceptance.min_purity),
        "efficiency_accreted": ("at least", acceptance.min_efficiency_accreted),
        "sum_chi2": ("at most", acceptance.max_sum_chi2),
    }
    found = [_limited(name, evaluation.get(name), *limit) for name, limit in limits.items()]
    reasons = "; ".join(evaluation.get("reasons", ())) or "no reason was recorded"
    passed = evaluation.get("passed") is True
    return [*found, Criterion("acceptance", passed, "the recipe passed evaluation" if passed else reasons)]


def _limited(name: str, value: Any, bound: str, limit: float) -> Criterion:
    if value is None:
        return Criterion(f"acceptance: {name}", passed=False, detail="evaluation did not measure it")
    met = value >= limit if bound == "at least" else value <= limit
    figures = {"value": float(value), "limit": limit}
    return Criterion(f"acceptance: {name}", bool(met), f"{value:.4g}, must be {bound} {limit:g}", figures)


def comparison_criteria(candidate: Resampled, champion: Resampled, policy: Promotion) -> list[Criterion]:
    """
    Hold a candidate against the champion, both measured on the same stars.

    Parameters
    ----------
    candidate, champion : Resampled
        Both of the same stars in the same groups.
    policy : Promotion
        Settings.

    Returns
    -------
    list of Criterion
        One a metric of ``promotion.max_loss_sigma``.
    """
    limits = policy.max_loss_sigma.model_dump()
    return [_compared(name, candidate, champion, limit) for name, limit in limits.items()]


def _compared(name: str, candidate: Resampled, champion: Resampled, limit: float) -> Criterion:
    mine, theirs = candidate.whole[name], champion.whole[name]
    title = f"champion: {name}"
    if not math.isfinite(mine):
        return Criterion(title, passed=False, detail="the candidate selects no held-out star")
    if not math.isfinite(theirs):
        return Criterion(title, passed=True, detail="the champion selects no held-out star", figures={"value": mine})
    difference, error = candidate.difference(champion, name)
    gain = difference if _HIGHER_IS_BETTER[name] else -difference
    if not math.isfinite(error):
        return Criterion(title, passed=False, detail=f"{mine:.4g} of too few stars to say how exactly")
    figures = {
        "value": mine,
        "error": _finite(candidate.error(name)),
        "champion": theirs,
        "champion_error": _finite(champion.error(name)),
        "gain": gain,
        "gain_error": error,
        "max_loss_sigma": limit,
    }
    detail = (
        f"{mine:.4g} ± {figures['error']:.2g}, champion {theirs:.4g} ± {figures['champion_error']:.2g}; "
        f"gain {gain:+.2g} ± {error:.2g}, must be at least {-limit * error:+.2g} ({-limit:+g} sigma)"
    )
    return Criterion(title, gain >= -limit * error, detail, figures)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def real_star_criterion(name: str, stars: RealStars, counts: Mapping[str, Any]) -> Criterion:
    """
    Hold the selected fraction of real stars against its limits.

    Parameters
    ----------
    name : str
        What the stars are called in the settings.
    stars : RealStars
        Settings.
    counts : mapping
        ``scored`` and ``selected``, as ``exsitu score`` counts them.

    Returns
    -------
    Criterion
        Failed if no star could be scored.
    """
    scored, selected = int(counts["scored"]), int(counts["selected"])
    title = f"real stars: {name}"
    if not scored:
        return Criterion(title, passed=False, detail=f"none of the stars in {stars.path} could be scored")
    fraction = selected / scored
    # Standard deviation of the fraction given the counts, under a flat prior: not zero where none is selected.
    error = math.sqrt((selected + 1) * (scored - selected + 1) / (scored + 2) ** 2 / (scored + 3))
    figures = {"value": fraction, "error": error, "scored": float(scored), "selected": float(selected)}
    bounds = {"min": stars.min_selected_fraction, "max": stars.max_selected_fraction}
    figures |= {f"{side}_selected_fraction": limit for side, limit in bounds.items() if limit is not None}
    low, high = bounds["min"] or 0.0, 1.0 if bounds["max"] is None else bounds["max"]
    detail = f"{selected} of {scored} selected, {fraction:.3g} ± {error:.1g}, must be from {low:g} to {high:g}"
    return Criterion(title, low <= fraction <= high, detail, figures)
