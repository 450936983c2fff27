"""E21: which stars are lost, and which are taken by mistake; by place, motion, [Fe/H], age and satellite."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.evaluation.estimates import Estimate, Metric, estimates
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import Judged, Mask, table_of
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell
from exsitu.experiments.origins import progenitors
from exsitu.experiments.recipe import REPRESENTATIONS, chosen_cut, hundredfold, recipe, viewpoints
from exsitu.experiments.samples import particle_blocks
from exsitu.experiments.trial import Trial
from exsitu.experiments.variables import Floats
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Integers = NDArray[np.int64]

_EDGES: Mapping[str, tuple[float, ...]] = {
    "distance_kpc": (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.5),
    "abs_b_deg": (0.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0),
    "v_phi_kms": (-450.0, -200.0, -100.0, -50.0, 0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 450.0),
    "feh": (-2.5, -2.0, -1.75, -1.5, -1.25, -1.0, -0.75, -0.5, -0.25, 0.75),
    "age_gyr": (0.0, 3.0, 5.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.5),
}
"""Edges of the bins, by variable."""
_LABELS = {
    "distance_kpc": "distance  [kpc]", "abs_b_deg": r"$|b|$  [deg]", "v_phi_kms": r"$v_\phi$  [km s$^{-1}$]",
    "feh": "[Fe/H]  [dex]", "age_gyr": "age  [Gyr]",
}  # fmt: skip
_DISC_KMS = (150.0, 300.0)
"""Rotation that counts as the disc's."""
_FEWEST = 20
"""Of fewer stars in a bin no share is told."""
_DISC, _HIGH, _RETROGRADE = "disc-like accreted stars lost", "height of in situ stars taken", "retrograde taken"


def _survey(settings: Settings) -> str:
    return viewpoints(settings, "target", 2, "E21")[1]


def _trials(settings: Settings) -> Mapping[str, Trial]:
    return {representation: recipe(settings, representation) for representation in REPRESENTATIONS}


def _variables(stars: pd.DataFrame) -> dict[str, Floats]:
    """True ones; age where the survey tells it."""
    place = stars[["px_true", "py_true", "pz_true"]].to_numpy(np.float64)
    known = {
        "distance_kpc": np.sqrt((place * place).sum(axis=1)),
        "abs_b_deg": np.abs(stars["b"].to_numpy(np.float64)),
        "v_phi_kms": stars["v_phi"].to_numpy(np.float64),
        "feh": stars["feh"].to_numpy(np.float64),
    }
    return known | ({"age_gyr": 10.0 ** (stars["age"].to_numpy(np.float64) - 9.0)} if "age" in stars else {})


def shares(selected: Mask, accreted: Mask, group: Integers, n_groups: int) -> Metric:
    """
    Make the metric of completeness and purity in groups of stars.

    Parameters
    ----------
    selected, accreted : ndarray of bool, shape (n_stars,)
        The selection, and the truth.
    group : ndarray of int, shape (n_stars,)
        Group of each star, from 0; stars of others are in none.
    n_groups : int
        How many.

    Returns
    -------
    callable
        Takes which stars count; gives ``completeness <group>`` and ``purity <group>``; NaN where they are shares of
        no star.
    """

    def metric(counted: Mask) -> dict[str, float]:
        right = _in_bins(group[counted & selected & accreted], n_groups)
        wholes = {
            "completeness": _in_bins(group[counted & accreted], n_groups),
            "purity": _in_bins(group[counted & selected], n_groups),
        }
        return {
            f"{name} {number}": float(right[number] / whole) if whole else float("nan")
            for name, of in wholes.items()
            for number, whole in enumerate(of)
        }

    return metric


def _blocks(bench: Bench, stars: pd.DataFrame) -> Integers:
    return particle_blocks(stars["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)


def _grouped(
    selections: Sequence[Mask], stars: pd.DataFrame, blocks: Integers, group: Integers, n: int
) -> list[Judged]:
    """Completeness and purity of each group, over the seeds' selections."""
    accreted = stars["accreted"].to_numpy()
    found = estimates([shares(selected, accreted, group, n) for selected in selections], blocks)
    return [{name: found[f"{name} {number}"] for name in ("completeness", "purity")} for number in range(n)]


def _profiles(bench: Bench, stars: pd.DataFrame, selections: Mapping[str, Sequence[Mask]]) -> pd.DataFrame:
    """Completeness and purity along each variable."""
    blocks, accreted, found = _blocks(bench, stars), stars["accreted"].to_numpy(), []
    for variable, values in _variables(stars).items():
        edges = np.array(_EDGES[variable])
        group, n = np.searchsorted(edges, values, side="right") - 1, len(edges) - 1
        for label, selected in selections.items():
            names = [f"{label}: {variable} {low:g} to {high:g}" for low, high in itertools.pairwise(edges)]
            judged = dict(zip(names, _grouped(selected, stars, blocks, group, n), strict=True))
            taken = np.mean([_in_bins(group[chosen], n) for chosen in selected], axis=0)
            bins: dict[str, Any] = {"group": label, "variable": variable, "low": edges[:-1], "high": edges[1:]}
            counts = {"accreted": _in_bins(group[accreted], n), "selected": taken}
            found.append(table_of(judged, ("completeness", "purity")).assign(**bins, **counts))
    return _without_few(pd.concat(found, ignore_index=True))


def _in_bins(group: Integers, n: int) -> Integers:
    return np.bincount(group[(group >= 0) & (group < n)], minlength=n)


def _without_few(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out shares of too few stars, whose errors would mean nothing."""
    for share, of in (("completeness", "accreted"), ("purity", "selected")):
        columns = [share, f"{share}_spread", f"{share}_error"]
        table[columns] = table[columns].where(table[of] >= _FEWEST)
    return table


def _satellites(
    bench: Bench, stars: pd.DataFrame, selections: Mapping[str, Sequence[Mask]], born: NDArray[np.str_]
) -> pd.DataFrame:
    """Completeness for each satellite, and what its stars are like."""
    blocks, home = _blocks(bench, stars), born[stars["parentid"].to_numpy()]
    names, group = np.unique(home, return_inverse=True)
    tables = []
    for label, selected in selections.items():
        judged = dict(zip(names, _grouped(selected, stars, blocks, group, len(names)), strict=True))
        told = {str(name): found for name, found in judged.items() if name}
        tables.append(table_of(told, ("completeness",)).assign(group=label))
    described = [
        {
            "name": str(name),
            "accreted": len(own),
            "v_phi_median": own["v_phi"].median(),
            "feh_median": own["feh"].median(),
        }
        for name, own in stars.groupby(home)
        if name
    ]
    table = pd.concat(tables, ignore_index=True).merge(pd.DataFrame(described), on="name")
    return table.assign(row=table["group"] + ": " + table["name"])[["row", *table.columns]]


def _spots(selected: Mask, stars: pd.DataFrame) -> Metric:
    """What the paper says of the stars that are lost and of those that are taken by mistake (Sec. 7.3)."""
    accreted, v_phi = stars["accreted"].to_numpy(), stars["v_phi"].to_numpy(np.float64)
    height, rotates = np.abs(stars["pz_true"].to_numpy(np.float64)), (v_phi > _DISC_KMS[0]) & (v_phi < _DISC_KMS[1])

    def share(of: Mask, part: Mask) -> float:
        return float(part[of].mean()) if of.any() else float("nan")

    def metric(counted: Mask) -> dict[str, float]:
        taken, born_here = counted & selected & ~accreted, counted & ~accreted
        held = [share(counted & accreted & rotates, selected), share(counted & accreted & ~rotates, selected)]
        return {
            "disc_like": held[0],
            "others": held[1],
            _DISC: held[1] - held[0],
            _HIGH: float(height[taken].mean() - height[born_here].mean()) if taken.any() else float("nan"),
            _RETROGRADE: share(taken, v_phi < 0.0) - share(born_here, v_phi < 0.0),
        }

    return metric


def _compared(found: Mapping[str, Judged]) -> pd.DataFrame:
    rows: dict[str, dict[str, Estimate]] = {
        f"{label}: {name}": {"value": judged[name]}
        for label, judged in found.items()
        for name in (_DISC, _HIGH, _RETROGRADE, "disc_like", "others")
    }
    return table_of(rows, ("value",))


def _measure(bench: Bench) -> Measured:
    survey = _survey(bench.settings)
    stars, cuts = bench.test(survey), {label: chosen_cut(bench, label) for label in bench.trials}
    selections = {label: [score > cut for score in bench.scores(label, survey)] for label, cut in cuts.items()}
    spots = {
        label: estimates([_spots(selected, stars) for selected in chosen], _blocks(bench, stars))
        for label, chosen in selections.items()
    }
    tables = {"compared": _compared(spots), "profiles": _profiles(bench, stars, selections)}
    born = progenitors(bench, survey)
    if born is not None:
        tables["satellites"] = _satellites(bench, stars, selections, born)
    told = "from the particles of the built-in galaxy" if born is not None else "not known of this galaxy"
    chosen = ", ".join(f"{label} {cut:.2f}" for label, cut in cuts.items())
    return Measured(tables, {}, (f"{survey}; cuts of E6: {chosen}", f"the satellite of each star: {told}"))


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.grids import profiles_figure
    from exsitu.evaluation.panels import numbers_figure

    table, numbers = measured.tables["profiles"], ("completeness", "purity")
    scaled = table.assign(**{f"{n}{e}": 100 * table[f"{n}{e}"] for n in numbers for e in ("", "_error")})
    shown = {"completeness": "completeness  [%]", "purity": "purity  [%]"}
    figures: dict[str, Any] = {"profiles": profiles_figure(scaled, _LABELS, shown)}
    if "satellites" in measured.tables:
        found = measured.tables["satellites"]
        percent = found.assign(**{f"completeness{e}": 100 * found[f"completeness{e}"] for e in ("", "_error")})
        figures["satellites"] = numbers_figure(percent, {"completeness": "completeness  [%]"}, REPRESENTATIONS)
    return figures


def _claims(tables: Tables) -> list[Claim]:
    found, claims = tables["compared"], []
    for label in REPRESENTATIONS:
        held, others = (100 * cell(found, f"{label}: {name}", "value")[0] for name in ("disc_like", "others"))
        value, error = cell(found, f"{label}: {_HIGH}", "value")
        claims += [
            above(f"accreted stars that rotate with the disc are lost more than others: {label}",
                  *hundredfold(cell(found, f"{label}: {_DISC}", "value")), paper="those lost move like the disc",
                  unit=f"points of completeness: {held:.0f} % against {others:.0f} %"),
            above(f"in situ stars that are selected lie higher above the plane: {label}", value, error,
                  paper="larger distances from the plane", unit="kpc in mean |z|"),
            above(f"in situ stars that are selected move against the disc more often: {label}",
                  *hundredfold(cell(found, f"{label}: {_RETROGRADE}", "value")), paper="large retrograde velocities",
                  unit="points in the share of retrograde stars"),
        ]  # fmt: skip
    return claims


EXPERIMENT = Experiment(
    name="E21",
    title="Which stars are lost",
    source="beyond the paper; Sec. 7.3 in words",
    finding=(
        "Accreted stars that the network takes for in situ ones tend to move like the disc; in situ stars with high "
        "scores tend to lie far from the plane or to have large retrograde velocities. No number is given."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=lambda settings: (settings.data.target.surveys[0], _survey(settings)),
)
