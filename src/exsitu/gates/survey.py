"""The gate of a survey that is scored: whether it can be what its columns say, and is like what was learnt on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.evaluation.drift import drifts
from exsitu.gates.plausible import Plausibility
from exsitu.quality import passes_parallax_cut

_FEWEST = 20
_MAX_OUTSIDE = 0.5
"""Share of the scored stars outside the training sample; met in right surveys: at most 0.27 (metal-poor halo stars)."""

_MAX_KS = 0.99
"""Kolmogorov-Smirnov distance of an input: beyond it hardly a star lies where the training sample has any.

Met in right surveys: at most 0.96 (Hipparcos' parallaxes); of all stars within 100 pc 0.985 is expected.
"""


@dataclass(slots=True)
class SurveyGate:
    """
    Watch over a survey while it is scored in chunks.

    Parameters
    ----------
    inputs : tuple of str
        The network's inputs.
    max_fractional_parallax_error : float
        The quality cut.
    learnt_on : mapping of str to sequence of float
        Quantiles of inputs in the training sample, as `exsitu.evaluation.drift.quantiles` gives them; an input that is
        not there is not compared.

    Attributes
    ----------
    flagged : dict of str to int
        Rows that bear each flag, so far.
    scored : int
        Rows with a score, so far.
    columns : Plausibility
        Watch over the columns.
    """

    inputs: tuple[str, ...]
    max_fractional_parallax_error: float
    learnt_on: Mapping[str, Sequence[float]] = field(default_factory=dict)
    flagged: dict[str, int] = field(default_factory=dict, init=False)
    scored: int = field(default=0, init=False)
    columns: Plausibility = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no row."""
        from exsitu.model.scoring import Flag

        self.flagged = dict.fromkeys((flag.name.lower() for flag in Flag if flag.name), 0)
        self.columns = Plausibility(self.inputs)

    def add(
        self, columns: Mapping[str, NDArray[Any]] | pd.DataFrame, scores: NDArray[Any], flags: NDArray[np.int32]
    ) -> None:
        """
        Take in one chunk.

        Parameters
        ----------
        columns : mapping of str to ndarray, shape (n_stars,), or DataFrame
            What was scored, as `Plausibility.add` takes it.
        scores : ndarray, shape (n_stars,)
            NaN where there is none.
        flags : ndarray of int32, shape (n_stars,)
            Bits of ``exsitu.model.scoring.Flag``.
        """
        from exsitu.model.scoring import Flag

        self.columns.add(columns)
        self.scored += int(np.count_nonzero(np.isfinite(scores)))
        for name in self.flagged:
            self.flagged[name] += int(np.count_nonzero(flags & np.int32(Flag[name.upper()])))

    def doubts(self) -> list[str]:
        """
        Say why the scores cannot be trusted.

        Returns
        -------
        list of str
            A sentence each, with the value and the limit; empty where nothing was found.
        """
        return [*self.columns.doubts(), *self._outside(), *self._drifted()]

    def notes(self) -> list[str]:
        """
        Say what could not be looked at.

        Returns
        -------
        list of str
        """
        return self.columns.notes()

    def _outside(self) -> Iterator[str]:
        share = self.flagged["outside_training"] / max(1, self.scored)
        if self.scored >= _FEWEST and share > _MAX_OUTSIDE:
            yield (
                f"{100 * share:.3g} % of the scored stars lie outside what the network learnt on (at most "
                f"{100 * _MAX_OUTSIDE:g} %): their scores are extrapolations; check the units of the columns"
            )

    def _drifted(self) -> Iterator[str]:
        rows = self.columns.rows
        names = [name for name in self.learnt_on if name in rows]
        if not names:
            return
        found = rows[names].to_numpy(np.float64)
        error = rows["parallax_error"] if "parallax_error" in rows else np.full(len(rows), np.nan)
        # Without an error a star is scored if its parallax is positive.
        good = passes_parallax_cut(rows["parallax"], error, self.max_fractional_parallax_error)
        good |= np.isnan(np.asarray(error, np.float64)) & (rows["parallax"].to_numpy(np.float64) > 0.0)
        good &= np.isfinite(found).all(axis=1)
        if np.count_nonzero(good) < _FEWEST:
            return
        reference = {name: np.asarray(self.learnt_on[name]) for name in names}
        for drift in drifts(reference, dict(zip(names, found[good].T, strict=True))):
            if drift.ks > _MAX_KS:
                yield (
                    f"{drift.name} is not distributed as in the stars the network learnt on: KS {drift.ks:.3g} (at "
                    f"most {_MAX_KS:g}), PSI {drift.psi:.3g}; check its unit"
                )
