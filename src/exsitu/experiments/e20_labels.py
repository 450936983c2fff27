"""E20: transfer against the number of stars with labels, and against labels that are wrong."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from exsitu.experiments.bench import Bench
from exsitu.experiments.common import Judged, minus, pretrained, table_of, transferred
from exsitu.experiments.e06_transfer import LAYERS
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.recipe import REPRESENTATIONS, hundredfold
from exsitu.experiments.trial import Trial
from exsitu.provenance import read_json
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STARS = (200, 1000, 5000, 20_000)
_FLIPPED = (0.001, 0.01, 0.1)
"""Shares of wrong labels. ZM names a few stars in a thousand: one wrong label in a hundred outnumbers them."""
_COLUMNS = ("sum_chi2", "cut", "purity", "efficiency_accreted", "efficiency_accreted_at_1pct")
_CLOSE = 0.1e-2
"""Sums of chi2 this near count as equal: twice what separates the paper's three ZM variants and no transfer."""


def _survey(settings: Settings) -> str:
    return settings.data.target.surveys[0]


def _counts(settings: Settings) -> list[int]:
    """Numbers of stars to learn from that are fewer than all."""
    return [count for count in _STARS if count < settings.experiments.transfer_stars]


def _few(whole: Trial, count: int, flipped: float = 0.0) -> Trial:
    """The transfer on so many stars, stopped by as many others with labels; without both classes it changes nothing."""
    sample = dataclasses.replace(whole.sample, stars=count)
    return dataclasses.replace(whole, sample=sample, validation=sample, flipped=flipped, stays=True)


def _of(settings: Settings, representation: str) -> dict[str, Trial]:
    start = pretrained(settings, representation=representation)
    whole = transferred(start, settings, "label_zm", LAYERS["last"])
    few = {f"{count:,} stars": _few(whole, count) for count in _counts(settings)}
    most = max(_counts(settings))
    wrong = {f"{100 * share:g} % flipped": _few(whole, most, share) for share in _FLIPPED}
    return {"none": start, **few, "all": whole, **wrong}


def _trials(settings: Settings) -> Mapping[str, Trial]:
    return {f"{r}: {name}": trial for r in REPRESENTATIONS for name, trial in _of(settings, r).items()}


def _labelled(bench: Bench, label: str) -> dict[str, float]:
    """Stars whose labels a transfer was given, to learn from and to stop by, and how many are labelled accreted."""
    told = read_json(bench.folders(label)[0] / "trial.json")
    return {
        "labelled": told["training_stars"] + told["validation_stars"],
        "labelled_accreted": told["training_accreted"] + told["validation_accreted"],
        "epochs": told["epochs"],
    }


def _table(
    bench: Bench, judged: Mapping[str, Judged], names: list[str], column: str, values: list[float]
) -> pd.DataFrame:
    """Rows of each representation, in the order of the names, with what they are drawn against."""
    labels = [f"{representation}: {name}" for representation in REPRESENTATIONS for name in names]
    found = table_of({label: judged[label] for label in labels}, _COLUMNS)
    told = pd.DataFrame([_labelled(bench, label) for label in labels])
    if values:
        told[column] = values * len(REPRESENTATIONS)
    group = [label.split(": ")[0] for label in labels]
    return pd.concat([found[["name"]], told, found[found.columns[1:]]], axis=1).assign(group=group)


def _measure(bench: Bench) -> Measured:
    survey, settings = _survey(bench.settings), bench.settings
    judged = {label: bench.judge(label, survey) for label in bench.trials}
    few = [f"{count:,} stars" for count in _counts(settings)]
    wrong = [f"{100 * share:g} % flipped" for share in _FLIPPED]
    clean = few[-1]
    differences: dict[str, Judged] = {}
    for r in REPRESENTATIONS:
        for name in (*few, "all"):
            differences[f"{r}: none less {name}"] = minus(judged[f"{r}: none"], judged[f"{r}: {name}"])
        for name in few:
            differences[f"{r}: {name} less all"] = minus(judged[f"{r}: {name}"], judged[f"{r}: all"])
        for name in wrong:
            differences[f"{r}: {name} less none flipped"] = minus(judged[f"{r}: {name}"], judged[f"{r}: {clean}"])
    tables = {
        "labels": _table(bench, judged, [*few, "all"], "labelled", []),
        "noise": _table(bench, judged, wrong, "flipped", list(_FLIPPED)),
        "levels": table_of(
            {f"{r}: {n}": judged[f"{r}: {n}"] for r in REPRESENTATIONS for n in ("none", clean)}, _COLUMNS
        ),
        "differences": table_of(differences, _COLUMNS),
        "sizes": bench.sizes(),
    }
    return Measured(tables, {}, _notes(tables["labels"], survey, clean))


def _notes(labels: pd.DataFrame, survey: str, clean: str) -> tuple[str, ...]:
    own = labels[labels["group"] == REPRESENTATIONS[0]]
    said = ", ".join(f"{row['labelled_accreted']:,.0f} of {row['labelled']:,.0f}" for _, row in own.iterrows())
    stayed = [str(row["name"]).split(": ")[1] for _, row in own.iterrows() if not row["epochs"]]
    notes = [
        f"labelled accreted, of the stars to learn from and as many to stop by: {said}; tested on {survey}",
        f"labels are flipped where {clean} teach",
    ]
    if stayed:
        notes.append(f"labels of one kind alone, so that the network stays as it was: {', '.join(stayed)}")
    return tuple(notes)


def _levels(tables: Tables, name: str, column: str) -> dict[str, float]:
    return {r: cell(tables["levels"], f"{r}: {name}", column)[0] for r in REPRESENTATIONS}


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import lines_figure

    tables, names = measured.tables, measured.tables["levels"]["name"].astype(str)
    clean = names.iloc[1].split(": ")[1]
    shown = {
        "sum_chi2": r"least $\Sigma\chi^2$",
        "purity": "purity at the best cut",
        "efficiency_accreted": r"$\varepsilon_A$ at the best cut",
    }
    figures = {}
    for column, label in shown.items():
        by_number = {"labelled": "stars with labels  (dotted: no transfer)"}
        by_share = {"flipped": "share of labels flipped  (dotted: none)"}
        figures[f"number_{column}"] = lines_figure(
            tables["labels"], by_number, column, label, levels=_levels(tables, "none", column)
        )
        figures[f"noise_{column}"] = lines_figure(
            tables["noise"], by_share, column, label, levels=_levels(tables, clean, column)
        )
    return figures


def _claims(tables: Tables) -> list[Claim]:
    found, labels = tables["differences"], tables["labels"]
    few = [n.split(": ")[1] for n in labels["name"] if not n.endswith(": all")]
    least, most = few[0], few[len(few) // len(REPRESENTATIONS) - 1]
    claims: list[Claim] = []
    for r in REPRESENTATIONS:
        accreted, _ = cell(labels, f"{r}: {most}", "labelled_accreted")
        why = f"{accreted:,.0f} of the labels say accreted"
        claims += [
            above(f"{r}: all labels bring the velocities nearer to the truth",
                  *hundredfold(cell(found, f"{r}: none less all", "sum_chi2")), paper="0.05, of 200,000 stars",
                  unit="×10⁻² of Σχ² less than without transfer"),
            near(f"{r}: {most} with labels do as well as all",
                 *hundredfold(cell(found, f"{r}: {most} less all", "sum_chi2")),
                 paper="beyond the paper", within=100 * _CLOSE, unit="×10⁻² in Σχ²", why=why),
            above(f"{r}: {least} with labels do no harm",
                  *hundredfold(cell(found, f"{r}: none less {least}", "sum_chi2")),
                  paper="beyond the paper", limit=-100 * _CLOSE, unit="×10⁻² of Σχ² less than without transfer"),
            *(above(f"{r}: wrong labels harm where they are {100 * share:g} % of all",
                    *hundredfold(cell(found, f"{r}: {100 * share:g} % flipped less none flipped", "sum_chi2")),
                    paper="beyond the paper; expected", unit="×10⁻² in Σχ²", why=why) for share in _FLIPPED),
        ]  # fmt: skip
    return claims


EXPERIMENT = Experiment(
    name="E20",
    title="How many labels transfer needs",
    source="beyond the paper",
    finding=(
        "The paper transfers on 200,000 stars and has 348,000 real ones, 849 of them with the ZM label. What fewer "
        "labels are worth, and what wrong ones cost, says how far other surveys could do."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
)
