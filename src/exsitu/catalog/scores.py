"""What a release asks of whatever scores its stars; ``exsitu.model.scoring.Scorer`` is one."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import pandas as pd


class Card(Protocol):
    """What a release asks of a model's card."""

    @property
    def weights_sha256(self) -> str:
        """Digest of the weights that are loaded."""

    @property
    def digest(self) -> str:
        """Digest of all that decides scores and flags."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns that the network takes."""

    @property
    def learnt_on(self) -> Mapping[str, Sequence[float]]:
        """Quantiles of inputs in the training sample; empty where they were not kept."""


class Scores(Protocol):
    """What a release asks of a scorer; ``exsitu.model.scoring.Scorer`` is one."""

    @property
    def card(self) -> Card:
        """Card of the network."""

    def score(self, frame: pd.DataFrame) -> pd.DataFrame:
        """
        Score a table.

        Parameters
        ----------
        frame : DataFrame
            Stars.

        Returns
        -------
        DataFrame
            ``score`` and ``flags`` in the order of `frame`.
        """
