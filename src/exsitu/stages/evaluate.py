"""The stage ``evaluate``: compare the variants, choose one and its cut, and validate it on another viewpoint."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from exsitu import tracking
from exsitu.evaluation.metrics import roc, selection_counts, shortfalls, summary
from exsitu.provenance import publish_folder, read_record, sha256_file, write_json
from exsitu.settings import Settings
from exsitu.stages.kept_scores import SCORES
from exsitu.stages.learning import parameters
from exsitu.stages.sampled import sample_scores
from exsitu.tables import read_parquet

log = logging.getLogger(__name__)

REPORT = "comparison.html"
"""The comparison report among the artefacts of the evaluation's run, in the folder ``report``."""

_COLUMNS = (
    "variant",
    "sum_chi2",
    "cut",
    "purity",
    "efficiency_accreted",
    "efficiency_in_situ",
    "auc",
    "efficiency_accreted_at_1pct",
    "passed",
)


def evaluate(settings: Settings, *, samples: Path, variants: Path, output: Path, runs: Path) -> None:
    """
    Compare the variants and choose the one of least sum_chi2 that passes.

    Parameters
    ----------
    settings : Settings
        Evaluation and its acceptance limits.
    samples : Path
        What ``prepare`` wrote; ``target/test`` measured the variants, ``holdout/test`` validates the winner.
    variants : Path
        Folder with one folder a variant, as ``transfer`` wrote them.
    output : Path
        Folder to write: ``evaluation.json``, ``metrics.json``, ``comparison.csv`` and figures.
    runs : Path
        Folder of the ids of MLflow runs: those of the variants are put below the one of the evaluation, which keeps
        the comparison report.

    Raises
    ------
    InputError
        If a variant named in the settings is missing.
    """
    measured = {name: _measured(variants / name, settings) for name in settings.transfer.variants}
    passing = [name for name, metrics in measured.items() if metrics["passed"]]
    best = min(passing or measured, key=lambda name: measured[name]["sum_chi2"])
    outcome = {
        "target": settings.data.target.surveys[0],
        "variants": measured,
        "best": best,
        "passed": bool(passing),
        "acceptance": settings.evaluation.acceptance.model_dump(),
        "holdout": _validate(settings, samples, variants / best, measured[best]["cut"]),
    }
    with publish_folder(output, replace=True) as folder:
        write_json(folder / "evaluation.json", outcome)
        write_json(folder / "metrics.json", {"best": measured[best], "holdout": outcome["holdout"]})
        comparison(outcome).to_csv(folder / "comparison.csv", index=False, lineterminator="\n")
        _draw(settings, samples, variants, outcome, folder)
    _track(settings, outcome, samples, variants, output, runs)
    log.info("%s", comparison_text(outcome))


def _measured(folder: Path, settings: Settings) -> dict[str, Any]:
    metrics = read_record(folder / "metrics.json", made_by=f"exsitu transfer {folder.name}")
    reasons = shortfalls(metrics, settings.evaluation.acceptance)
    return {**metrics, "passed": not reasons, "reasons": reasons}


def _track(
    settings: Settings, outcome: Mapping[str, Any], samples: Path, variants: Path, output: Path, runs: Path
) -> None:
    """Record the evaluation as the parent of the variants' runs, with the report; DVC's output is the same without."""
    from exsitu.stages.compare import compare
    from exsitu.stages.comparison_page import write_comparison

    best = outcome["variants"][outcome["best"]]
    told = {"stage": "evaluate", "variant": outcome["best"], "passed": outcome["passed"]}
    with tracking.start_run(
        settings.tracking,
        "transfer",
        "evaluate",
        params=parameters(settings, "evaluate"),
        tags=told,
        data={"target_test": sha256_file(samples / "target" / "test.parquet")},
    ) as run:
        of_best = {name: value for name, value in best.items() if isinstance(value, int | float)}
        run.log_metrics(of_best | {f"holdout_{name}": value for name, value in outcome["holdout"].items()})
        run.log_files(sorted(p for p in output.iterdir() if p.suffix in {".csv", ".json"}))
        for picture in sorted(output.glob("*.png")):
            run.log_figure(picture)
        folders = [str(variants / name) for name in outcome["variants"]]
        found = compare(settings, folders, samples=samples, sample="target", variants=variants)
        with tempfile.TemporaryDirectory(prefix="exsitu-report-") as folder:
            write_comparison(found, Path(folder) / REPORT)
            run.log_files([Path(folder) / REPORT], "report")
        names = {f"transfer-{variant}" for variant in outcome["variants"]}
        run.adopt(run_id for name, run_id in run_ids(runs).items() if name in names)
    write_json(runs / "evaluate.json", {"run_id": run.run_id})


def _validate(settings: Settings, samples: Path, model: Path, cut: float) -> dict[str, Any]:
    """Measure the winner at its cut on a viewpoint that took no part in choosing it (the paper's Sec. 7.3)."""
    path = samples / "holdout" / "test.parquet"
    if not path.is_file():
        return {}
    from exsitu.model.network import load_model

    stars = read_parquet(path)
    network, card = load_model(model)
    scores = sample_scores(network, card, stars)
    velocities = stars[["v_r", "v_phi", "v_z"]].to_numpy()
    return summary(scores, stars["accreted"].to_numpy(), velocities, settings.evaluation, cut=cut)


def read_evaluation(folder: Path) -> dict[str, Any]:
    """
    Read what ``evaluate`` found.

    Parameters
    ----------
    folder : Path
        The stage's output.

    Returns
    -------
    dict
        ``variants`` (metrics by variant), ``best``, ``passed``, ``holdout``.

    Raises
    ------
    InputError
        If nothing was evaluated yet.
    """
    return read_record(folder / "evaluation.json", "variants", "best", "passed", made_by="exsitu evaluate")


def comparison(outcome: Mapping[str, Any]) -> pd.DataFrame:
    """
    Transfer variants as a table.

    Parameters
    ----------
    outcome : mapping
        As `read_evaluation` returns it.

    Returns
    -------
    DataFrame
        One row a variant.
    """
    return pd.DataFrame([{name: row[name] for name in _COLUMNS} for row in outcome["variants"].values()])


def comparison_text(outcome: Mapping[str, Any]) -> str:
    """
    Transfer variants as text for people, the best named.

    Parameters
    ----------
    outcome : mapping
        As `read_evaluation` returns it.

    Returns
    -------
    str
        Several lines.
    """
    header = f"{'variant':<15}{'sum_chi2 x100':>14}{'cut':>7}{'purity':>9}{'eps_A':>8}{'eps_I':>9}{'AUC':>8}  passed"
    lines = [header]
    for name, row in outcome["variants"].items():
        lines.append(
            f"{name:<15}{100 * row['sum_chi2']:>14.3f}{row['cut']:>7.2f}{100 * row['purity']:>8.1f}%"
            f"{100 * row['efficiency_accreted']:>7.1f}%{100 * row['efficiency_in_situ']:>8.3f}%{row['auc']:>8.4f}"
            f"  {'yes' if row['passed'] else 'no: ' + '; '.join(row['reasons'])}"
        )
    best = outcome["variants"][outcome["best"]]
    remark = "" if outcome["passed"] else " (no variant passes)"
    lines.append(f"best: {outcome['best']} at S > {best['cut']:.2f}{remark}")
    if held := outcome["holdout"]:
        lines.append(
            f"on the held-out viewpoint: purity {100 * held['purity']:.1f} %, eps_A "
            f"{100 * held['efficiency_accreted']:.1f} %, sum_chi2 {held['sum_chi2']:.5f}, AUC {held['auc']:.4f}"
        )
    return "\n".join(lines)


def run_ids(runs: Path) -> dict[str, str]:
    """
    MLflow runs of what is on disk.

    Parameters
    ----------
    runs : Path
        Folder in which the stages leave the ids of their runs.

    Returns
    -------
    dict of str to str
        Run id by stage: ``pretrain``, ``transfer-zm_last``, …, ``evaluate``, ``adapted``.
    """
    notes = {path.stem: read_record(path, "run_id", made_by="dvc repro") for path in sorted(runs.glob("*.json"))}
    return {name: str(note["run_id"]) for name, note in notes.items()}


def _draw(settings: Settings, samples: Path, variants: Path, outcome: Mapping[str, Any], folder: Path) -> None:
    from exsitu.evaluation import figures

    test = read_parquet(samples / "target" / "test.parquet")
    accreted = test["accreted"].to_numpy()
    files = {name: variants / name / SCORES for name in outcome["variants"]}
    scores = {name: read_parquet(path)["score"].to_numpy() for name, path in files.items()}
    best, cut = outcome["best"], outcome["variants"][outcome["best"]]["cut"]
    seen = test["radial_velocity"].notna().to_numpy()
    points = {name: _point(test[f"label_{name.lower()}"].to_numpy()[seen], accreted[seen]) for name in ("VM", "ZM")}
    curves = {name: roc(score, accreted) for name, score in scores.items()}
    figures.save_figure(figures.roc_figure(curves, points), folder / "roc.png")
    figures.save_figure(figures.comparison_figure(comparison(outcome)), folder / "comparison.png")
    velocities = test[["v_r", "v_phi", "v_z"]].to_numpy()
    selected = scores[best] > cut
    name, bins = f"S > {cut:.2f}", settings.evaluation.velocity_bins
    figure = figures.velocity_figure(velocities[accreted], {f"{best}, {name}": velocities[selected]}, bins)
    figures.save_figure(figure, folder / "velocities.png")
    panels = {"in situ": ~accreted, "accreted": accreted, name: selected}
    components = {title: tuple(velocities[chosen].T) for title, chosen in panels.items()}
    figures.save_figure(figures.toomre_figure(components, settings.labels.v_lsr_kms), folder / "toomre.png")


def _point(selected: Any, accreted: Any) -> tuple[float, float]:
    found = selection_counts(selected, accreted)
    return found.efficiency_accreted, found.efficiency_in_situ
