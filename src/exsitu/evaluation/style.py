"""One look for all figures: colours that the colour-blind tell apart (Okabe & Ito 2008), thin axes, print sizes.

Figures are made without pyplot, so that nothing global is left behind, and under settings of their own, so that a
user's matplotlibrc changes no byte.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from exsitu.provenance import publish_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Inputs = ParamSpec("Inputs")
Result = TypeVar("Result")

BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, INK, GREY = "#CC79A7", "#56B4E9", "#1A1A1A", "#7F7F7F"
PALETTE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, INK)
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
DENSITY = "cividis"
VELOCITY_LABELS = (r"$v_R$  [km s$^{-1}$]", r"$v_\phi$  [km s$^{-1}$]", r"$v_z$  [km s$^{-1}$]")
DOTS_PER_INCH = 200

_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same glyphs on every machine
    "mathtext.fontset": "dejavusans",
    "font.size": 9.0,
    "axes.labelsize": 9.5,
    "axes.titlesize": 9.5,
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


def styled(function: Callable[Inputs, Result]) -> Callable[Inputs, Result]:
    """
    Run a function under the figure settings, starting from matplotlib's own defaults.

    Parameters
    ----------
    function : callable
        Makes or saves a figure.

    Returns
    -------
    callable
        The same, styled.
    """

    @functools.wraps(function)
    def wrapped(*args: Inputs.args, **kwargs: Inputs.kwargs) -> Result:
        import matplotlib.style

        with matplotlib.style.context(["default", _STYLE]):
            return function(*args, **kwargs)

    return wrapped


def look(number: int) -> dict[str, Any]:
    """
    Colour and dashes of the n-th curve; no two of the first 28 are alike.

    Parameters
    ----------
    number : int
        From 0.

    Returns
    -------
    dict
        Keywords of ``Axes.plot``.
    """
    return {"color": PALETTE[number % len(PALETTE)], "linestyle": DASHES[number // len(PALETTE) % len(DASHES)]}


def new_figure(width: float, height: float, *, gap: float = 0.02) -> "Figure":
    """
    An empty figure.

    Parameters
    ----------
    width, height : float
        Inches; 3.5 is one column of a journal, 7.2 is the page.
    gap : float
        Space between panels, as a fraction of a panel's width.

    Returns
    -------
    Figure
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=gap))
    FigureCanvasAgg(figure)
    return figure


@styled
def save_figure(figure: "Figure", path: Path) -> None:
    """
    Write a figure as PNG, atomically; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        What a function of `exsitu.evaluation.figures` returned.
    path : Path
        Target, ending in ``.png``.
    """
    with publish_file(path) as staged:
        figure.savefig(staged, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
