"""The recipe that E6 chose and later experiments use: ZM in the last layer, and its cut; what its stars look like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import SettingsError
from exsitu.evaluation.metrics import best_cut
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import Judged, pretrained, transferred
from exsitu.experiments.trial import Sample, Trial
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

REPRESENTATIONS = ("measured", "rest_frame")
"""The paper's inputs first."""

PAPER_CUT, PURER_CUT = 0.75, 0.95
"""The paper's score cut (Sec. 7.2), and its purer one (Table 7)."""


@dataclass(frozen=True, slots=True)
class Axis:
    """
    How a column is drawn.

    Parameters
    ----------
    label : str
        What to write below it.
    low, high : float
        Range of the bins.
    bins : int
        How many.
    """

    label: str
    low: float
    high: float
    bins: int = 45

    @property
    def edges(self) -> Floats:
        """Of the bins."""
        return np.linspace(self.low, self.high, self.bins + 1)


AXES: Mapping[str, Axis] = MappingProxyType(
    {
        "l": Axis(r"$l$  [deg]", -180.0, 180.0, 36),
        "b": Axis(r"$b$  [deg]", -90.0, 90.0, 36),
        "parallax": Axis(r"$\varpi$  [mas]", 0.0, 3.0),
        "pmra": Axis(r"$\mu_{\alpha *}$  [mas yr$^{-1}$]", -80.0, 80.0),
        "pmdec": Axis(r"$\mu_\delta$  [mas yr$^{-1}$]", -80.0, 80.0),
        "phot_g_mean_mag": Axis(r"$G$  [mag]", 6.0, 21.0, 45),
        "v_r": Axis(r"$v_R$  [km s$^{-1}$]", -450.0, 450.0),
        "v_phi": Axis(r"$v_\phi$  [km s$^{-1}$]", -450.0, 450.0),
        "v_z": Axis(r"$v_z$  [km s$^{-1}$]", -450.0, 450.0),
        "feh": Axis(r"[Fe/H]  [dex]", -3.5, 0.75, 34),
        "age": Axis(r"log$_{10}$ age  [yr]", 8.5, 10.2, 34),
    }
)
"""Columns that are drawn, by name."""


def viewpoints(
    settings: Settings, part: Literal["pretraining", "target"], least: int, experiment: str
) -> tuple[str, ...]:
    """
    Surveys of a galaxy, where it has enough of them.

    Parameters
    ----------
    settings : Settings
        Which galaxies.
    part : str
        Which of them.
    least : int
        Viewpoints that the experiment needs.
    experiment : str
        Its name, for the message.

    Returns
    -------
    tuple of str

    Raises
    ------
    SettingsError
        If there are fewer.
    """
    found: tuple[str, ...] = getattr(settings.data, part).surveys
    if len(found) < least:
        raise SettingsError(
            f"data.{part} has {len(found)} viewpoints ({', '.join(found)}); {experiment} needs {least}: give more, or "
            f"leave {experiment} out"
        )
    return found


def recipe(
    settings: Settings,
    representation: str = "measured",
    *,
    input_set: str = "5D",
    sample: Sample | None = None,
) -> Trial:
    """
    The network of every viewpoint of the pretraining galaxy, its last layer transferred by ZM labels (E6: ZM last).

    Parameters
    ----------
    settings : Settings
        Which galaxies.
    representation, input_set : str
        As for `Trial`.
    sample : Sample, optional
        What it is transferred on; stars with velocities of the target's first viewpoint by default.

    Returns
    -------
    Trial
    """
    start = pretrained(settings, input_set=input_set, representation=representation)
    return transferred(start, settings, "label_zm", ("last",), **({"sample": sample} if sample else {}))


def chosen_cut(bench: Bench, label: str) -> float:
    """
    The cut of least sum of chi2 on the target's first viewpoint, where the recipe was chosen (E6).

    Parameters
    ----------
    bench : Bench
        Networks and stars.
    label : str
        Of the trial; the scan is the mean over its seeds.

    Returns
    -------
    float
    """
    settings = bench.settings
    return float(best_cut(bench.scan(label, settings.data.target.surveys[0]), settings.evaluation.min_selected)["cut"])


def cuts_of(bench: Bench, label: str) -> dict[str, float]:
    """
    Cuts at which a recipe is validated, by what they are called in tables.

    Parameters
    ----------
    bench : Bench
        Networks and stars.
    label : str
        Of the trial.

    Returns
    -------
    dict of str to float
        ``best cut``, then those of the paper's Table 7.
    """
    return {"best cut": chosen_cut(bench, label), **{f"S > {cut}": cut for cut in (PAPER_CUT, PURER_CUT)}}


def selections_table(judged: Mapping[str, Judged], accreted: NDArray[np.bool_]) -> pd.DataFrame:
    """
    Lay selections by a score out as a table, with counts.

    Parameters
    ----------
    judged : mapping of str to mapping of str to Estimate
        What `Bench.judge` gave at a cut, by row.
    accreted : ndarray of bool, shape (n_stars,)
        Truth of the stars it was measured with.

    Returns
    -------
    DataFrame
        ``name``, ``cut``, ``stars``, ``accreted``, ``selected`` and ``selected_accreted`` (means over seeds), then
        purity, accreted efficiency and sum of chi2 with their errors.
    """
    rows = []
    for name, found in judged.items():
        counted = {
            "cut": found["cut"].value,
            "stars": len(accreted),
            "accreted": int(accreted.sum()),
            "selected": found["selected_share"].value * len(accreted),
            "selected_accreted": found["efficiency_accreted"].value * accreted.sum(),
        }
        measured = {k: v for c in ("purity", "efficiency_accreted", "sum_chi2") for k, v in found[c].row(c).items()}
        rows.append({"name": name, **counted, **measured})
    return pd.DataFrame(rows)


def distributions(samples: Mapping[str, pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """
    Histograms of unit area, of several samples of stars.

    Parameters
    ----------
    samples : mapping of str to DataFrame
        Stars by name; a column that one lacks is left out for all.
    columns : sequence of str
        Keys of `AXES`.

    Returns
    -------
    DataFrame
        ``name``, ``column``, ``low``, ``high`` (edges of a bin), ``density``; zeros where no star is in range.
    """
    found = []
    for column in (c for c in columns if all(c in stars for stars in samples.values())):
        edges = AXES[column].edges
        for name, stars in samples.items():
            counts, _ = np.histogram(stars[column].to_numpy(np.float64), edges)
            density = counts / max(1, counts.sum()) / np.diff(edges)
            bins = {"low": edges[:-1], "high": edges[1:], "density": density}
            found.append(pd.DataFrame({"name": name, "column": column, **bins}))
    return pd.concat(found, ignore_index=True)


def drawn_distributions(table: pd.DataFrame, looks: Mapping[str, int] | None = None) -> "Figure":
    """
    Draw what `distributions` gave, a panel a column.

    Parameters
    ----------
    table : DataFrame
        The histograms.
    looks : mapping of str to int, optional
        Number of each sample's look (`exsitu.evaluation.style.look`).

    Returns
    -------
    Figure
    """
    from exsitu.evaluation.grids import histograms_figure

    panels = {
        AXES[str(column)].label: {str(name): curve for name, curve in members.groupby("name", sort=False)}
        for column, members in table.groupby("column", sort=False)
    }
    return histograms_figure(panels, looks)


def drawn_selections(table: pd.DataFrame, groups: Sequence[str]) -> "Figure":
    """
    Draw what `selections_table` gave.

    Parameters
    ----------
    table : DataFrame
        Rows are named ``<group>, <cut>``.
    groups : sequence of str
        Drawn in one row a cut, each of its own colour.

    Returns
    -------
    Figure
    """
    from exsitu.evaluation.panels import numbers_figure

    in_percent = [str(c) for c in table if str(c).startswith(("purity", "efficiency_accreted"))]
    scaled = table.assign(**{c: 100 * table[c] for c in in_percent})
    parts = table["name"].str.rsplit(", ", n=1)
    shown = {"purity": "purity  [%]", "efficiency_accreted": r"$\varepsilon_A$  [%]", "sum_chi2": r"$\Sigma\chi^2$"}
    return numbers_figure(scaled.assign(group=parts.str[0], name=parts.str[1]), shown, groups)


def hundredfold(number: tuple[float, float], sign: float = 1.0) -> tuple[float, float]:
    """
    Turn a share with its error into per cent.

    Parameters
    ----------
    number : tuple of float
        A value and its error.
    sign : float
        -1 for the opposite of the value.

    Returns
    -------
    value, error : float
        The error stays positive.
    """
    return 100.0 * sign * number[0] + 0.0, 100.0 * number[1]
