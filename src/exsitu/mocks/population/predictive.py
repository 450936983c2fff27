"""What galaxies drawn from the priors look like, beside what is measured of the Milky Way."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from exsitu.evaluation.style import BLUE, GREEN, GREY, INK, VERMILLION, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measurement:
    """
    Something measured of the Milky Way.

    Parameters
    ----------
    name : str
        What.
    value, error : float
        Error 0 where none is given.
    unit : str
        Of both.
    source : str
        Author, year, and where there.
    """

    name: str
    value: float
    error: float
    unit: str
    source: str


_EILERS = "Eilers et al. 2019, abstract; 5 to 25 kpc, systematic error up to 5 %"
_ANGUIANO = "Anguiano et al. 2018, abstract; within 200 pc"
_BENSBY = "Bensby et al. 2003, Table 1"
_FIRE = "Ostdiek, Necib et al. 2019; ananke mock survey, not the Milky Way"

MEASUREMENTS: tuple[Measurement, ...] = (
    Measurement("v_c at 8.122 kpc", 229.0, 0.2, "km/s", _EILERS),
    Measurement("slope of v_c", -1.7, 0.1, "km/s/kpc", _EILERS),
    Measurement("sigma_R thin", 33.0, 4.0, "km/s", _ANGUIANO),
    Measurement("sigma_z thin", 23.0, 2.0, "km/s", _ANGUIANO),
    Measurement("sigma_R thick", 57.0, 6.0, "km/s", _ANGUIANO),
    Measurement("sigma_z thick", 37.0, 4.0, "km/s", _ANGUIANO),
    Measurement("sigma_R thin, adopted", 35.0, 0.0, "km/s", _BENSBY),
    Measurement("sigma_z thin, adopted", 16.0, 0.0, "km/s", _BENSBY),
    Measurement("sigma_R thick, adopted", 67.0, 0.0, "km/s", _BENSBY),
    Measurement("sigma_z thick, adopted", 35.0, 0.0, "km/s", _BENSBY),
    Measurement("halo over disc at the Sun", 0.005, 0.0, "", "Juric et al. 2008, abstract; halo over thin disc"),
    Measurement("halo over disc at the Sun, chemical", 0.012, 0.006, "", "Anguiano et al. 2020, abstract"),
    Measurement("accreted stars of m12i", 0.00884, 0.0, "", _FIRE + ", Tables 3 and 4"),
    Measurement("accreted stars of m12f", 0.0164, 0.0, "", _FIRE + ", Sec. 7.3"),
    Measurement("mean [Fe/H] nearby", -0.1, 0.0, "dex", "Allende Prieto et al. 2004, abstract; within 15 pc"),
    Measurement("sigma [Fe/H] nearby", 0.2, 0.0, "dex", "Allende Prieto et al. 2004, abstract; within 15 pc"),
    Measurement("mean [Fe/H] of GSE", -1.17, 0.0, "dex", "Feuillet et al. 2020, abstract"),
    Measurement("sigma [Fe/H] of GSE", 0.34, 0.0, "dex", "Feuillet et al. 2020, abstract"),
    Measurement("least [Fe/H] of the Splash", -0.7, 0.0, "dex", "Belokurov et al. 2020, abstract"),
)
"""What the figure holds the population against."""

_MEASURED = {m.name: m for m in MEASUREMENTS}


@styled
def predictive_figure(population: pd.DataFrame) -> "Figure":
    """
    The population beside the Milky Way: rotation curves, dispersions, accreted fractions, metallicities.

    Parameters
    ----------
    population : DataFrame
        A row a galaxy, as ``population.csv`` has it.

    Returns
    -------
    Figure
    """
    figure = new_figure(7.2, 8.4, gap=0.05)
    panels = figure.subplots(2, 2).ravel()
    for axes, draw in zip(panels, (_rotation, _dispersions, _fractions, _metallicities), strict=True):
        draw(axes, population)
        axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.16), borderaxespad=0.0, fontsize=8.0)
    return figure


def _below(table: pd.DataFrame, path: str) -> list[str]:
    """Columns whose names begin with a path."""
    return [name for name in table.columns if name.startswith(path)]


def _rotation(axes: "Axes", table: pd.DataFrame) -> None:
    names = _below(table, "summary.v_c_kms.")
    radii = [float(name.rsplit(".", 1)[1]) for name in names]
    for row in table[names].to_numpy():
        axes.plot(radii, row, color=BLUE, alpha=0.45, linewidth=0.9)
    axes.plot([], [], color=BLUE, linewidth=0.9, label=f"{len(table)} galaxies drawn from the priors")
    radius = np.linspace(5.0, max(radii), 50)
    curve = _MEASURED["v_c at 8.122 kpc"].value + _MEASURED["slope of v_c"].value * (radius - 8.122)
    axes.fill_between(radius, 0.95 * curve, 1.05 * curve, color=GREY, alpha=0.3, linewidth=0.0)
    axes.plot(radius, curve, color=INK, label="Milky Way ± 5 %, Eilers et al. 2019")
    axes.set_xlabel(r"$R$  [kpc]")
    axes.set_ylabel(r"$v_c$  [km s$^{-1}$]")


def _dispersions(axes: "Axes", table: pd.DataFrame) -> None:
    for name, colour in (("young", BLUE), ("old thin", GREEN), ("thick", VERMILLION)):
        radial, vertical = table[f"summary.sigma_kms.{name}.R"], table[f"summary.sigma_kms.{name}.z"]
        axes.plot(radial, vertical, "o", color=colour, markersize=3.5, alpha=0.6, label=f"{name} disc")
    for suffix, marker, who in (("", "s", "Anguiano et al. 2018"), (", adopted", "D", "Bensby et al. 2003")):
        for disc in ("thin", "thick"):
            x, y = _MEASURED[f"sigma_R {disc}{suffix}"], _MEASURED[f"sigma_z {disc}{suffix}"]
            _cross(axes, x, y, marker, f"thin and thick disc, {who}" if disc == "thin" else None)
    axes.set_xlabel(r"$\sigma_R$ at the Sun  [km s$^{-1}$]")
    axes.set_ylabel(r"$\sigma_z$ at the Sun  [km s$^{-1}$]")


def _cross(axes: "Axes", x: Measurement, y: Measurement, marker: str, label: str | None) -> None:
    """Two measurements with their error bars, where they have any."""
    axes.errorbar(
        x.value, y.value, xerr=x.error or None, yerr=y.error or None, fmt=marker, color=INK, markerfacecolor="white",
        markersize=6.0, linewidth=1.0, label=label, zorder=3.0,
    )  # fmt: skip


def _fractions(axes: "Axes", table: pd.DataFrame) -> None:
    stars = table[_below(table, "summary.accreted.share_of_stars.")].to_numpy().ravel()
    plane = table["summary.accreted.over_in_situ_in_plane"]
    axes.step(*_cumulative(plane), color=BLUE, label="mass over in-situ mass, in the plane", where="post")
    axes.step(*_cumulative(stars), color=GREEN, label="stars of a survey", where="post")
    chemical, halo = _MEASURED["halo over disc at the Sun, chemical"], _MEASURED["halo over disc at the Sun"]
    low, high = 100.0 * (chemical.value - chemical.error), 100.0 * (chemical.value + chemical.error)
    axes.axvspan(low, high, color=GREY, alpha=0.3, linewidth=0.0, label="Milky Way's halo, Anguiano et al. 2020")
    axes.axvline(100.0 * halo.value, color=INK, linewidth=1.0, label="Milky Way's halo, Jurić et al. 2008")
    for galaxy, style in (("m12i", "--"), ("m12f", ":")):
        value = 100.0 * _MEASURED[f"accreted stars of {galaxy}"].value
        axes.axvline(value, color=GREEN, linewidth=1.0, linestyle=style, label=f"ananke survey of {galaxy}")
    axes.set_xscale("log")
    axes.set_xticks([0.3, 1.0, 3.0, 10.0], ["0.3", "1", "3", "10"])
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel("accreted  [%]")
    axes.set_ylabel("share of the population below")


def _cumulative(values: ArrayLike) -> tuple[Floats, Floats]:
    """Sorted values in per cent, and the share of them at or below each."""
    found = np.asarray(values, float)
    found = 100.0 * np.sort(found[np.isfinite(found)])
    return found, np.arange(1, len(found) + 1) / max(len(found), 1)


def _metallicities(axes: "Axes", table: pd.DataFrame) -> None:
    for name, colour in (("disc", BLUE), ("heated", GREEN), ("accreted", VERMILLION)):
        mean, sigma = table[f"summary.feh.{name}.mean"], table[f"summary.feh.{name}.sigma"]
        axes.plot(mean, sigma, "o", color=colour, markersize=3.5, alpha=0.6, label=name)
    places = (("nearby", "s", "within 15 pc, Allende Prieto et al. 2004"), ("of GSE", "D", "GSE, Feuillet et al. 2020"))
    for place, marker, label in places:
        _cross(axes, _MEASURED[f"mean [Fe/H] {place}"], _MEASURED[f"sigma [Fe/H] {place}"], marker, label)
    least = _MEASURED["least [Fe/H] of the Splash"].value
    axes.axvline(least, color=GREEN, linewidth=1.0, linestyle="--", label="Splash above, Belokurov et al. 2020")
    axes.set_xlabel("mean [Fe/H] near the Sun")
    axes.set_ylabel(r"$\sigma$ of [Fe/H]")


def measurements_page() -> str:
    """
    What the population is held against, as a section of documentation.

    Returns
    -------
    str
        Markdown with one table.
    """
    head = ["measured", "value", "unit", "source"]
    rows = [
        [m.name, f"{m.value:g} ± {m.error:g}" if m.error else f"{m.value:g}", m.unit, m.source] for m in MEASUREMENTS
    ]
    lines = [f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows]]
    return "\n".join([*lines, ""])
