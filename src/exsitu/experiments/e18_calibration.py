"""E18: whether scores can be read as probabilities, on the galaxy that taught and on another."""

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exsitu.evaluation.calibration import (
    Calibration,
    calibration_error,
    isotonic,
    log_loss,
    platt,
    reliability,
    weights_undone,
)
from exsitu.evaluation.checks import Booleans, Floats
from exsitu.evaluation.estimates import Metric, estimates
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import Judged, minus, pretrained, table_of
from exsitu.experiments.e06_transfer import variants
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.samples import particle_blocks
from exsitu.experiments.trial import Trial
from exsitu.provenance import read_json
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NETWORKS: Mapping[str, str] = {"pretrained": "none", "ZM last": "ZM last"}
"""By their names in E6."""
_METHODS = ("raw", "weights undone", "Platt", "isotonic")
_FITTED = ("Platt", "isotonic")
_COLUMNS = ("calibration_error", "log_loss", "expected_over_true")
_CLOSE = 0.2
"""A count of accreted stars this near counts as right: the catalogue's purity is not known better."""


def _trials(settings: Settings) -> Mapping[str, Trial]:
    found = variants(pretrained(settings), settings)
    return {name: found[label] for name, label in _NETWORKS.items()}


def _home(settings: Settings) -> str:
    return settings.data.pretraining.surveys[0]


def _away(settings: Settings) -> tuple[str, ...]:
    return settings.data.target.surveys[:2]


def _undone(bench: Bench, label: str, seed: int) -> Calibration:
    """By the class weights of the training that the network ended with."""
    told = read_json(bench.folders(label)[seed] / "trial.json")
    n, accreted = told["training_stars"], told["training_accreted"]
    return weights_undone(n / (n - accreted), bench.settings.training.accreted_weight * n / accreted)


def _calibrations(bench: Bench, label: str) -> dict[str, list[Calibration]]:
    """Maps of a network's scores by method, one a seed, fitted to the pretraining galaxy's validation stars."""
    surveys = bench.settings.data.pretraining.surveys
    truth = np.concatenate([bench.surveys.part(survey, "validation")["accreted"].to_numpy() for survey in surveys])
    by_survey = [bench.scores(label, survey, part="validation") for survey in surveys]
    held_out = [np.concatenate(seed) for seed in zip(*by_survey, strict=True)]
    return {
        "raw": [lambda score: np.asarray(score, np.float64) for _ in held_out],
        "weights undone": [_undone(bench, label, seed) for seed in range(len(held_out))],
        "Platt": [platt(score, truth) for score in held_out],
        "isotonic": [isotonic(score, truth) for score in held_out],
    }


def _judging(probability: Floats, accreted: Booleans) -> Metric:
    def metric(counted: Booleans) -> dict[str, float]:
        p, a = probability[counted], accreted[counted]
        expected = float(p.sum() / a.sum())
        found = {"calibration_error": calibration_error(p, a), "log_loss": log_loss(p, a)}
        return {**found, "expected_over_true": expected}

    return metric


def _observing(probability: Floats, accreted: Booleans) -> Metric:
    """Observed share in each bin, by the number of the bin."""

    def metric(counted: Booleans) -> dict[str, float]:
        observed = reliability(probability[counted], accreted[counted])["observed"]
        return {str(number): float(share) for number, share in enumerate(observed)}

    return metric


def _diagram(probabilities: list[Floats], accreted: Booleans, blocks: np.ndarray) -> pd.DataFrame:
    """A reliability diagram with errors: of seed 0, and over all seeds."""
    found = estimates([_observing(p, accreted) for p in probabilities], blocks)
    return reliability(probabilities[0], accreted).assign(
        observed=[e.value for e in found.values()], observed_error=[e.error for e in found.values()]
    )


def _measure(bench: Bench) -> Measured:
    judged: dict[tuple[str, str, str], Judged] = {}
    diagrams: list[pd.DataFrame] = []
    maps = {label: _calibrations(bench, label) for label in bench.trials}
    for survey, label in product((_home(bench.settings), *_away(bench.settings)), bench.trials):
        stars, scores = bench.test(survey), bench.scores(label, survey)
        accreted = stars["accreted"].to_numpy()
        blocks = particle_blocks(stars["parentid"].to_numpy(), bench.settings.experiments.jackknife_blocks)
        for method in _METHODS:
            probabilities = [to(score) for to, score in zip(maps[label][method], scores, strict=True)]
            judged[label, survey, method] = estimates([_judging(p, accreted) for p in probabilities], blocks)
            drawn = _diagram(probabilities, accreted, blocks)
            drawn.insert(0, "name", f"{label}: {method}, on {survey}")
            diagrams.append(drawn.assign(network=label, survey=survey, method=method))
    named = {f"{label}: {method}, on {survey}": found for (label, survey, method), found in judged.items()}
    lowered = {
        f"{label}: raw less {method}, on {survey}": minus(judged[label, survey, "raw"], judged[label, survey, method])
        for (label, survey, method) in judged
        if method in _FITTED
    }
    tables = {
        "calibrated": table_of(named, _COLUMNS),
        "lowered": table_of(lowered, _COLUMNS),
        "reliability": pd.concat(diagrams, ignore_index=True),
        "shares": _shares(bench),
        "sizes": bench.sizes(),
    }
    return Measured(tables, {}, (_note(bench, tables["shares"]),))


def _shares(bench: Bench) -> pd.DataFrame:
    """Accreted share of the stars that calibrate, and of those that are tested."""
    pretraining = bench.settings.data.pretraining.surveys
    parts = [(survey, "validation") for survey in pretraining]
    parts += [(survey, "test") for survey in (_home(bench.settings), *_away(bench.settings))]
    found = {f"{survey}, {part}": bench.surveys.part(survey, part)["accreted"] for survey, part in parts}
    return pd.DataFrame(
        [
            {"name": name, "stars": len(a), "accreted": int(a.sum()), "share": float(a.mean())}
            for name, a in found.items()
        ]
    )


def _note(bench: Bench, shares: pd.DataFrame) -> str:
    fitted = shares[shares["name"].str.endswith("validation")]
    tested = ", ".join(
        f"{100 * cell(shares, f'{s}, test', 'share')[0]:.2f} % of {s}"
        for s in (_home(bench.settings), *_away(bench.settings))
    )
    share = 100 * fitted["accreted"].sum() / fitted["stars"].sum()
    return (
        f"fitted to {fitted['stars'].sum():,} validation stars of {bench.settings.data.pretraining.galaxy}, "
        f"{share:.2f} % of them accreted; of the test stars: {tested}"
    )


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.diagrams import reliability_figure
    from exsitu.evaluation.panels import numbers_figure

    curves, numbers = measured.tables["reliability"], measured.tables["calibrated"]
    figures = {
        f"reliability_{str(label).lower().replace(' ', '_')}": reliability_figure(
            {
                f"{label}, {survey}": {str(m): curve for m, curve in members.groupby("method", sort=False)}
                for survey, members in own.groupby("survey", sort=False)
            }
        )
        for label, own in curves.groupby("network", sort=False)
    }
    method = numbers["name"].str.extract(r": (.*), on ", expand=False)
    named = numbers.assign(name=numbers["name"].str.replace(r": .*, on ", " on ", regex=True), group=method)
    shown = {
        "calibration_error": "calibration error",
        "log_loss": "log loss a star",
        "expected_over_true": "accreted stars, expected / true",
    }
    return {**figures, "calibrated": numbers_figure(named, shown, _METHODS)}


def _claims(tables: Tables) -> list[Claim]:
    lowered, calibrated = tables["lowered"], tables["calibrated"]
    paper = "beyond the paper; expected"
    surveys = list(dict.fromkeys(lowered["name"].str.rpartition(", on ")[2]))
    home, away = surveys[0], surveys[1:]
    shares = tables["shares"]
    told = {s: 100 * cell(shares, f"{s}, test", "share")[0] for s in surveys}
    claims = [
        above(f"{method} makes the {label} network's scores probabilities on {home}",
              *cell(lowered, f"{label}: raw less {method}, on {home}", "calibration_error"), paper=paper,
              unit="of calibration error less")
        for label, method in product(_NETWORKS, _FITTED)
    ]  # fmt: skip
    claims += [
        above(f"it carries to {survey}: {label}, {method}",
              *cell(lowered, f"{label}: raw less {method}, on {survey}", "log_loss"), paper=paper,
              unit="of log loss less")
        for survey, label, method in product(away, _NETWORKS, _FITTED)
    ]  # fmt: skip
    for survey in away:
        value, error = cell(calibrated, f"pretrained: isotonic, on {survey}", "expected_over_true")
        why = f"accreted are {told[home]:.2f} % of {home} and {told[survey]:.2f} % of {survey}"
        says = f"the number of accreted stars of {survey} can be told from carried probabilities"
        unit = "from the true number"
        claims.append(near(says, value - 1.0, error, paper=paper, within=_CLOSE, unit=unit, why=why))
    return claims


EXPERIMENT = Experiment(
    name="E18",
    title="Calibration",
    source="beyond the paper",
    finding=(
        "A score is no probability: the loss weighs the classes. Curves fitted to stars of one galaxy make it one "
        "there; on another galaxy, of another share of accreted stars, that has to be seen."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=lambda settings: settings.data.target.surveys[:2],
)
