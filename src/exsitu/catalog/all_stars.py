"""What a release asks of all stars of its survey, whether they are selected or not, before it is published."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu import gates
from exsitu.errors import GateError

log = logging.getLogger(__name__)


class AllStars:
    """
    The gates of a survey that is released: its suite, and whether it can be what its columns say.

    Parameters
    ----------
    watch : SurveyGate
        Of the scorer.
    suites : Path
        Folder of the expectation suites.
    report : Path
        Where the report of the suite goes.
    """

    def __init__(self, watch: gates.SurveyGate, suites: Path, report: Path) -> None:
        self._watch, self._suites, self._report = watch, suites, report
        self._failed: list[str] = []

    def watched(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """
        Hand the survey on while its suite is checked.

        Parameters
        ----------
        frames : iterable of DataFrame
            The survey in chunks.

        Yields
        ------
        DataFrame
            The chunks as they came.

        Raises
        ------
        GateError
            If there is no suite to check by.
        """
        begun = False
        try:
            for frame in gates.checked(frames, "gaia_survey", report=self._report, suites=self._suites):
                begun = True
                yield frame
        except GateError as error:
            if not begun:  # there is no such suite, or no star
                raise
            # The whole of it is in the report; the reader of the line needs to know where.
            said = str(error).partition(" rows: ")[0]
            self._failed.append(f"{said} rows, see {self._report.with_suffix('.md')}")

    @property
    def flagged(self) -> dict[str, int]:
        """Rows that bear each flag, so far."""
        return self._watch.flagged

    def add(self, frame: pd.DataFrame, score: NDArray[Any], flags: NDArray[np.int32]) -> None:
        """
        Take in a chunk that was scored.

        Parameters
        ----------
        frame : DataFrame
            The chunk.
        score : ndarray, shape (n_stars,)
            Its scores.
        flags : ndarray of int32, shape (n_stars,)
            Its flags.
        """
        self._watch.add(frame, score, flags)

    def doubts(self, version: str, *, allowed: bool) -> list[str]:
        """
        Say what speaks against the survey, once all of it was scored.

        Parameters
        ----------
        version : str
            Version of the release.
        allowed : bool
            Whether it is published all the same.

        Returns
        -------
        list of str
            A sentence each; empty where nothing speaks against it.

        Raises
        ------
        GateError
            If anything does and that is not allowed.
        """
        for note in self._watch.notes():
            log.info("%s: %s", version, note)
        found = [*self._watch.doubts(), *self._failed]
        for doubt in found if allowed else ():
            log.warning("%s is published although %s", version, doubt)
        if found and not allowed:
            raise GateError(
                f"{version} was not published: {'; '.join(found)}. Put the survey right, or, if it is right, say so "
                "with --allow-doubts (allow_doubts=True)"
            )
        return found
