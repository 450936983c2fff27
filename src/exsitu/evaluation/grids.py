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


@styled
def profiles_figure(table: pd.DataFrame, columns: Mapping[str, str], rows: Mapping[str, str]) -> "Figure":
    """
    Percentages with errors in bins of several variables, a column of panels a variable.

    Parameters
    ----------
    table : DataFrame
        Columns ``variable``, ``group``, ``low``, ``high`` (edges of a bin) and, of each number, ``<row>`` and
        ``<row>_error``.
    columns : mapping of str to str
        Values of ``variable``, and what to write below; those that the table lacks are left out.
    rows : mapping of str to str
        Numbers, a row of panels each, and what to write beside it.

    Returns
    -------
    Figure
    """
    shown = [name for name in columns if (table["variable"] == name).any()]
    figure = new_figure(0.8 + 2.1 * len(shown), 0.6 + 2.0 * len(rows), gap=0.03)
    grid = figure.subplots(len(rows), len(shown), sharex="col", sharey="row", squeeze=False)
    for line, (number, label) in zip(grid, rows.items(), strict=True):
        for axes, variable in zip(line, shown, strict=True):
            members = table[table["variable"] == variable]
            for place, (group, curve) in enumerate(members.groupby("group", sort=False)):
                middle, half = 0.5 * (curve["low"] + curve["high"]), 0.5 * (curve["high"] - curve["low"])
                axes.errorbar(
                    middle, curve[number], xerr=half, yerr=curve[f"{number}_error"], fmt="os"[place % 2], markersize=4,
                    linewidth=1.2, color=look(place)["color"], label=str(group),
                )  # fmt: skip
            axes.set_ylim(-3.0, 103.0)  # markers at either end stay whole
        line[0].set_ylabel(label)
    for axes, variable in zip(grid[-1], shown, strict=True):
        axes.set_xlabel(columns[variable])
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure
