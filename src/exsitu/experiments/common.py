"""What several experiments measure alike."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.evaluation.checks import VELOCITIES
from exsitu.evaluation.estimates import Estimate, Metric, estimates
from exsitu.evaluation.metrics import selection_counts, sum_chi2
from exsitu.experiments.bench import Bench
from exsitu.experiments.samples import particle_blocks
from exsitu.experiments.trial import Sample, Trial
from exsitu.labels.selections import select_v
from exsitu.phase_space import SolarFrame
from exsitu.samples import measured_phase_space
from exsitu.settings import Settings

Mask = NDArray[np.bool_]
Judged = Mapping[str, Estimate]

RADIAL_VELOCITY = ("radial_velocity",)
"""Filter of stars with a line-of-sight velocity."""

NETWORK_COLUMNS = ("auc", "efficiency_accreted_at_1pct", "purity_at_47pct", "purity_at_13pct", "sum_chi2", "cut")
"""What is told of a network."""


def pretrained(settings: Settings, *, input_set: str = "5D", representation: str = "measured") -> Trial:
    """
    The network that learnt from every viewpoint of the pretraining galaxy (paper, Sec. 7.1).

    Parameters
    ----------
    settings : Settings
        Which galaxy.
    input_set, representation : str
        As for `Trial`.

    Returns
    -------
    Trial
    """
    sample = Sample(surveys=settings.data.pretraining.surveys)
    return Trial(sample=sample, input_set=input_set, representation=representation)


def transferred(start: Trial, settings: Settings, label: str, layers: tuple[str, ...], **more: Sample) -> Trial:
    """
    The network that goes on learning from another galaxy's stars with velocities (paper, Sec. 7.2).

    Parameters
    ----------
    start : Trial
        The pretrained network.
    settings : Settings
        Which galaxy.
    label : str
        ``label_vm`` or ``label_zm``.
    layers : tuple of str
        Layers that learn.
    **more : Sample
        Another `sample` than that of the target's first viewpoint.

    Returns
    -------
    Trial
    """
    sample = more.get("sample") or Sample(surveys=settings.data.target.surveys[:1], filters=RADIAL_VELOCITY)
    return Trial(
        sample=sample,
        input_set=start.input_set,
        representation=start.representation,
        label=label,
        start=start,
        layers=layers,
    )


def selections(stars: pd.DataFrame, solar: SolarFrame, settings: Settings) -> dict[str, Mask]:
    """
    The traditional selections, made from what is measured.

    Parameters
    ----------
    stars : DataFrame
        Stars with labels, as `Surveys.stars` gives them.
    solar : SolarFrame
        The Sun of their survey.
    settings : Settings
        Speed of the local standard of rest.

    Returns
    -------
    dict of str to ndarray of bool, shape (n_stars,)
        V, VM and ZM; V and VM select no star without a radial velocity.
    """
    space = measured_phase_space(stars, solar)
    return {
        "V": select_v(space, settings.labels.v_lsr_kms),
        "VM": stars["label_vm"].to_numpy(),
        "ZM": stars["label_zm"].to_numpy(),
    }


def selection_metric(selected: Mask, accreted: Mask) -> Metric:
    """
    Make the metric of a selection without a score.

    Parameters
    ----------
    selected, accreted : ndarray of bool, shape (n_stars,)
        What is selected, and the truth.

    Returns
    -------
    callable
        Takes which stars count; gives ``purity``, ``efficiency_accreted``, ``efficiency_in_situ``.
    """

    def metric(chosen: Mask) -> dict[str, float]:
        found = selection_counts(selected[chosen], accreted[chosen])
        names = ("purity", "efficiency_accreted", "efficiency_in_situ")
        return {name: float(getattr(found, name)) for name in names}

    return metric


def judged_selection(bench: Bench, stars: pd.DataFrame, selected: Mask) -> Judged:
    """
    Measure a selection with errors.

    Parameters
    ----------
    bench : Bench
        Settings.
    stars : DataFrame
        The stars, with ``accreted``, ``parentid`` and true velocities.
    selected : ndarray of bool, shape (n_stars,)
        Which of them.

    Returns
    -------
    mapping of str to Estimate
        As `selection_metric` names them, and ``sum_chi2``: how near the velocities of the selected stars come to those
        of the accreted ones.
    """
    accreted, velocities = stars["accreted"].to_numpy(), stars[list(VELOCITIES)].to_numpy(np.float64)
    blocks = particle_blocks(stars["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)
    plain, bins = selection_metric(selected, accreted), bench.settings.evaluation.velocity_bins

    def metric(chosen: Mask) -> dict[str, float]:
        kept = selected & chosen
        chi2 = sum_chi2(velocities[accreted & chosen], velocities[kept], bins) if kept.any() else float("nan")
        return {**plain(chosen), "sum_chi2": chi2}

    return estimates([metric], blocks)


def table_of(judged: Mapping[str, Judged], columns: Sequence[str] = NETWORK_COLUMNS) -> pd.DataFrame:
    """
    Lay estimates out as a table.

    Parameters
    ----------
    judged : mapping of str to mapping of str to Estimate
        Numbers by row.
    columns : sequence of str
        Which numbers.

    Returns
    -------
    DataFrame
        ``name`` and, of each number, itself, its spread over seeds and its error.
    """
    rows = [
        {"name": name, **{k: v for column in columns for k, v in found[column].row(column).items()}}
        for name, found in judged.items()
    ]
    return pd.DataFrame(rows)


def minus(a: Judged, b: Judged) -> Judged:
    """
    Differences of numbers measured on the same stars.

    Parameters
    ----------
    a, b : mapping of str to Estimate
        What is subtracted from what.

    Returns
    -------
    mapping of str to Estimate
    """
    return {name: a[name] - b[name] for name in a}
