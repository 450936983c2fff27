"""The one shape of an experiment.

An experiment says what is trained (trials), what is measured (tables), what is drawn from the tables, and what of the
paper's findings came out (claims). Everything else is the same for all: `exsitu.experiments.run`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import NDArray

from exsitu.experiments.bench import Bench
from exsitu.experiments.trial import Trial
from exsitu.pages import measured
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Tables = Mapping[str, pd.DataFrame]

SIGMAS = 2.0
"""A difference counts if it is larger than so many standard errors."""


class Verdict(StrEnum):
    """What became of one of the paper's findings."""

    HOLDS = "holds"
    OPEN = "within the error"
    FAILS = "does not hold"


@dataclass(frozen=True, slots=True)
class Claim:
    """
    A finding, and what came out here.

    Parameters
    ----------
    statement : str
        What is claimed, as a sentence.
    paper : str
        What the paper found, in its numbers.
    value, error : float
        What was found here and its standard error.
    unit : str
        Unit of both, or what is counted.
    verdict : Verdict
        Whether it holds.
    why : str
        A measurement that explains what does not.
    """

    statement: str
    paper: str
    value: float
    error: float
    unit: str
    verdict: Verdict
    why: str = ""

    @property
    def here(self) -> str:
        """The number for people."""
        if not math.isfinite(self.value):
            return "not measured"
        return f"{measured(self.value, self.error)} {self.unit}".rstrip()


def above(
    statement: str, value: float, error: float, *, paper: str, limit: float = 0.0, unit: str = "", why: str = ""
) -> Claim:
    """
    Claim that a number lies above a limit, by more than its error.

    Parameters
    ----------
    statement : str
        What is claimed.
    value, error : float
        The number and its standard error.
    paper : str
        What the paper found.
    limit : float
        The limit.
    unit : str
        Unit of the number.
    why : str
        Shown where it does not hold.

    Returns
    -------
    Claim
    """
    distance = value - limit
    certain = abs(distance) > SIGMAS * error if math.isfinite(distance) else False
    verdict = (Verdict.HOLDS if distance > 0 else Verdict.FAILS) if certain else Verdict.OPEN
    return Claim(statement, paper, value, error, unit, verdict, "" if verdict == Verdict.HOLDS else why)


def near(
    statement: str, value: float, error: float, *, paper: str, within: float, unit: str = "", why: str = ""
) -> Claim:
    """
    Claim that a difference is at most so large.

    Parameters
    ----------
    statement : str
        What is claimed.
    value, error : float
        The difference and its standard error.
    paper : str
        What the paper found.
    within : float
        Largest difference that holds.
    unit : str
        Unit of the number.
    why : str
        Shown where it does not hold.

    Returns
    -------
    Claim
        It fails only where the difference is larger beyond its error.
    """
    beyond = abs(value) - within
    verdict = Verdict.HOLDS if beyond <= 0 else Verdict.FAILS if beyond > SIGMAS * error else Verdict.OPEN
    return Claim(statement, paper, value, error, unit, verdict, "" if verdict == Verdict.HOLDS else why)


def cell(table: pd.DataFrame, row: str, name: str) -> tuple[float, float]:
    """
    A number of a table and its error.

    Parameters
    ----------
    table : DataFrame
        First column names the rows.
    row : str
        Which.
    name : str
        Column of the number; ``<name>_error`` holds its error, where there is one.

    Returns
    -------
    value, error : float
        The error is 0 where there is none.
    """
    found = table[table.iloc[:, 0] == row].iloc[0]
    return float(found[name]), float(found.get(f"{name}_error", 0.0))


@dataclass(frozen=True, slots=True)
class Measured:
    """
    What an experiment measured.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Published as CSV; the first column names the rows. The first table is the experiment's main one.
    stars : mapping of str to ndarray
        What only figures need; not kept.
    notes : tuple of str
        What to know when reading the numbers, computed from them.
    """

    tables: Tables
    stars: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Experiment:
    """
    One experiment.

    Parameters
    ----------
    name : str
        Such as ``"E2"``.
    title : str
        A few words.
    source : str
        Place in the paper.
    finding : str
        What the paper found, in a sentence or two.
    trials : callable
        Takes the settings, gives what is trained by label, seed 0 of each; every seed asked for is trained.
    measure : callable
        Takes a `Bench`, gives tables.
    draw : callable
        Takes what was measured and the settings, gives figures by name.
    claims : callable
        Takes the tables, gives what became of the findings.
    surveys : callable
        Takes the settings, gives the surveys it reads beyond those its trials learn from.
    seeds : int
        It needs at least so many networks of each trial, whatever the settings have.
    """

    name: str
    title: str
    source: str
    finding: str
    trials: Callable[[Settings], Mapping[str, Trial]]
    measure: Callable[[Bench], Measured]
    draw: Callable[[Measured, Settings], "Mapping[str, Figure]"]
    claims: Callable[[Tables], Sequence[Claim]]
    surveys: Callable[[Settings], Sequence[str]] = lambda _: ()
    seeds: int = 1

    def seeded(self, settings: Settings) -> Settings:
        """
        The settings with as many seeds as the experiment needs.

        Parameters
        ----------
        settings : Settings
            All settings.

        Returns
        -------
        Settings
        """
        seeds = max(self.seeds, settings.experiments.seeds)
        return settings.model_copy(update={"experiments": settings.experiments.model_copy(update={"seeds": seeds})})
