"""Figures of many panels: histograms of several columns, profiles along them, and maps of a ratio in each pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from exsitu.evaluation.checks import Floats
from exsitu.evaluation.style import DENSITY, VERMILLION, look, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RATIOS = (-3.0, 0.0, 1.0)
"""Powers of ten of the ratios shown: a thousand in situ stars an accreted one, as many, a tenth (paper, Fig. 12)."""
_RATIO_COLOURS, _NO_STAR = "PuOr_r", "#EDEDED"


def _steps(axes: Any, curves: Mapping[str, pd.DataFrame], looks: Mapping[str, int] | None) -> None:
    """Histograms of unit area on one pair of axes."""
    for number, (name, curve) in enumerate(curves.items()):
        edges = np.append(curve["low"], curve["high"].iloc[-1])
        axes.stairs(curve["density"], edges, label=name, linewidth=1.4, **look((looks or {}).get(name, number)))
    axes.set_ylim(bottom=0.0)


@styled
def histograms_figure(
    panels: Mapping[str, Mapping[str, pd.DataFrame]], looks: Mapping[str, int] | None = None
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

    Returns
    -------
    Figure
    """
    across = min(len(panels), 3 if len(panels) <= 6 else 4)
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


def _ratio(first: Floats, second: Floats, edges: tuple[Floats, Floats]) -> Floats:
    """Power of ten of stars of the second kind over those of the first, a cell; NaN where there is no star."""
    below, above = (np.histogram2d(stars[1], stars[0], bins=(edges[1], edges[0]))[0] for stars in (first, second))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.clip(np.log10(above / below), _RATIOS[0], _RATIOS[-1])
    return found


@styled
def ratio_corner_figure(
    kinds: Mapping[str, Mapping[str, Floats]], labels: Mapping[str, str], edges: Mapping[str, Floats]
) -> "Figure":
    """
    Distributions of several columns, and in each pair of them the ratio of two kinds of stars (paper, Fig. 12).

    Parameters
    ----------
    kinds : mapping of str to mapping of str to ndarray, shape (n_stars,)
        Name of each kind of stars and its columns; the maps show the second over the first.
    labels : mapping of str to str
        Columns to draw, and what to write beside them.
    edges : mapping of str to ndarray
        Edges of the bins of each column.

    Returns
    -------
    Figure
    """
    from matplotlib.colors import TwoSlopeNorm

    names, columns = list(kinds), list(labels)
    figure = new_figure(1.0 + 1.9 * len(columns), 0.8 + 1.7 * len(columns), gap=0.03)
    grid = figure.subplots(len(columns), len(columns), sharex="col", squeeze=False)
    first, second = (kinds[name] for name in names[:2])
    low, middle, high = _RATIOS
    for i, down in enumerate(columns):
        for j, across in enumerate(columns):
            axes = grid[i, j]
            if j > i:
                axes.set_visible(False)
            elif i == j:
                for number, (name, stars) in enumerate(kinds.items()):
                    counts = np.histogram(stars[down], edges[down])[0]
                    heights = counts / max(1, counts.max())
                    axes.stairs(heights, edges[down], label=name, linewidth=1.4, **look((0, 1, 20)[number % 3]))
                axes.set_yticks([])
                axes.set_ylim(0.0, 1.1)
            else:
                axes.set_facecolor(_NO_STAR)
                pair = [np.stack([stars[across], stars[down]]) for stars in (first, second)]
                ratio = _ratio(pair[0], pair[1], (edges[across], edges[down]))
                mesh = axes.pcolormesh(
                    edges[across], edges[down], ratio, cmap=_RATIO_COLOURS, rasterized=True,
                    norm=TwoSlopeNorm(middle, low, high),
                )  # fmt: skip
        grid[-1, i].set_xlabel(labels[down])
        if i:
            grid[i, 0].set_ylabel(labels[down])
    grid[0, 0].set_ylabel("stars / most in a bin")
    bar = figure.colorbar(mesh, ax=grid[0, -1] if len(columns) < 3 else grid[:2, -1].tolist(), fraction=0.4, shrink=0.9)
    bar.set_ticks([-3, -2, -1, 0, 1], labels=["1:1000", "1:100", "1:10", "1:1", "10:1"])
    bar.set_label(f"{names[1]} : {names[0]}")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(names))
    return figure


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """
    A panel of `points_figure`.

    Parameters
    ----------
    labels : tuple of str
        What to write below and beside it.
    many, few : tuple of ndarray
        x and y of the stars whose density is shown, and of those shown as points.
    edges : tuple of ndarray
        Of the cells along x and y; descending where the axis is to descend.
    """

    labels: tuple[str, str]
    many: tuple[Floats, Floats]
    few: tuple[Floats, Floats]
    edges: tuple[Floats, Floats]


@styled
def points_figure(panels: Mapping[str, Plane], names: tuple[str, str]) -> "Figure":
    """
    Few stars as points over the density of many, two panels a row (paper, Fig. 11).

    Parameters
    ----------
    panels : mapping of str to Plane
        By title.
    names : tuple of str
        What the many and the few are.

    Returns
    -------
    Figure
    """
    from matplotlib.colors import LogNorm

    figure = new_figure(7.4, 0.6 + 2.9 * (-(-len(panels) // 2)), gap=0.05)
    grid = figure.subplots(-(-len(panels) // 2), 2, squeeze=False)
    for axes, (title, plane) in zip(grid.flat, panels.items(), strict=False):
        x, y = (np.sort(edges) for edges in plane.edges)
        table = np.histogram2d(plane.many[1], plane.many[0], bins=(y, x))[0]
        scale = LogNorm(1.0, max(float(table.max()), 2.0))
        mesh = axes.pcolormesh(x, y, np.where(table > 0, table, np.nan), norm=scale, cmap=DENSITY, rasterized=True)
        axes.plot(*plane.few, ".", color=VERMILLION, markersize=4, markeredgewidth=0, label=names[1])
        axes.set_xlim(plane.edges[0][0], plane.edges[0][-1])
        axes.set_ylim(plane.edges[1][0], plane.edges[1][-1])
        axes.set_xlabel(plane.labels[0])
        axes.set_ylabel(plane.labels[1])
        axes.set_title(title)
        figure.colorbar(mesh, ax=axes, label=f"{names[0]} per cell", pad=0.02)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", markerscale=3)
    return figure


@styled
def planes_figure(
    kinds: Mapping[str, Mapping[str, Floats]], labels: Mapping[str, str], edges: Mapping[str, Floats]
) -> "Figure":
    """
    Distributions of three columns, and densities of each kind of stars in each pair of them (paper, Fig. SC.2).

    Parameters
    ----------
    kinds : mapping of str to mapping of str to ndarray, shape (n_stars,)
        Name of each kind of stars and its columns; the last kind has the uppermost densities.
    labels : mapping of str to str
        Three columns to draw, and what to write beside them.
    edges : mapping of str to ndarray
        Edges of the bins of each column.

    Returns
    -------
    Figure
    """
    from matplotlib.colors import LogNorm

    columns = list(labels)
    pairs = [(columns[0], columns[1]), (columns[0], columns[2]), (columns[1], columns[2])]
    figure = new_figure(8.0, 0.6 + 2.1 * (1 + len(kinds)), gap=0.04)
    grid = figure.subplots(1 + len(kinds), 3, squeeze=False)
    for axes, column in zip(grid[0], columns, strict=True):
        for number, (name, stars) in enumerate(kinds.items()):
            counts = np.histogram(stars[column], edges[column])[0]
            axes.stairs(counts / max(1, counts.max()), edges[column], label=name, linewidth=1.4, **look(number))
        axes.set_xlabel(labels[column])
        axes.set_yticks([])
        axes.set_ylim(0.0, 1.1)
    grid[0, 0].set_ylabel("stars / most in a bin")
    for line, (name, stars) in zip(grid[1:], reversed(list(kinds.items())), strict=True):
        tables = [np.histogram2d(stars[y], stars[x], bins=(edges[y], edges[x]))[0] for x, y in pairs]
        scale = LogNorm(1.0, max(2.0, *(float(table.max()) for table in tables)))
        for axes, (across, down), table in zip(line, pairs, tables, strict=True):
            shown = np.where(table > 0, table, np.nan)
            mesh = axes.pcolormesh(edges[across], edges[down], shown, norm=scale, cmap=DENSITY, rasterized=True)
            axes.set_xlabel(labels[across])
            axes.set_ylabel(labels[down])
        figure.colorbar(mesh, ax=list(line), label=f"{name}, stars per cell", pad=0.01)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(kinds))
    return figure
