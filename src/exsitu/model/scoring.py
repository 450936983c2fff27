"""From a table of stars to scores and flags, in blocks of one fixed shape that run compiled."""

from collections.abc import Mapping, Sequence
from enum import IntFlag
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import NOT_PHYSICAL, nearest
from exsitu.errors import InputError
from exsitu.model.compiled import compiled
from exsitu.model.inputs import Float32s, Labels, error_column, require_signed_longitude
from exsitu.model.network import ModelCard
from exsitu.model.spread import CORRELATIONS, SPREAD, correlations_of, drawn_inputs, errors_of, summary
from exsitu.quality import passes_parallax_cut

Numbers = NDArray[np.float32] | NDArray[np.float64]
Flags = NDArray[np.int32]

_CUT = ("parallax", "parallax_error")
_CUT_ROWS = 1 << 15
"""Rows cut at a time, so that what is computed on the way stays in the cache."""


class Flag(IntFlag):
    """What to know about a row, as bits of the column ``flags``; 0 is a plain score."""

    NOT_FINITE = 1
    """An input is missing, NaN or infinite: no score."""
    PARALLAX_CUT = 2
    """The parallax is not positive or not measured well enough: no score."""
    OUTSIDE_TRAINING = 4
    """An input is outside the range of the training sample: the score is an extrapolation."""
    ERRORS_MISSING = 8
    """There is no parallax error: the parallax was only asked to be positive."""
    NOT_PHYSICAL = 16
    """A value that decides was no measurement (-9999, an error of 0, outside its range) and was taken as missing."""


def network_scores(network: Any, values: Float32s) -> Float32s:
    """
    Scores of stars given as an array.

    Parameters
    ----------
    network : keras.Model
        As `build_network` makes it.
    values : ndarray of float32, shape (n_stars, n_inputs)
        Raw inputs in the network's order.

    Returns
    -------
    ndarray of float32, shape (n_stars,)
        NaN where an input is not finite.
    """
    scores = compiled(network)(np.ascontiguousarray(values, np.float32))
    bad = np.zeros(len(values), np.bool_)
    for column in values.T:
        bad |= ~np.isfinite(column)
    scores[bad] = np.nan
    return scores


class Scorer:
    """
    Scores tables with one network, whatever their size and order.

    Parameters
    ----------
    network : keras.Model
        As `load_model` gives it.
    card : ModelCard
        Its card.
    max_fractional_parallax_error : float
        A star is scored if 0 < parallax_error / parallax < this.
    require_errors : bool
        Refuse tables without parallax errors. Otherwise a star without one is scored if its parallax is positive, and
        flagged.
    """

    def __init__(
        self, network: Any, card: ModelCard, *, max_fractional_parallax_error: float, require_errors: bool = True
    ) -> None:
        self.card = card
        self._blocks = compiled(network)
        self._limit = max_fractional_parallax_error
        self._require_errors = require_errors
        domain = np.array([card.domain[name] for name in card.inputs], np.float32)
        self._low, self._high = domain[:, 0], domain[:, 1]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that decide a score: the network's inputs, the parallax and its error."""
        return tuple(dict.fromkeys((*self.card.inputs, *_CUT)))

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """
        Score a table.

        Parameters
        ----------
        frame : DataFrame
            The network's inputs, parallax and parallax_error, in any order and among others; perhaps the readers'
            boolean ``not_physical``.

        Returns
        -------
        DataFrame
            In the order and with the index of `frame`: row and source_id where it has them, score (float32; NaN where
            there is none) and flags (int32; see `Flag`). Rows that fail the parallax cut are not looked at further.

        Raises
        ------
        InputError
            If a column is missing, or longitudes run to 360 deg.
        """
        self._require(list(map(str, frame.columns)))
        columns = {n: _numbers(frame[n]) for n in self.columns if n in frame.columns}
        if NOT_PHYSICAL in frame:
            columns[NOT_PHYSICAL] = frame[NOT_PHYSICAL].to_numpy(np.bool_)
        scores, flags = self.score_columns(columns)
        kept = {name: frame[name] for name in ("row", "source_id") if name in frame.columns}
        return pd.DataFrame({**kept, "score": scores, "flags": flags}, index=frame.index)

    def score_columns(self, columns: Mapping[str, Numbers]) -> tuple[Float32s, Flags]:
        """
        Score stars given column by column: what `score` does, without a table.

        Parameters
        ----------
        columns : mapping of str to ndarray of float32 or float64, shape (n_stars,)
            `columns`, and perhaps the readers' boolean ``not_physical``; others are not looked at. Those beyond the
            parallax and its error are asked for only if a star passes the cut.

        Returns
        -------
        scores : ndarray of float32, shape (n_stars,)
            NaN where there is none.
        flags : ndarray of int32, shape (n_stars,)
            See `Flag`.

        Raises
        ------
        InputError
            If a column is missing, or longitudes run to 360 deg.
        """
        self._require(list(columns))
        passing, flags = self._parallax_cut(columns)
        if NOT_PHYSICAL in columns:
            flags[columns[NOT_PHYSICAL]] |= Flag.NOT_PHYSICAL
        scores = np.full(len(flags), np.nan, np.float32)
        for start in range(0, len(passing), self._blocks.call_rows):
            chosen = passing[start : start + self._blocks.call_rows]
            values, bad, outside = self._values(columns, chosen)
            found = self._blocks(values)
            found[bad] = np.nan
            scores[chosen] = found
            flags[chosen[bad]] |= Flag.NOT_FINITE
            flags[chosen[outside & ~bad]] |= Flag.OUTSIDE_TRAINING
        return scores, flags

    def columns_for(self, draws: int = 0) -> tuple[str, ...]:
        """
        Columns without which stars are not scored.

        Parameters
        ----------
        draws : int
            Draws of the errors; with any, the inputs' errors are needed.

        Returns
        -------
        tuple of str
        """
        return (*self.columns, *(self._errors if draws and self._require_errors else ()))

    def optional_for(self, draws: int = 0) -> tuple[str, ...]:
        """
        Columns that are used where they exist.

        Parameters
        ----------
        draws : int
            Draws of the errors.

        Returns
        -------
        tuple of str
        """
        return ("source_id", *(("feh_error", *self._errors, *CORRELATIONS) if draws else ()))

    @property
    def _errors(self) -> tuple[str, ...]:
        """Errors of the inputs that must have one."""
        sources = (error_column(name) for name in self.card.inputs if name != "feh")
        return tuple(source for source in sources if source is not None and source not in _CUT)

    def spread_columns(
        self, columns: Mapping[str, Numbers], scores: Float32s, keys: NDArray[np.int64], *, draws: int, seed: int
    ) -> dict[str, Float32s]:
        """
        Spread of the scores over draws of the measurement errors.

        Parameters
        ----------
        columns : mapping of str to ndarray of float32 or float64, shape (n_stars,)
            `columns_for` draws, and those of `optional_for` that exist.
        scores : ndarray of float32, shape (n_stars,)
            As `score_columns` gave them; stars without a score get no spread.
        keys : ndarray of int64, shape (n_stars,)
            What names a star, such as its source_id: its draws depend on it and on `seed` alone.
        draws : int
            Draws of each star.
        seed : int
            Seed.

        Returns
        -------
        dict
            ``score_mean``, ``score_p16`` and ``score_p84``, float32, shape (n_stars,); NaN where there is no score or
            an error is NaN, infinite or negative. Errors are correlated as the correlation columns say, where all
            three are there.

        Raises
        ------
        InputError
            If `draws` is below 1, or an error column is missing.
        """
        if draws < 1:
            raise InputError(f"{draws} draws make no spread; at least 1 is needed")
        for name in self.columns_for(draws):
            if name not in columns and (name != "parallax_error" or self._require_errors):
                raise InputError(f"the table has no column {name!r}{nearest(name, list(columns))}")
        found = np.full((len(SPREAD), len(scores)), np.nan, np.float32)
        scored, step = np.flatnonzero(np.isfinite(scores)), max(1, self._blocks.call_rows // draws)
        for start in range(0, len(scored), step):
            chosen = scored[start : start + step]
            errors = errors_of(columns, self.card.inputs, chosen)
            if not self._require_errors:
                errors = np.nan_to_num(errors, nan=0.0, posinf=np.inf)
            drawn = drawn_inputs(
                self._values(columns, chosen)[0],
                np.where(errors >= 0.0, errors, np.float32(np.nan)),
                self.card.inputs,
                keys[chosen],
                draws=draws,
                seed=seed,
                correlations=correlations_of(columns, self.card.inputs, chosen),
            )
            found[:, chosen] = summary(self._blocks, drawn)
        return dict(zip(SPREAD, found, strict=True))

    def _require(self, held: Sequence[str]) -> None:
        for name in self.columns:
            if name not in held and not (name == "parallax_error" and not self._require_errors):
                raise InputError(f"the table has no column {name!r}{nearest(name, held)}")

    def _values(self, columns: Mapping[str, Numbers], chosen: NDArray[np.intp]) -> tuple[Float32s, Labels, Labels]:
        """Inputs of some stars, which of them are not finite, and which lie outside the training sample."""
        together = len(chosen) and chosen[-1] - chosen[0] == len(chosen) - 1
        rows = slice(chosen[0], chosen[-1] + 1) if together else chosen  # a slice is no copy
        values = np.empty((len(chosen), len(self.card.inputs)), np.float32)
        bad, outside = np.zeros(len(chosen), np.bool_), np.zeros(len(chosen), np.bool_)
        for i, name in enumerate(self.card.inputs):
            with np.errstate(over="ignore"):  # what overflows becomes inf and is refused as such
                column = columns[name][rows].astype(np.float32, copy=False)
            bad |= ~np.isfinite(column)
            outside |= (column < self._low[i]) | (column > self._high[i])
            values[:, i] = column
        if "l" in self.card.inputs:
            require_signed_longitude(values[~bad, self.card.inputs.index("l")])
        return values, bad, outside

    def _parallax_cut(self, columns: Mapping[str, Numbers]) -> tuple[NDArray[np.intp], Flags]:
        """Rows that are measured well enough, and the flags of those that are not."""
        parallax = columns["parallax"]
        error = columns.get("parallax_error")
        if error is None:
            error = np.full(len(parallax), np.nan)
        flags = np.zeros(len(parallax), np.int32)
        chosen = []
        for start in range(0, len(parallax), _CUT_ROWS):
            part = slice(start, start + _CUT_ROWS)
            chosen.append(start + np.flatnonzero(self._passing(parallax[part], error[part], flags[part])))
        return np.concatenate(chosen) if chosen else np.empty(0, np.intp), flags

    def _passing(self, parallax: Numbers, error: Numbers, flags: Flags) -> Labels:
        """Which of some rows pass; the flags of the others are set."""
        passing = passes_parallax_cut(parallax, error, self._limit)
        if not self._require_errors:
            missing = np.isnan(error)
            passing |= missing & (parallax > 0.0)
            flags[missing] |= Flag.ERRORS_MISSING
        finite = np.isfinite(parallax)
        passing &= finite
        flags[~passing] |= np.where(finite[~passing], np.int32(Flag.PARALLAX_CUT), np.int32(Flag.NOT_FINITE))
        return passing


def _numbers(values: "pd.Series[Any]") -> Numbers:
    """Column of a table as it lies in memory, where it holds floats."""
    if values.dtype in (np.float32, np.float64):
        return values.to_numpy()
    return values.to_numpy(np.float64, na_value=np.nan)
