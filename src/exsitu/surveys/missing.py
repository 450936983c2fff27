"""What is no measurement in a survey: numbers that stand for "no value", and values outside their physical range.

Every reader passes its columns through `Physical`: what is no measurement becomes NaN, is counted in `Replaced`, and is
said in one sentence. The ranges are those of ``exsitu.columns``.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import NOT_PHYSICAL, Column
from exsitu.errors import InputError

Mask = NDArray[np.bool_]

SENTINELS = tuple(
    sign * number
    for number in (99.0, 99.9, 99.99, 99.999, 999.0, 999.9, 999.99, 999.999, 9999.0, 9999.9, 9999.99, 9999.999)
    for sign in (-1.0, 1.0)
)
"""Numbers that published tables put where there is no value; larger ones are outside every physical range."""

_NEVER_MEASURED = 500.0
"""In the registry's units: at or beyond it, a sentinel is never taken for a measurement."""
_SAMPLE = 100_000
"""First rows of a survey, by which it is decided whether a smaller sentinel stands for a missing value."""
_NEAR = 0.02
"""Half width, as a share of the sentinel, of the neighbourhood in which real values are counted."""
_SHOWN = 3
_KEPT = 20
_MEASURED = (
    "pos.parallax", "pos.pm", "stat.error", "stat.snr", "spect.dopplerVeloc", "phys.abund", "phot.mag", "time.age",
    "phys.gravity", "phys.temperature",
)  # fmt: skip
"""UCDs of the columns in which sentinels are looked for; positions have a range alone."""
_POSITION = frozenset({"ra", "dec", "l", "b"})
_TURNED = {"ra": -180.0}
"""Lowest value of an angle that the readers turn into its range afterwards."""
_MADE_OF = {"parallax_over_error": "parallax_error"}


class Replaced:
    """
    What was taken as missing while a survey was read.

    Parameters
    ----------
    deciding : collection of str
        Columns that decide a score, such as those of a ``Scorer``. With any, the readers also give the boolean column
        ``not_physical``: True in the rows in which one of these was taken as missing.
    """

    __slots__ = ("_values", "deciding", "rows")

    def __init__(self, deciding: Collection[str] = ()) -> None:
        self.deciding = frozenset(deciding)
        self.rows = 0
        """Rows in which a deciding column was taken as missing."""
        self._values: dict[str, dict[float, int]] = {}

    def add(self, name: str, values: NDArray[Any]) -> None:
        """
        Take in values of one column that are no measurements.

        Parameters
        ----------
        name : str
            Column, in the registry's name.
        values : ndarray, shape (n_rows,)
            The values as the file has them.
        """
        held = self._values.setdefault(name, {})
        for value, rows in zip(*np.unique(values, return_counts=True), strict=True):
            held[float(value)] = held.get(float(value), 0) + int(rows)

    def __bool__(self) -> bool:
        """Whether anything was taken as missing."""
        return bool(self._values)

    def as_dict(self) -> dict[str, dict[str, int]]:
        """
        Give the counts in a form that JSON can hold.

        Returns
        -------
        dict
            ``{column: {value: rows}}``, the commonest value first; after twenty of them ``"others"`` for the rest.
        """
        found = {}
        for name, held in self._values.items():
            ranked = sorted(held.items(), key=lambda item: (-item[1], item[0]))
            kept = {f"{value:.10g}": rows for value, rows in ranked[:_KEPT]}
            found[name] = kept | ({"others": sum(rows for _, rows in ranked[_KEPT:])} if ranked[_KEPT:] else {})
        return found

    def sentence(self) -> str:
        """
        Say in one sentence what was taken as missing.

        Returns
        -------
        str
            Empty where nothing was.
        """
        if not self:
            return ""
        columns = []
        for name, held in self.as_dict().items():
            shown = [f"{value} in {_rows(rows)}" for value, rows in list(held.items())[:_SHOWN]]
            more = sum(list(held.values())[_SHOWN:])
            columns.append(f"{name} ({', '.join(shown)}{f', others in {_rows(more)}' if more else ''})")
        flagged = f"; {_rows(self.rows)} flagged {NOT_PHYSICAL}" if self.rows else ""
        return f"values that are no measurements were taken as missing: {', '.join(columns)}{flagged}"


def _rows(number: int) -> str:
    return f"{number:,} row{'s' if number != 1 else ''}"


class Physical:
    """
    Takes what is no measurement in the columns of one survey as missing, chunk by chunk.

    Parameters
    ----------
    replaced : Replaced, optional
        Where to count; nowhere else to be seen by default.
    """

    def __init__(self, replaced: Replaced | None = None) -> None:
        self.replaced = Replaced() if replaced is None else replaced
        self._small: dict[str, tuple[float, ...]] = {}
        self._bad: dict[str, Mask] = {}

    def taken(self, c: Column, values: NDArray[Any], factor: float, source: str) -> NDArray[Any]:
        """
        Take what is no measurement in one column of a chunk as missing.

        Parameters
        ----------
        c : Column
            The column in the registry.
        values : ndarray of floats, shape (n_rows,)
            The values as the file has them.
        factor : float
            Number that takes them to the registry's unit.
        source : str
            File and column, for the message.

        Returns
        -------
        ndarray, shape (n_rows,)
            `values` themselves where nothing is to be changed, else a copy. NaN stands for: values outside the
            column's range; infinity; standard errors of 0; `SENTINELS` of 500 and more in the registry's units; and
            smaller ones that at least two of the survey's first 100,000 rows hold, and more rows than hold another
            number within 2 per cent of them.

        Raises
        ------
        InputError
            If standard errors are negative and no sentinel or whole number (-1 is one).
        """
        if c.low is None or c.high is None or not values.size:
            return values
        low = _TURNED.get(c.name, c.low)
        lowest, highest = np.fmin.reduce(values) * factor, np.fmax.reduce(values) * factor
        error = c.ucd.startswith("stat.error")
        bad: Mask | None = None
        if lowest < low or highest > c.high or (error and lowest <= 0.0):
            scaled = values if factor == 1.0 else values * factor
            bad = (scaled <= 0.0 if error else scaled < low) | (scaled > c.high)
            if error:
                _refuse_negative(values, source)
        for sentinel in self._sentinels(c, values, factor, lowest, highest):
            marked = values == values.dtype.type(sentinel)
            bad = marked if bad is None else bad | marked
        if bad is None or not bad.any():
            return values
        self.replaced.add(c.name, values[bad])
        self._bad[c.name] = bad
        return np.where(bad, values.dtype.type(np.nan), values)

    def _sentinels(
        self, c: Column, values: NDArray[Any], factor: float, lowest: float, highest: float
    ) -> Iterator[float]:
        """The sentinels to be looked for, of those within the range of the values."""
        if not c.ucd.startswith(_MEASURED):
            return
        within = [s for s in SENTINELS if lowest <= s * factor <= highest and c.low <= s * factor <= c.high]  # type: ignore[operator]
        if c.name not in self._small:
            first = values[:_SAMPLE]
            self._small[c.name] = tuple(s for s in within if abs(s) * factor < _NEVER_MEASURED and _repeats(first, s))
        yield from (s for s in within if abs(s) * factor >= _NEVER_MEASURED or s in self._small[c.name])

    def taken_in(self, names: Collection[str]) -> Mask | None:
        """
        Say in which rows of a chunk a value of some columns was taken as missing.

        Parameters
        ----------
        names : collection of str
            The columns.

        Returns
        -------
        ndarray of bool, shape (n_rows,), or None
            None where none was.
        """
        masks = [bad for name, bad in self._bad.items() if name in names]
        return np.logical_or.reduce(masks) if masks else None

    def rows(self, found: Mapping[str, Any] | pd.DataFrame, n_rows: int) -> Mask:
        """
        Mark the rows of a chunk in which a deciding column was taken as missing; the next chunk begins anew.

        Parameters
        ----------
        found : DataFrame or mapping of str to ndarray, shape (n_rows,)
            Columns of the chunk as they are given on: a position that could be made from another counts as known.
        n_rows : int
            Rows of the chunk.

        Returns
        -------
        ndarray of bool, shape (n_rows,)
        """
        deciding = self.replaced.deciding
        marked = np.zeros(n_rows, np.bool_)
        for name, bad in self._bad.items():
            if name in _POSITION and deciding & _POSITION:
                marked |= bad & _unknown(found, _POSITION & deciding)
            elif (target := _MADE_OF.get(name)) in deciding:
                marked |= bad & _unknown(found, {target})
            elif name in deciding:
                marked |= bad
        self._bad.clear()
        self.replaced.rows += int(np.count_nonzero(marked))
        return marked


def _unknown(found: Mapping[str, Any] | pd.DataFrame, names: Collection[str]) -> Mask:
    """Rows in which one of some columns is not finite."""
    known = [np.isfinite(np.asarray(found[name], np.float64)) for name in names if name in found]
    return ~np.logical_and.reduce(known) if known else np.ones((), np.bool_)


def _repeats(values: NDArray[Any], sentinel: float) -> bool:
    """Whether more rows hold exactly a number than others near it, and at least two do."""
    exact = int(np.count_nonzero(values == values.dtype.type(sentinel)))
    if exact < 2:
        return False
    near = int(np.count_nonzero(np.abs(values - sentinel) <= _NEAR * abs(sentinel)))
    return 2 * exact > near


def _refuse_negative(values: NDArray[Any], source: str) -> None:
    negative = values[values < 0.0]
    signed = negative[(negative != np.rint(negative)) & ~np.isin(negative, np.array(SENTINELS, negative.dtype))]
    if signed.size:
        raise InputError(
            f"{source} holds {signed.size} negative numbers, such as {signed[0]:.6g}, where standard errors are "
            "expected; name the column of standard errors (in py-ananke's tables *_Sig: *_Err is the error drawn)"
        )
