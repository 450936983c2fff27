"""Figures of many panels: histograms of several columns, profiles along them, and maps of a ratio in each pair."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from exsitu.evaluation.style import look, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _steps(axes: Any, curves: Mapping[str, pd.DataFrame], looks: Mapping[str, int] | None) -> None:
    """Histograms of unit area on one pair of axes."""
    for number, (name, curve) in enumerate(curves.items()):
        edges = np.append(curve["low"], curve["high"].iloc[-1])
        axes.stairs(curve["density"], edges, label=name, linewidth=1.4, **look((looks or {}).get(name, number)))
    axes.set_ylim(bottom=0.0)


@styled
def histograms_figure(
    panels: Mapping[str, Mapping[str, pd.DataFrame]], looks: Mapping[str, int] | None = None, *, columns: int = 4
) -> "Figure":
    """
    Histograms of several columns, a panel each (paper, Figs. 10 and 13).

    Parameters
    ----------
    panels : mapping of str to mapping of str to DataFrame
        What to write below each panel, name of each histogram; columns ``low``, ``high`` (edges of the bins),
        ``density``.
    looks : mapping of str to int, optional
        Number of each histogram's look (`exsitu.evaluation.style.look`); its place in the panel by default.
    columns : int
        Panels side by side.

    Returns
    -------
    Figure
    """
    across = min(columns, len(panels))
    down = -(-len(panels) // across)
    figure = new_figure(0.4 + 2.2 * across, 0.6 + 1.8 * down, gap=0.05)
    grid = figure.subplots(down, across, squeeze=False)
    for axes, (label, curves) in zip(grid.flat, panels.items(), strict=False):
        _steps(axes, curves, looks)
        axes.set_xlabel(label)
        axes.set_yticks([])
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for line in grid:
        line[0].set_ylabel("density of stars")
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2 if len(names) > 3 else 3)
    return figure
