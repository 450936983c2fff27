"""Figures of networks and of the stars they select; arrays in, matplotlib figures out, saved with `save_figure`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from exsitu.evaluation.maps import cmd_figure, sky_figure, toomre_figure
from exsitu.evaluation.scan import velocity_fractions
from exsitu.evaluation.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    VELOCITY_LABELS,
    VERMILLION,
    look,
    new_figure,
    save_figure,
    styled,
)
from exsitu.settings import Bins

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "cmd_figure",
    "comparison_figure",
    "roc_figure",
    "save_figure",
    "scan_figure",
    "score_figure",
    "sky_figure",
    "toomre_figure",
    "training_figure",
    "velocity_figure",
]

_MARKERS = "osD^v"


@styled
def roc_figure(
    curves: Mapping[str, pd.DataFrame], points: Mapping[str, tuple[float, float]] | None = None, title: str = ""
) -> "Figure":
    """
    Accreted efficiency against in situ rejection (paper, Fig. 3).

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Name of each network and what `metrics.roc` gave.
    points : mapping of str to (float, float), optional
        Name, accreted and in situ efficiency of selections without a score, such as V, VM and ZM.
    title : str
        Title.

    Returns
    -------
    Figure
    """
    figure = new_figure(5.8, 3.6)
    axes = figure.subplots()
    for number, (name, curve) in enumerate(curves.items()):
        shown = curve[curve["efficiency_in_situ"] > 0]
        axes.plot(1.0 / shown["efficiency_in_situ"], shown["efficiency_accreted"], label=name, **look(number))
    for number, (name, (accreted, in_situ)) in enumerate((points or {}).items()):
        if in_situ > 0:
            marker = _MARKERS[number % len(_MARKERS)]
            axes.plot(1.0 / in_situ, accreted, marker, color=GREY, markeredgecolor="white", markersize=8, label=name)
    axes.set_xscale("log")
    axes.set_xlim(left=1.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel(r"in situ rejection  $1/\varepsilon_I$")
    axes.set_ylabel(r"accreted efficiency  $\varepsilon_A$")
    axes.set_title(title)
    figure.legend(loc="outside right center")
    return figure


@styled
def scan_figure(scan: pd.DataFrame, best: float) -> "Figure":
    """
    Sum of chi2 and purity against the score cut (paper, Fig. 9).

    Parameters
    ----------
    scan : DataFrame
        What `metrics.scan_cuts` gave.
    best : float
        The chosen cut.

    Returns
    -------
    Figure
    """
    figure = new_figure(4.6, 3.4)
    left = figure.subplots()
    right = left.twinx()
    left.plot(scan["cut"], scan["sum_chi2"] / scan["sum_chi2"].min(), color=BLUE)
    right.plot(scan["cut"], 100.0 * scan["purity"], color=VERMILLION, linestyle="--")
    left.axvline(best, color=GREY, linewidth=0.9, zorder=0)
    side, gap = ("right", -4) if best > float(scan["cut"].mean()) else ("left", 4)
    left.annotate(
        f"best cut {best:.2f}", (best, 1.0), xycoords=("data", "axes fraction"), xytext=(gap, -2),
        textcoords="offset points", ha=side, va="top", fontsize=8.5, color=GREY,
    )  # fmt: skip
    left.set_yscale("log")
    _plain_decades(left.yaxis)
    left.set_xlabel(r"score cut  $S >$")
    left.set_ylabel(r"$\Sigma\chi^2$ / minimum", color=BLUE)
    right.set_ylabel("purity  [%]", color=VERMILLION)
    right.set_ylim(0.0, 100.0)
    right.spines["right"].set_visible(True)
    left.tick_params(axis="y", which="both", colors=BLUE)
    right.tick_params(axis="y", colors=VERMILLION)
    return figure


def _plain_decades(axis: Any) -> None:
    """Write 1, 2, 5, 10 ... instead of powers of ten on an axis of a decade or two."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FormatStrFormatter("%g"))
    axis.set_minor_formatter(NullFormatter())


@styled
def velocity_figure(truth: ArrayLike, selected: Mapping[str, ArrayLike], bins: Bins) -> "Figure":
    """
    Velocity distributions of selected stars against the accreted ones (paper, Figs. 8 and 10).

    Parameters
    ----------
    truth : array_like, shape (n_accreted, 3)
        v_R, v_phi, v_z of all truly accreted stars, km/s.
    selected : mapping of str to array_like, shape (n_selected, 3)
        Label and velocities of each selection.
    bins : Bins
        The bins of the comparison.

    Returns
    -------
    Figure
    """
    edges = np.linspace(bins.low, bins.high, bins.count + 1)
    figure = new_figure(7.2, 2.7, gap=0.05)
    row = figure.subplots(1, 3, sharey=True)
    sets = {"accreted (truth)": velocity_fractions(truth, bins)}
    sets |= {name: velocity_fractions(values, bins) for name, values in selected.items()}
    for number, (name, fractions) in enumerate(sets.items()):
        drawn = {"color": INK, "linewidth": 2.6, "alpha": 0.85} if not number else {**look(number - 1)}
        for axes, heights in zip(row, fractions, strict=True):
            axes.stairs(heights, edges, label=name, **drawn)
    for axes, label in zip(row, VELOCITY_LABELS, strict=True):
        axes.set_xlabel(label)
        axes.set_xlim(bins.low, bins.high)
        axes.set_ylim(bottom=0.0)
    row[0].set_ylabel(f"fraction of stars per {(bins.high - bins.low) / bins.count:g}" + r" km s$^{-1}$")
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside upper center", ncols=min(4, len(sets)))
    return figure


def _spelled(variant: str) -> str:
    """`zm_first_last` as people write it: ZM, first + last."""
    labels, _, layers = variant.partition("_")
    if variant == "none":
        return "no transfer"
    return f"{labels.upper()}, {layers.replace('_', ' + ')}" if labels in {"vm", "zm"} and layers else variant


@styled
def comparison_figure(table: pd.DataFrame, chosen: str | None = None) -> "Figure":
    """
    Sum of chi2 and purity of the ways to transfer (paper, Table 6).

    Parameters
    ----------
    table : DataFrame
        Columns ``variant``, ``sum_chi2``, ``purity``; a row a variant, drawn from the top.
    chosen : str, optional
        The variant to mark.

    Returns
    -------
    Figure
    """
    figure = new_figure(7.2, 0.9 + 0.32 * len(table))
    left, right = figure.subplots(1, 2, sharey=True)
    rows = np.arange(len(table))
    colours = [VERMILLION if name == chosen else BLUE for name in table["variant"]]
    for axes, values, label, digits in (
        (left, 100.0 * table["sum_chi2"], r"$\Sigma\chi^2 \times 10^2$  (less is better)", 2),
        (right, 100.0 * table["purity"], "purity  [%]  (more is better)", 1),
    ):
        axes.hlines(rows, 0.0, values, color="#D5D5D5", linewidth=1.2)
        axes.scatter(values, rows, c=colours, s=36, zorder=3)
        for row, value in zip(rows, values, strict=True):
            axes.annotate(
                f"{value:.{digits}f}", (value, row), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8
            )
        axes.set_xlim(0.0, 1.18 * float(np.nanmax(values)))
        axes.set_xlabel(label)
        axes.tick_params(axis="y", length=0)
    left.set_yticks(rows, [_spelled(name) for name in table["variant"]])
    left.set_ylim(len(table) - 0.5, -0.5)
    return figure


@styled
def training_figure(history: pd.DataFrame) -> "Figure":
    """
    Loss by epoch.

    Parameters
    ----------
    history : DataFrame
        Column ``loss``; also ``val_loss``, ``learning_rate`` and ``best`` (True for the epoch whose weights were kept)
        where recorded; a row an epoch, in order.

    Returns
    -------
    Figure
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(4.6, 3.2)
    axes = figure.subplots()
    epoch = np.arange(1, len(history) + 1)
    for number, (column, label) in enumerate((("loss", "training"), ("val_loss", "validation"))):
        if column in history:
            axes.plot(epoch, history[column], marker="o", markersize=3, label=label, **look(number))
    if "learning_rate" in history:
        dropped = epoch[1:][np.diff(history["learning_rate"]) < 0]
        for number, when in enumerate(dropped):
            name = "learning rate reduced" if not number else None
            axes.axvline(when, color=GREY, linewidth=0.8, linestyle=":", label=name, zorder=0)
    if "best" in history and "val_loss" in history:
        kept = history["best"].to_numpy(dtype=bool)
        ring: dict[str, Any] = {"markersize": 9, "markerfacecolor": "none", "color": INK, "linestyle": "none"}
        axes.plot(epoch[kept], history["val_loss"][kept], marker="o", label="weights kept", **ring)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("weighted binary cross-entropy")
    axes.legend()
    return figure


@styled
def score_figure(score: ArrayLike, cut: float, accreted: ArrayLike | None = None) -> "Figure":
    """
    Distribution of scores (paper, Fig. 8, left).

    Parameters
    ----------
    score : array_like, shape (n_stars,)
        Network output, 1 is accreted.
    cut : float
        The chosen cut.
    accreted : array_like of bool, shape (n_stars,), optional
        The truth, where it is known; both kinds are then drawn and normalised on their own.

    Returns
    -------
    Figure
    """
    values = np.asarray(score, dtype=np.float64)
    groups: list[tuple[str, NDArray[np.float64], str]] = [("all stars", values, BLUE)]
    if accreted is not None:
        truth = np.asarray(accreted, dtype=bool)
        groups = [("in situ (truth)", values[~truth], BLUE), ("accreted (truth)", values[truth], INK)]
    figure = new_figure(4.6, 3.2)
    axes = figure.subplots()
    edges = np.linspace(0.0, 1.0, 51)
    for name, members, colour in groups:
        heights = np.histogram(members, bins=edges)[0] / max(members.size, 1)
        axes.stairs(heights, edges, color=colour, label=name, linewidth=1.6)
    axes.axvspan(cut, 1.0, color=ORANGE, alpha=0.15, linewidth=0, label=rf"selected, $S > {cut:.2f}$")
    axes.set_yscale("log")
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel(r"network score  $S$")
    axes.set_ylabel("fraction of stars per 0.02")
    axes.legend()
    return figure
