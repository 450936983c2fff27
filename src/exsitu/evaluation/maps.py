"""Density maps of stars: Toomre diagram, sky, colour and magnitude."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from exsitu.errors import InputError
from exsitu.evaluation.checks import Floats, velocities_of
from exsitu.evaluation.style import DENSITY, GREY, INK, VELOCITY_LABELS, VERMILLION, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FULL_SKY_DEG2 = 41252.96


def _binned(x: Floats, y: Floats, edges: tuple[Floats, Floats]) -> Floats:
    """Stars a cell, NaN where there is none, the first axis along y."""
    table = np.histogram2d(y, x, bins=(edges[1], edges[0]))[0]
    return np.where(table > 0, table, np.nan)


@styled
def toomre_figure(panels: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]], v_lsr_kms: float = 224.0) -> "Figure":
    """
    Toomre diagrams (paper, Figs. 1 and 2).

    Parameters
    ----------
    panels : mapping of str to 3 array_likes, shape (n_stars,)
        Title, and v_R, v_phi, v_z of the stars, km/s.
    v_lsr_kms : float
        Speed of the local standard of rest, km/s; the V selection lies outside the dashed circle of this radius.

    Returns
    -------
    Figure
    """
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Circle

    edges = (np.linspace(-450.0, 450.0, 91), np.linspace(0.0, 450.0, 46))
    tables = {}
    for title, panel in panels.items():
        v_r, v_phi, v_z = velocities_of(np.column_stack(panel)).T
        table = _binned(v_phi, np.hypot(v_r, v_z), edges)
        tables[title] = table / max(v_r.size, 1)
    fractions = np.concatenate([t[np.isfinite(t)] for t in tables.values()]) if tables else np.empty(0)
    if not fractions.size:
        raise InputError("no star inside the Toomre diagram (|v_phi| < 450 km/s); give stars with velocities in km/s")
    scale = LogNorm(fractions.min(), fractions.max())
    figure = new_figure(0.8 + 2.9 * len(tables), 2.3)
    row = figure.subplots(1, len(tables), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (title, table) in zip(row, tables.items(), strict=True):
        mesh = axes.pcolormesh(*edges, table, norm=scale, cmap=DENSITY, rasterized=True)
        axes.add_patch(Circle((v_lsr_kms, 0.0), v_lsr_kms, fill=False, color=VERMILLION, linestyle="--", linewidth=1.2))
        axes.set_title(title)
        axes.set_aspect("equal")
        axes.set_xlim(-450.0, 450.0)
        axes.set_ylim(0.0, 450.0)
        axes.set_xlabel(VELOCITY_LABELS[1])
    row[0].set_ylabel(r"$\sqrt{v_R^2 + v_z^2}$  [km s$^{-1}$]")
    figure.colorbar(mesh, ax=list(row), label="fraction of stars per cell", pad=0.01, shrink=0.7)
    return figure


def mollweide(l: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:  # noqa: E741 - the field's name
    """
    Equal-area Mollweide projection of Galactic coordinates, longitude growing to the left.

    Parameters
    ----------
    l, b : array_like, shape (n_stars,)
        Degrees; l on either branch.

    Returns
    -------
    x, y : ndarray, shape (n_stars,)
        In [-2, 2] and [-1, 1]; the sky is the ellipse of these half axes.

    Notes
    -----
    y = sin(t) with 2 t + sin(2 t) = pi sin(b) (Snyder 1987, eq. 31-4), read from a table of t that is exact to 1e-7.
    """
    longitude = np.mod(np.asarray(l, dtype=np.float64) + 180.0, 360.0) - 180.0
    angle = np.linspace(-np.pi / 2, np.pi / 2, 20_001)
    sine = (2.0 * angle + np.sin(2.0 * angle)) / np.pi
    t = np.interp(np.sin(np.radians(np.asarray(b, dtype=np.float64))), sine, angle)
    return -longitude / 90.0 * np.cos(t), np.sin(t)


def _degrees(angle: int) -> str:
    return f"{angle}°".replace("-", "\N{MINUS SIGN}")


def _graticule(axes: Any) -> None:
    """Meridians and parallels every 30 degrees with their numbers, and the rim of the sky."""
    from matplotlib.patches import Ellipse
    from matplotlib.patheffects import withStroke

    along = np.linspace(-90.0, 90.0, 181)
    thin = {"color": GREY, "linewidth": 0.4, "alpha": 0.6}
    halo = [withStroke(linewidth=2.0, foreground="white")]
    for meridian in range(-150, 180, 30):
        axes.plot(*mollweide(np.full_like(along, meridian), along), **thin)
        if meridian % 60 == 0:
            x, y = mollweide(meridian, 0.0)
            axes.text(x, y, _degrees(meridian), ha="center", va="center", fontsize=8, path_effects=halo)
    for parallel in range(-60, 90, 30):
        axes.plot(*mollweide(2.0 * along * (1 - 1e-9), np.full_like(along, parallel)), **thin)
        x, y = mollweide(180.0 - 1e-9, parallel)
        axes.text(x - 0.06, y, _degrees(parallel), ha="right", va="center", fontsize=8)
    axes.add_patch(Ellipse((0.0, 0.0), 4.0, 2.0, fill=False, edgecolor=INK, linewidth=0.8))


@styled
def sky_figure(l: ArrayLike, b: ArrayLike, title: str = "") -> "Figure":  # noqa: E741 - the field's name
    """
    Density of stars on the sky, Mollweide projection of Galactic coordinates, longitude growing to the left.

    Parameters
    ----------
    l, b : array_like, shape (n_stars,)
        Degrees; l on either branch, (-180, 180] or [0, 360).
    title : str
        Title.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If there is no star.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Ellipse

    x, y = mollweide(l, b)
    if not x.size:
        raise InputError("no star to draw on the sky; loosen the selection")
    across = 120 if x.size > 50_000 else 60 if x.size > 5_000 else 30
    grid = (across, round(across / (2.0 * np.sqrt(3.0))))  # regular hexagons on a map twice as wide as high
    figure = new_figure(6.4, 3.2)
    axes = figure.add_subplot(aspect="equal", frame_on=False, xticks=[], yticks=[], title=title)
    cells = axes.hexbin(x, y, gridsize=grid, extent=(-2, 2, -1, 1), mincnt=1, cmap=DENSITY, linewidths=0.1)
    corners = cells.get_paths()[0].vertices
    cell_area = float(np.prod(np.ptp(corners, axis=0))) * 0.75  # a hexagon fills three quarters of its box
    density = np.asarray(cells.get_array()) / (cell_area / (2.0 * np.pi) * _FULL_SKY_DEG2)
    cells.set_array(density)
    cells.set_norm(LogNorm(density.min(), max(float(density.max()), 1.001 * float(density.min()))))
    cells.set_clip_path(Ellipse((0.0, 0.0), 4.0, 2.0, transform=axes.transData))
    _graticule(axes)
    axes.set_xlim(-2.25, 2.02)
    axes.set_ylim(-1.02, 1.02)
    figure.colorbar(cells, ax=axes, label=r"stars per deg$^2$", shrink=0.85, pad=0.01)
    figure.supxlabel(r"Galactic longitude $l$ (to the left) and latitude $b$", fontsize=9)
    return figure


@styled
def cmd_figure(stars: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> "Figure":
    """
    Colour-magnitude diagrams.

    Parameters
    ----------
    stars : mapping of str to 2 array_likes, shape (n_stars,)
        Title, colour G_BP - G_RP and absolute magnitude M_G, mag; stars without either are left out.

    Returns
    -------
    Figure
    """
    from matplotlib.colors import LogNorm

    edges = (np.linspace(-0.6, 4.0, 93), np.linspace(-6.0, 16.0, 111))
    figure = new_figure(0.9 + 2.6 * len(stars), 3.4)
    row = figure.subplots(1, len(stars), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (title, (colour, magnitude)) in zip(row, stars.items(), strict=True):
        x, y = np.asarray(colour, dtype=np.float64), np.asarray(magnitude, dtype=np.float64)
        known = np.isfinite(x) & np.isfinite(y)
        table = _binned(x[known], y[known], edges)
        most = float(np.nanmax(table)) if np.isfinite(table).any() else 1.0
        mesh = axes.pcolormesh(*edges, table, norm=LogNorm(1.0, max(most, 2.0)), cmap=DENSITY, rasterized=True)
        figure.colorbar(mesh, ax=axes, label="stars per cell", pad=0.02)
        axes.set_title(title)
        axes.set_xlabel(r"$G_{\rm BP} - G_{\rm RP}$  [mag]")
    row[0].set_ylabel(r"$M_G$  [mag]")
    row[0].set_ylim(edges[1][-1], edges[1][0])
    return figure
