"""From a table of stars to scores and flags, in blocks of one fixed shape that run compiled."""

from enum import IntFlag
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import nearest
from exsitu.errors import InputError
from exsitu.model.inputs import Float32s, Labels, require_signed_longitude, values_from_frame
from exsitu.model.network import ModelCard
from exsitu.model.runtime import tf
from exsitu.quality import passes_parallax_cut

BLOCK_ROWS = 16_384

Floats = NDArray[np.float64]
Flags = NDArray[np.int32]


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


class _Blocks:
    """A network compiled for blocks of one shape, so that a row's score depends on the row alone."""

    def __init__(self, network: Any) -> None:
        self._width = int(network.input_shape[1])
        shape = tf.TensorSpec((BLOCK_ROWS, self._width), tf.float32)
        compiled = tf.function(lambda x: network(x, training=False)[:, 0], input_signature=[shape], jit_compile=True)
        self._compiled = compiled.get_concrete_function()

    def __call__(self, values: Float32s) -> Float32s:
        scores = np.empty(len(values), np.float32)
        for start in range(0, len(values), BLOCK_ROWS):
            block = values[start : start + BLOCK_ROWS]
            rows = len(block)
            if rows < BLOCK_ROWS:
                block = np.concatenate([block, np.zeros((BLOCK_ROWS - rows, self._width), np.float32)])
            scores[start : start + rows] = self._compiled(tf.constant(block)).numpy()[:rows]
        return scores


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
    finite = np.isfinite(values).all(axis=1)
    scores = np.full(len(values), np.nan, np.float32)
    scores[finite] = _Blocks(network)(np.ascontiguousarray(values[finite], np.float32))
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
        self._blocks = _Blocks(network)
        self._limit = max_fractional_parallax_error
        self._require_errors = require_errors
        domain = np.array([card.domain[name] for name in card.inputs], np.float32)
        self._low, self._high = domain[:, 0], domain[:, 1]

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """
        Score a table.

        Parameters
        ----------
        frame : DataFrame
            The network's inputs, parallax and parallax_error, in any order and among others.

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
        passing, flags = self._parallax_cut(frame)
        chosen = np.flatnonzero(passing)
        values = values_from_frame(frame, self.card.inputs, chosen)
        finite = np.isfinite(values).all(axis=1)
        flags[chosen[~finite]] |= Flag.NOT_FINITE
        chosen, values = chosen[finite], values[finite]
        if "l" in self.card.inputs:
            require_signed_longitude(values[:, self.card.inputs.index("l")])
        flags[chosen[((values < self._low) | (values > self._high)).any(axis=1)]] |= Flag.OUTSIDE_TRAINING
        scores = np.full(len(frame), np.nan, np.float32)
        scores[chosen] = self._blocks(values)
        kept = {name: frame[name] for name in ("row", "source_id") if name in frame.columns}
        return pd.DataFrame({**kept, "score": scores, "flags": flags}, index=frame.index)

    def _parallax_cut(self, frame: pd.DataFrame) -> tuple[Labels, Flags]:
        """Which rows are measured well enough, and the flags of those that are not."""
        parallax, error = _numbers(frame, "parallax"), self._errors(frame)
        passing = passes_parallax_cut(parallax, error, self._limit)
        flags = np.zeros(len(frame), np.int32)
        missing = np.isnan(error)
        if not self._require_errors:
            passing |= missing & (parallax > 0.0)
            flags[missing] |= Flag.ERRORS_MISSING
        finite = np.isfinite(parallax)
        passing &= finite
        flags[~finite] |= Flag.NOT_FINITE
        flags[finite & ~passing] |= Flag.PARALLAX_CUT
        return passing, flags

    def _errors(self, frame: pd.DataFrame) -> Floats:
        if not self._require_errors and "parallax_error" not in frame.columns:
            return np.full(len(frame), np.nan)
        return _numbers(frame, "parallax_error")


def _numbers(frame: pd.DataFrame, name: str) -> Floats:
    if name not in frame.columns:
        raise InputError(f"the table has no column {name!r}{nearest(name, map(str, frame.columns))}")
    return np.asarray(frame[name].to_numpy(np.float64, na_value=np.nan))
