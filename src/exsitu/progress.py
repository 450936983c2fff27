"""How far long work is: a bar on the terminal, or, in a process of `exsitu.parallel`, a word to its view."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

Report = Callable[[float, str], None]
"""Takes the share of the work that is done and a few words about it."""

_PAUSE_S = 0.5

_reports: list[Report] = []


class Bar(Protocol):
    """What shows progress."""

    def update(self, n: float = 1) -> object:
        """Advance by so many units."""

    def set_postfix_str(self, s: str = "") -> object:
        """Say a few words after the bar."""

    def close(self) -> object:
        """Leave the bar as it stands."""

    def __enter__(self) -> Self:
        """Return the bar."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> object:
        """Close it."""


class _Reported:
    """A bar that is drawn elsewhere: it tells how far it is, at most twice a second."""

    def __init__(self, report: Report, total: float, description: str, unit: str, done: float) -> None:
        self._report, self._total, self._description, self._unit = report, total, description, unit
        self._done, self._begun_at, self._words = done, (time.monotonic(), done), ""
        self._told = -_PAUSE_S
        self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told < _PAUSE_S and self._done < self._total:
            return
        self._told = now
        begun, before = self._begun_at
        rate = (self._done - before) / (now - begun) if now > begun else 0.0
        words = f"{self._description} {_short(rate)} {self._unit}/s {self._words}".rstrip()
        self._report(self._done / self._total if self._total else 1.0, words)

    def update(self, n: float = 1) -> None:
        self._done += n
        self._tell()

    def set_postfix_str(self, s: str = "") -> None:
        self._words = s

    def close(self) -> None:
        """Nothing is drawn here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _short(number: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def report_to(report: Report) -> None:
    """
    Send the progress of this process elsewhere from now on.

    Parameters
    ----------
    report : callable
        Takes the share that is done, from 0 to 1, and a few words.
    """
    _reports[:] = [report]


def bar(total: float, description: str, *, unit: str, shown: bool = True, done: float = 0) -> Bar:
    """
    Begin to show progress.

    Parameters
    ----------
    total : float
        Units of the whole work.
    description : str
        What is done.
    unit : str
        What is counted.
    shown : bool
        Whether to show anything.
    done : float
        Units that are done already.

    Returns
    -------
    Bar
        With rate and time left.
    """
    if shown and _reports:
        return _Reported(_reports[0], total, description, unit, done)
    from tqdm import tqdm

    drawn: Bar = tqdm(
        total=total,
        initial=done,
        unit=unit,
        unit_scale=True,
        desc=description,
        disable=not shown,
        bar_format="{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {rate_fmt}, {remaining} left{postfix}",
    )
    return drawn
