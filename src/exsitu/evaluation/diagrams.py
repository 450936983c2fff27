"""Reliability diagrams: what a probability says against what is observed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.evaluation.style import GREY, look, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "osD^v"


@styled
def reliability_figure(panels: Mapping[str, Mapping[str, pd.DataFrame]], *, least: float = 1e-4) -> "Figure":
    """
    Observed accreted share against predicted probability, both logarithmic: most stars lie far below one.

    Parameters
    ----------
    panels : mapping of str to mapping of str to DataFrame
        Title of each panel, name of each curve; columns ``predicted``, ``observed``, ``observed_error``.
    least : float
        Where the axes begin; bins in which no star is accreted are not drawn.

    Returns
    -------
    Figure
    """
    figure = new_figure(0.6 + 2.7 * len(panels), 3.5)
    row = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (title, curves) in zip(row, panels.items(), strict=True):
        axes.plot([least, 1.0], [least, 1.0], color=GREY, linewidth=0.9, zorder=0)
        for number, (name, curve) in enumerate(curves.items()):
            shown = curve[(curve["predicted"] >= least) & (curve["observed"] > 0.0)]
            below = np.minimum(shown["observed_error"], 0.999 * shown["observed"])  # a logarithm has no zero
            axes.errorbar(
                shown["predicted"], shown["observed"], yerr=[below, shown["observed_error"]],
                fmt=_MARKERS[number % len(_MARKERS)], markersize=4, linewidth=1.2, label=name, **look(number),
            )  # fmt: skip
        axes.set_title(title)
        axes.set_xlabel("predicted probability")
    row[0].set_xscale("log")
    row[0].set_yscale("log")
    row[0].set_xlim(least, 1.3)
    row[0].set_ylim(least, 1.3)
    row[0].set_ylabel("observed accreted share")
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure
