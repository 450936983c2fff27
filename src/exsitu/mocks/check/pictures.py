"""Pictures of a mock survey, for a reader who does not believe it yet: arrays in, matplotlib figures out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from exsitu.evaluation.maps import sky_figure
from exsitu.evaluation.style import (
    DENSITY,
    GREY,
    INK,
    PALETTE,
    VELOCITY_LABELS,
    VERMILLION,
    look,
    new_figure,
    styled,
)
from exsitu.mocks.check.measure import SELECTIONS, Measured
from exsitu.mocks.galaxies import Potential
from exsitu.mocks.orbits import potential_energy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Panels = Mapping[str, tuple[ArrayLike, ArrayLike]]

_KINDS = (("accreted", True), ("in situ", False))
_CIRCULAR = r"$R\,v_\phi$  [10$^3$ kpc km s$^{-1}$]"
_FEH = "[Fe/H]  [dex]"
_MOST_POINTS = 20_000
_DIVERGING = "RdBu_r"


@dataclass(frozen=True, slots=True)
class Axes2D:
    """
    What a density map shows along its axes.

    Parameters
    ----------
    x, y : ndarray, shape (n_edges,)
        Edges of the cells.
    x_label, y_label : str
        Labels with units.
    equal : bool
        Whether one unit is as long along x as along y.
    upside_down : bool
        Whether y grows downwards, as magnitudes do.
    """

    x: Floats
    y: Floats
    x_label: str
    y_label: str
    equal: bool = False
    upside_down: bool = False


TOOMRE = Axes2D(
    np.linspace(-450.0, 450.0, 91),
    np.linspace(0.0, 450.0, 46),
    r"$v_y$  [km s$^{-1}$]",
    r"$\sqrt{v_x^2 + v_z^2}$  [km s$^{-1}$]",
    equal=True,
)
COLOUR_MAGNITUDE = Axes2D(
    np.linspace(-0.6, 4.0, 93),
    np.linspace(-5.0, 13.0, 109),
    r"$G_{\rm BP} - G_{\rm RP}$  [mag]",
    r"$G - 5\,\log_{10}(d\,/\,10\,{\rm pc})$  [mag]",
    upside_down=True,
)
ROTATION_METALLICITY = Axes2D(np.linspace(-3.0, 0.6, 73), np.linspace(-400.0, 450.0, 86), _FEH, VELOCITY_LABELS[1])
MERIDIAN = Axes2D(np.linspace(3.2, 13.2, 81), np.linspace(-5.0, 5.0, 81), r"$R$  [kpc]", r"$z$  [kpc]", equal=True)
INTEGRALS = Axes2D(
    np.linspace(-3.5, 3.5, 106), np.linspace(-2.2, -0.4, 91), _CIRCULAR, r"$E$  [10$^5$ km$^2$ s$^{-2}$]"
)


@styled
def density_figure(panels: Panels, plane: Axes2D, decorate: Callable[[Any], None] | None = None) -> "Figure":
    """
    Fractions of stars in a plane, a panel a group, all on one scale.

    Parameters
    ----------
    panels : mapping of str to 2 array_likes, shape (n_stars,)
        Title, x and y of the stars; those without a number, or outside, are not drawn.
    plane : Axes2D
        The axes.
    decorate : callable, optional
        Draws on top of each panel.

    Returns
    -------
    Figure
    """
    from matplotlib.colors import LogNorm

    tables = {title: _fractions(x, y, plane) for title, (x, y) in panels.items()}
    shown = np.concatenate([table[np.isfinite(table)] for table in tables.values()])
    low, high = (float(shown.min()), float(shown.max())) if shown.size else (1e-3, 1.0)
    span = float(np.ptp(plane.y) / np.ptp(plane.x))
    across = (6.4 - 0.5) / len(tables)
    figure = new_figure(7.2, 0.75 + across * (span if plane.equal else 1.0 if len(tables) < 3 else 1.1))
    row = figure.subplots(1, len(tables), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (title, table) in zip(row, tables.items(), strict=True):
        norm = LogNorm(low, max(high, 2.0 * low))
        mesh = axes.pcolormesh(plane.x, plane.y, table, norm=norm, cmap=DENSITY, rasterized=True)
        axes.set_title(title)
        axes.set_xlabel(plane.x_label)
        axes.set_xlim(plane.x[0], plane.x[-1])
        axes.set_ylim(*(plane.y[[-1, 0]] if plane.upside_down else plane.y[[0, -1]]))
        if plane.equal:
            axes.set_aspect("equal")
        if decorate is not None:
            decorate(axes)
    row[0].set_ylabel(plane.y_label)
    shrink = 0.8 if plane.equal else 1.0  # the colour bar is laid out before the panels shrink to equal units
    figure.colorbar(mesh, ax=list(row), label="fraction per cell", pad=0.01, shrink=shrink)
    return figure


def _fractions(x: ArrayLike, y: ArrayLike, plane: Axes2D) -> Floats:
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    known = np.isfinite(a) & np.isfinite(b)
    table = np.histogram2d(b[known], a[known], bins=(plane.y, plane.x))[0] / max(int(known.sum()), 1)
    return np.where(table > 0.0, table, np.nan)


def by_origin(stars: pd.DataFrame, x: str, y: str) -> dict[str, tuple[Floats, Floats]]:
    """
    Two columns of the accreted and of the in-situ stars, as the panels of `density_figure`.

    Parameters
    ----------
    stars : DataFrame
        With ``accreted``.
    x, y : str
        Names of the columns.

    Returns
    -------
    dict of str to 2 ndarrays
    """
    return {
        title: (mine[x].to_numpy(np.float64), mine[y].to_numpy(np.float64))
        for title, accreted in _KINDS
        for mine in (stars[stars["accreted"] == accreted],)
    }


def toomre_panels(spectra: pd.DataFrame, groups: Mapping[str, Any]) -> dict[str, tuple[Floats, Floats]]:
    """
    Toomre diagrams of groups of stars, as the panels of `density_figure`.

    Parameters
    ----------
    spectra : DataFrame
        Measured ``v_x, v_y, v_z``, km/s.
    groups : mapping of str to bool array, shape (n_stars,)
        Title and members of each group.

    Returns
    -------
    dict of str to 2 ndarrays
        v_y and the rest of the velocity, km/s.
    """
    v_x, v_y, v_z = (spectra[name].to_numpy(np.float64) for name in ("v_x", "v_y", "v_z"))
    return {title: (v_y[mine], np.hypot(v_x[mine], v_z[mine])) for title, mine in groups.items()}


def v_circle(v_lsr_kms: float) -> Callable[[Any], None]:
    """
    The edge of the V selection on a Toomre diagram.

    Parameters
    ----------
    v_lsr_kms : float
        Speed of the local standard of rest, km/s.

    Returns
    -------
    callable
        Draws it on axes.
    """

    def draw(axes: Any) -> None:
        from matplotlib.patches import Circle

        edge = {"fill": False, "color": VERMILLION, "linestyle": "--", "linewidth": 1.2}
        axes.add_patch(Circle((v_lsr_kms, 0.0), v_lsr_kms, **edge))

    return draw


@styled
def magnitude_figure(stars: pd.DataFrame) -> "Figure":
    """
    Apparent magnitudes of all stars and of those with radial velocities (paper, Fig. 5).

    Parameters
    ----------
    stars : DataFrame
        With ``g`` (mag), ``accreted`` and ``has_rv``.

    Returns
    -------
    Figure
    """
    edges = np.linspace(6.0, 21.0, 61)
    figure = new_figure(4.8, 3.2)
    axes = figure.subplots()
    for number, (title, accreted) in enumerate(_KINDS):
        mine = stars[stars["accreted"] == accreted]
        for members, dashes, suffix in ((mine, "-", ""), (mine[mine["has_rv"]], (0, (3, 1.5)), ", with RV")):
            heights = np.histogram(members["g"], edges)[0] / max(len(members), 1) / np.diff(edges)
            colour = PALETTE[1 - number]
            axes.stairs(heights, edges, color=colour, linestyle=dashes, linewidth=1.6, label=title + suffix)
    axes.axvline(15.0, color=GREY, linewidth=0.9, zorder=0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_xlabel(r"$G$  [mag]")
    axes.set_ylabel("fraction of stars per mag")
    axes.legend(loc="upper left")
    return figure


def specific_energy(potential: Potential, stars: pd.DataFrame) -> Floats:
    """
    Energies of stars in a galaxy's potential.

    Parameters
    ----------
    potential : Potential
        Of the galaxy.
    stars : DataFrame
        True ``x, y, z`` (kpc) and ``v_r, v_phi, v_z`` (km/s).

    Returns
    -------
    ndarray, shape (n_stars,)
        Per unit mass, (km/s)2; zero at rest at infinity.
    """
    x, y, z, *velocity = (stars[name].to_numpy(np.float64) for name in ("x", "y", "z", "v_r", "v_phi", "v_z"))
    energy: Floats = 0.5 * sum(v * v for v in velocity) + potential_energy(potential, np.hypot(x, y), z)
    return energy


@styled
def debris_figure(stars: pd.DataFrame, potential: Potential, progenitor: ArrayLike | None = None) -> "Figure":
    """
    Energy against angular momentum: in-situ stars as a density, accreted ones point by point.

    Parameters
    ----------
    stars : DataFrame
        True ``x, y, z`` (kpc), ``v_r, v_phi, v_z`` (km/s) and ``accreted``.
    potential : Potential
        Of the galaxy.
    progenitor : array_like of str, shape (n_stars,), optional
        Name of the galaxy each accreted star was born in.

    Returns
    -------
    Figure
    """
    from matplotlib.colors import LogNorm

    x, y, v_phi = (stars[name].to_numpy(np.float64) for name in ("x", "y", "v_phi"))
    momentum = np.hypot(x, y) * v_phi / 1e3
    energy, accreted = specific_energy(potential, stars) / 1e5, stars["accreted"].to_numpy(bool)
    figure = new_figure(7.2, 3.6)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    table = _fractions(momentum[~accreted], energy[~accreted], INTEGRALS)
    low = float(np.nanmin(table)) if np.isfinite(table).any() else 1e-3
    norm = LogNorm(low, max(float(np.nanmax(table, initial=low)), 2.0 * low))
    mesh = left.pcolormesh(INTEGRALS.x, INTEGRALS.y, table, norm=norm, cmap=DENSITY, rasterized=True)
    figure.colorbar(mesh, ax=left, label="fraction per cell", location="top", shrink=0.8, aspect=30)
    names = np.full(len(stars), "accreted", object) if progenitor is None else np.asarray(progenitor, object)
    _progenitors(right, momentum[accreted], energy[accreted], names[accreted])
    if progenitor is not None:
        figure.legend(*right.get_legend_handles_labels(), loc="outside right center", markerscale=4.0, title="born in")
    for axes, title in ((left, "in situ"), (right, "accreted")):
        axes.set_xlabel(INTEGRALS.x_label)
        axes.set_xlim(INTEGRALS.x[0], INTEGRALS.x[-1])
        axes.set_ylim(INTEGRALS.y[0], INTEGRALS.y[-1])
        axes.text(0.03, 0.97, title, transform=axes.transAxes, va="top", fontsize=9.5)
    left.set_ylabel(INTEGRALS.y_label)
    return figure


def _progenitors(axes: Any, momentum: Floats, energy: Floats, names: NDArray[Any]) -> None:
    """Points coloured by where they come from: the six most numerous by name, the rest in grey below them."""
    step = max(1, len(names) // _MOST_POINTS)
    momentum, energy, names = momentum[::step], energy[::step], names[::step]
    found, counts = np.unique(names.astype(str), return_counts=True)
    known = found[np.argsort(-counts, kind="stable")][:6]
    others = ~np.isin(names.astype(str), known)
    dot: dict[str, Any] = {"s": 2.0, "linewidths": 0.0, "rasterized": True}
    if others.any():
        axes.scatter(momentum[others], energy[others], color=GREY, label="others", alpha=0.5, **dot)
    for number, name in enumerate(known):
        mine = names == name
        axes.scatter(momentum[mine], energy[mine], color=PALETTE[number % len(PALETTE)], label=name, alpha=0.6, **dot)


@styled
def viewpoints_figure(surroundings: Mapping[str, pd.DataFrame]) -> "Figure":
    """
    How viewpoints differ: mean v_R of in-situ stars around each Sun, and velocities within 1 kpc of it.

    Parameters
    ----------
    surroundings : mapping of str to DataFrame
        Name of each viewpoint, and its in-situ stars: ``x, y, v_r, v_phi, distance_kpc``, the Sun at (-8.2, 0) kpc.

    Returns
    -------
    Figure
    """
    figure = new_figure(7.2, 5.2)
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.1, 1.0))
    maps, below = parts
    row = maps.subplots(1, len(surroundings), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (title, stars) in zip(row, surroundings.items(), strict=True):
        mesh = _mean_map(axes, stars)
        axes.set_title(title)
        axes.set_xlabel(r"$x$  [kpc]")
    row[0].set_ylabel(r"$y$  [kpc]")
    maps.colorbar(mesh, ax=list(row), label=r"mean $v_R$  [km s$^{-1}$]", pad=0.01, shrink=0.8)
    panels = below.subplots(1, 2)
    for axes, column, label, edges in (
        (panels[0], "v_r", VELOCITY_LABELS[0], np.linspace(-150.0, 150.0, 61)),
        (panels[1], "v_phi", VELOCITY_LABELS[1], np.linspace(60.0, 320.0, 66)),
    ):
        for number, (title, stars) in enumerate(surroundings.items()):
            near = stars.loc[stars["distance_kpc"] < 1.0, column]
            heights = np.histogram(near, edges)[0] / max(len(near), 1) / np.diff(edges)
            axes.stairs(100.0 * heights, edges, label=title, linewidth=1.5, **look(number))
        axes.set_xlabel(label + ", within 1 kpc")
        axes.set_ylim(bottom=0.0)
    panels[0].set_ylabel(r"% of stars per km s$^{-1}$")
    panels[1].legend()
    return figure


def _mean_map(axes: Any, stars: pd.DataFrame) -> Any:
    """Mean v_R in cells of 0.25 kpc that hold at least 30 stars."""
    edges_x, edges_y = np.linspace(-10.7, -5.7, 21), np.linspace(-2.5, 2.5, 21)
    x, y, v = (stars[name].to_numpy(np.float64) for name in ("x", "y", "v_r"))
    number = np.histogram2d(y, x, bins=(edges_y, edges_x))[0]
    total = np.histogram2d(y, x, bins=(edges_y, edges_x), weights=v)[0]
    mean = np.where(number >= 30, total / np.maximum(number, 1), np.nan)
    mesh = axes.pcolormesh(edges_x, edges_y, mean, cmap=_DIVERGING, vmin=-25.0, vmax=25.0, rasterized=True)
    axes.plot(-8.2, 0.0, marker="o", markersize=5, markerfacecolor="none", color=INK)
    axes.set_aspect("equal")
    return mesh


def draw(
    measured: Measured,
    v_lsr_kms: float,
    surroundings: Mapping[str, pd.DataFrame],
    potential: Potential | None = None,
    progenitor: ArrayLike | None = None,
) -> dict[str, "Figure"]:
    """
    Draw all pictures of a mock survey.

    Parameters
    ----------
    measured : Measured
        From `exsitu.mocks.check.measure`.
    v_lsr_kms : float
        Speed of the local standard of rest, km/s.
    surroundings : mapping of str to DataFrame
        As `viewpoints_figure` takes them; the viewpoints are not drawn where there is one alone.
    potential : Potential, optional
        Of the galaxy; without it energies are not drawn.
    progenitor : array_like of str, optional
        As `debris_figure` takes it.

    Returns
    -------
    dict of str to Figure
        By the names of `exsitu.mocks.check.captions.PICTURES`.
    """
    stars, spectra = measured.stars, measured.spectra
    accreted = spectra["accreted"].to_numpy(bool)
    truth = toomre_panels(spectra, {"accreted": accreted, "in situ": ~accreted})
    selected = toomre_panels(spectra, {name.upper(): spectra[name].to_numpy(bool) for name in SELECTIONS})
    from_axis = stars.assign(r=np.hypot(stars["x"], stars["y"]))
    circle = v_circle(v_lsr_kms)
    figures = {
        "colour_magnitude": density_figure(by_origin(stars, "bp_rp", "absolute_g"), COLOUR_MAGNITUDE),
        "toomre_truth": density_figure(truth, TOOMRE, circle),
        "toomre_selections": density_figure(selected, TOOMRE, circle),
        **{f"sky_{title.replace(' ', '_')}": _sky(measured, title, kind) for title, kind in _KINDS},
        "rotation_metallicity": density_figure(by_origin(stars, "feh", "v_phi"), ROTATION_METALLICITY),
        "meridian": density_figure(by_origin(from_axis, "r", "z"), MERIDIAN),
        "magnitudes": magnitude_figure(stars),
    }
    if potential is not None:
        figures["debris"] = debris_figure(stars, potential, progenitor)
    if len(surroundings) > 1:
        figures["viewpoints"] = viewpoints_figure(surroundings)
    return figures


def _sky(measured: Measured, title: str, accreted: bool) -> "Figure":  # noqa: FBT001 - one of two kinds
    stars = measured.stars[measured.stars["accreted"] == accreted]
    thinned = "" if accreted or measured.thinning == 1 else f", one star in {measured.thinning}"
    return sky_figure(stars["l"], stars["b"], title + thinned)
