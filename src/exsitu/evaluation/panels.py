"""Figures that set many networks side by side: ROC panels with bands over seeds, scans, and numbers with errors."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.evaluation.calibration import weights_undone
from exsitu.evaluation.style import GREY, PALETTE, look, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "osD^v"
_FEW = 5
"""So many numbers are written on a logarithmic axis themselves: powers of ten would crowd between them."""
_STEPS = 4
"""At most so many between the numbers on a narrow axis: more would run into one another."""


@styled
def roc_panels_figure(
    panels: Mapping[str, Mapping[str, pd.DataFrame]],
    points: Mapping[str, tuple[float, float]] | None = None,
    looks: Mapping[str, int] | None = None,
) -> "Figure":
    """
    ROC curves in panels, with the range over seeds as a band (paper, Figs. 3 to 7).

    Parameters
    ----------
    panels : mapping of str to mapping of str to DataFrame
        Title of each panel, name of each curve; columns ``efficiency_in_situ``, ``efficiency_accreted``, ``low``,
        ``high``.
    points : mapping of str to (float, float), optional
        Name, accreted and in situ efficiency of selections without a score; drawn in every panel.
    looks : mapping of str to int, optional
        Number of each curve's look (`exsitu.evaluation.style.look`); its place in the panel by default.

    Returns
    -------
    Figure
    """
    longest = max(len(curves) for curves in panels.values())
    figure = new_figure(0.6 + 2.7 * len(panels), 3.3 + 0.19 * longest)
    row = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (title, curves) in zip(row, panels.items(), strict=True):
        for number, (name, curve) in enumerate(curves.items()):
            rejection, style = 1.0 / curve["efficiency_in_situ"], look((looks or {}).get(name, number))
            axes.plot(rejection, curve["efficiency_accreted"], label=name, **style)
            if (curve["high"] > curve["low"]).any():
                axes.fill_between(rejection, curve["low"], curve["high"], color=style["color"], alpha=0.2, linewidth=0)
        for number, (name, (accreted, in_situ)) in enumerate((points or {}).items()):
            marker = _MARKERS[number % len(_MARKERS)]
            axes.plot(1.0 / in_situ, accreted, marker, color=GREY, markeredgecolor="white", markersize=8)
            axes.annotate(name, (1.0 / in_situ, accreted), xytext=(5, 4), textcoords="offset points", fontsize=8)
        axes.set_title(title)
        axes.set_xlabel(r"in situ rejection  $1/\varepsilon_I$")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    row[0].set_xscale("log")
    row[0].set_xlim(1.0, 1.2 / min(c["efficiency_in_situ"].min() for p in panels.values() for c in p.values()))
    row[0].set_ylim(0.0, 1.0)
    row[0].set_ylabel(r"accreted efficiency  $\varepsilon_A$")
    return figure


@styled
def scans_figure(scans: Mapping[str, pd.DataFrame], min_selected: int) -> "Figure":
    """
    Sum of chi2 and purity against the score cut, of several networks (paper, Fig. 9).

    Parameters
    ----------
    scans : mapping of str to DataFrame
        Name of each network and what `exsitu.evaluation.scan.scan_cuts` gave.
    min_selected : int
        Cuts that select fewer stars are not drawn.

    Returns
    -------
    Figure
    """
    figure = new_figure(7.2, 3.4, gap=0.05)
    left, right = figure.subplots(1, 2, sharex=True)
    for number, (name, scan) in enumerate(scans.items()):
        shown = scan[scan["selected"] >= min_selected]
        left.plot(shown["cut"], 100.0 * shown["sum_chi2"], label=name, **look(number))
        right.plot(shown["cut"], 100.0 * shown["purity"], **look(number))
    left.set_yscale("log")
    left.set_ylabel(r"$\Sigma\chi^2 \times 10^2$")
    right.set_ylabel("purity  [%]")
    right.set_ylim(0.0, 100.0)
    for axes in (left, right):
        axes.set_xlim(0.0, 1.0)
        axes.set_xlabel(r"score cut  $S >$")
    figure.legend(loc="outside upper center", ncols=4)
    return figure


@styled
def purity_figure(curves: Mapping[str, pd.DataFrame]) -> "Figure":
    """
    Purity against accreted efficiency, with the range over seeds as a band.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Name of each network and what `exsitu.evaluation.curves.purity_over_seeds` gave.

    Returns
    -------
    Figure
    """
    figure = new_figure(5.8, 3.6)
    axes = figure.subplots()
    for number, (name, curve) in enumerate(curves.items()):
        efficiency, style = 100.0 * curve["efficiency_accreted"], look(number)
        axes.plot(efficiency, 100.0 * curve["purity"], label=name, **style)
        if (curve["high"] > curve["low"]).any():
            band = 100.0 * curve["low"], 100.0 * curve["high"]
            axes.fill_between(efficiency, *band, color=style["color"], alpha=0.2, linewidth=0)
    axes.set_xlim(0.0, 100.0)
    axes.set_ylim(0.0, 100.0)
    axes.set_xlabel(r"accreted efficiency  $\varepsilon_A$  [%]")
    axes.set_ylabel("purity  [%]")
    figure.legend(loc="outside right center")
    return figure


@styled
def reliability_figure(tables: Mapping[str, pd.DataFrame], weight: float, min_stars: int = 20) -> "Figure":
    """
    Accreted fraction against score, beside what an exact network would show.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Name of each network and what `exsitu.evaluation.calibration.reliability` gave.
    weight : float
        Weight of an accreted star in the training.
    min_stars : int
        Bins with fewer stars are not drawn.

    Returns
    -------
    Figure
    """
    figure = new_figure(5.8, 3.6)
    axes = figure.subplots()
    exact = np.linspace(0.0, 1.0, 201)
    axes.plot(exact, exact, color=GREY, linewidth=0.9, linestyle=":", label="score = fraction")
    axes.plot(exact, weights_undone(1.0, weight)(exact), color=GREY, linewidth=0.9, label="exact, as weighted")
    for number, (name, table) in enumerate(tables.items()):
        shown = table[table["stars"] >= min_stars]
        axes.plot(shown["predicted"], shown["observed"], marker="o", markersize=3, label=name, **look(number))
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel(r"network score  $S$")
    axes.set_ylabel("accreted fraction of the stars")
    figure.legend(loc="outside right center")
    return figure


@styled
def numbers_figure(table: pd.DataFrame, columns: Mapping[str, str], groups: Sequence[str] = ()) -> "Figure":
    """
    Numbers of networks with their errors, a row a network.

    Parameters
    ----------
    table : DataFrame
        Column ``name`` and, of each number, ``<column>`` and ``<column>_error``; with `groups` also ``group``.
    columns : mapping of str to str
        Numbers to draw, a panel each, and what to write below it.
    groups : sequence of str
        Values of ``group``, drawn in one row each of its own colour.

    Returns
    -------
    Figure
    """
    names = list(dict.fromkeys(table["name"]))
    figure = new_figure(1.6 + 2.5 * len(columns), 1.2 + 0.3 * len(names), gap=0.05)
    row = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, (column, label) in zip(row, columns.items(), strict=True):
        for number, group in enumerate(groups or ("",)):
            members = table[table["group"] == group] if groups else table
            height = np.array([names.index(n) for n in members["name"]]) + 0.16 * (
                number - (len(groups or "x") - 1) / 2
            )
            axes.errorbar(
                members[column], height, xerr=members[f"{column}_error"], fmt=_MARKERS[number], markersize=5,
                color=PALETTE[number], capsize=2, linewidth=1.2, label=group,
            )  # fmt: skip
        axes.set_xlabel(label)
        axes.locator_params(axis="x", nbins=_STEPS)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color="#E4E4E4", linewidth=0.6)
        axes.set_axisbelow(True)
    row[0].set_yticks(range(len(names)), names)
    row[0].set_ylim(len(names) - 0.5, -0.5)
    if groups:
        figure.legend(*row[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(groups))
    return figure


@styled
def distributions_figure(
    rows: Mapping[str, Mapping[str, Mapping[str, pd.DataFrame]]],
    looks: Mapping[str, int] | None = None,
    *,
    beside: str = "density of stars",
) -> "Figure":
    """
    Normalised histograms, a row of panels a variable (paper, Figs. 5 and 7).

    Parameters
    ----------
    rows : mapping of str to mapping of str to mapping of str to DataFrame
        What to write below each row, title of each panel, name of each curve; columns ``low``, ``high`` (edges of the
        bins), ``density``.
    looks : mapping of str to int, optional
        As for `roc_panels_figure`.
    beside : str
        What to write beside the vertical axes.

    Returns
    -------
    Figure
    """
    columns = max(len(panels) for panels in rows.values())
    figure = new_figure(0.6 + max(2.9 * columns, 3.6), 0.5 + 2.4 * len(rows), gap=0.05)
    grid = figure.subplots(len(rows), columns, sharex="row", sharey="row", squeeze=False)
    for place, (line, (label, panels)) in enumerate(zip(grid, rows.items(), strict=True)):
        for axes, (title, curves) in zip(line, panels.items(), strict=True):
            for number, (name, curve) in enumerate(curves.items()):
                edges = np.append(curve["low"], curve["high"].iloc[-1])
                style = look((looks or {}).get(name, number))
                axes.stairs(curve["density"], edges, label=name, linewidth=1.4, **style)
            axes.set_title("" if place else title)
            axes.set_xlabel(label)
        line[0].set_ylim(bottom=0.0)  # after all of them are drawn: panels of a row share the axis
        line[0].set_ylabel(beside)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@styled
def lines_figure(
    table: pd.DataFrame,
    against: Mapping[str, str],
    column: str,
    label: str,
    *,
    levels: Mapping[str, float] | None = None,
) -> "Figure":
    """
    A number with errors against other numbers, a line a group.

    Parameters
    ----------
    table : DataFrame
        Columns ``group``, `column`, ``<column>_error`` and those of `against`.
    against : mapping of str to str
        What is on the horizontal axes, logarithmic and a panel each, and what to write below.
    column, label : str
        What is on the vertical axis, and what to write beside it.
    levels : mapping of str to float, optional
        Of each group a number to compare with, drawn across.

    Returns
    -------
    Figure
    """
    figure = new_figure(0.8 + 3.2 * len(against), 3.5, gap=0.05)
    row = figure.subplots(1, len(against), sharey=True, squeeze=False)[0]
    for axes, (along, below) in zip(row, against.items(), strict=True):
        for number, (group, members) in enumerate(table.groupby("group", sort=False)):
            axes.errorbar(
                members[along], members[column], yerr=members[f"{column}_error"], fmt=_MARKERS[number % len(_MARKERS)],
                markersize=5, capsize=2, label=str(group), **look(number),
            )  # fmt: skip
            if levels:
                axes.axhline(levels[str(group)], color=look(number)["color"], linewidth=0.9, linestyle=":", zorder=0)
        axes.set_xscale("log")
        axes.set_xlabel(below)
        values = sorted(set(table[along]))
        if len(values) <= _FEW:
            axes.set_xticks(values, [f"{value:g}" for value in values])
            axes.minorticks_off()
    row[0].set_ylabel(label)
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside upper center", ncols=min(4, 2 * len(against)))
    return figure
