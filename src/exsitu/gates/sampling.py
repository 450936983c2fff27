"""Rows that lie evenly in a table that comes in chunks."""

from dataclasses import dataclass, field

import pandas as pd


@dataclass(slots=True)
class EvenSample:
    """
    Evenly spaced rows of a table that comes in chunks: all of them, or every second, fourth, … one.

    Parameters
    ----------
    columns : list of str
        Columns that are kept.
    most : int
        Most rows that are kept.
    stride : int
        Every so many rows one is kept.
    seen : int
        Rows that came.
    pieces : list of DataFrame
        The rows that are kept.
    """

    columns: list[str]
    most: int
    stride: int = 1
    seen: int = 0
    pieces: list[pd.DataFrame] = field(default_factory=list)

    def add(self, frame: pd.DataFrame) -> None:
        """
        Take in one chunk.

        Parameters
        ----------
        frame : DataFrame
            With `columns`, and perhaps others.
        """
        kept = frame[self.columns].iloc[-self.seen % self.stride :: self.stride]
        # A copy, because a slice would hold the whole chunk in memory.
        self.pieces.append(kept if self.stride == 1 else kept.copy())
        self.seen += len(frame)
        while sum(map(len, self.pieces)) > self.most:
            self.pieces = [pd.concat(self.pieces).iloc[::2].copy()]
            self.stride *= 2

    def frame(self) -> pd.DataFrame:
        """
        Give the rows that were kept.

        Returns
        -------
        DataFrame
        """
        if not self.pieces:
            return pd.DataFrame(columns=self.columns, dtype=float)
        return pd.concat(self.pieces, ignore_index=True)
