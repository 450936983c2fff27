"""Run experiments: train what is missing, measure, draw, hold against the paper, write.

What is finished stays finished: trials by their key, results by the digest of all that decides them. A run that is
stopped, however it is stopped, loses what it did since the last epoch.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from exsitu import tracking
from exsitu.errors import InputError
from exsitu.experiments.bench import Bench
from exsitu.experiments.experiment import Claim, Experiment, Measured
from exsitu.experiments.samples import POPULATION, Surveys
from exsitu.experiments.training import is_finished, key_of, train_trial
from exsitu.experiments.trial import Trial, in_order
from exsitu.parallel import Job, run_jobs
from exsitu.provenance import publish_folder, read_json, sha256_json, sha256_tree, write_json
from exsitu.settings import Settings
from exsitu.stages.data_record import verify_data

log = logging.getLogger(__name__)

RESULTS = "results.json"
_PACKAGE = Path(__file__).parents[1]
_CODE = ("experiments/*.py", "evaluation/*.py")
_NOT_ASKED = {"profile", "surveys", "tracking", "milky_way", "chunk_rows"}


def run_experiments(
    settings: Settings,
    experiments: Sequence[Experiment],
    *,
    data: Path,
    kept: Path,
    again: bool = False,
    processes: int | None = None,
    progress: bool = True,
) -> list[Path]:
    """
    Run experiments together: what several of them train is trained once.

    Parameters
    ----------
    settings : Settings
        All settings; `experiments.seeds` networks of each trial, more where an experiment needs more.
    experiments : sequence of Experiment
        Which.
    data : Path
        What the stage ``data`` wrote.
    kept : Path
        Folder of all experiments; a folder is written for each, beside ``trials/`` and ``surveys/``.
    again : bool
        Measure anew what is current. Trials are never trained twice.
    processes : int, optional
        At most so many; one a core by default.
    progress : bool
        Show one view of all trainings.

    Returns
    -------
    list of Path
        Folder of each experiment: ``results.json``, ``metrics.json``, a CSV a table, a PNG a figure.

    Raises
    ------
    InputError
        If the data are not as they were made, or a training fails; the other trainings are finished first.
    """
    # Taken now: who edits the code while networks train gets results of the code that ran.
    decided = {"data": verify_data(data, settings), "code": [sha256_tree(_PACKAGE, pattern) for pattern in _CODE]}
    trials = {e.name: e.trials(settings) for e in experiments}
    seeded = {e.name: e.seeded(settings) for e in experiments}
    wanted = [
        trial.with_seed(seed)
        for name, found in trials.items()
        for trial in found.values()
        for seed in range(seeded[name].experiments.seeds)
    ]
    read = {name for trial in wanted for step in trial.lineage() for name in step.surveys}
    read |= {name for e in experiments for name in e.surveys(settings)}
    surveys = Surveys(settings, data, kept)
    _make_population(settings, kept, read, progress=progress)
    _keep_surveys(settings, data, kept, sorted(read), processes, progress=progress)
    _train(settings, wanted, surveys, data, kept, processes, progress=progress)
    folders = []
    for experiment in experiments:
        bench = Bench(seeded[experiment.name], surveys, kept, trials[experiment.name])
        folders.append(_measured(experiment, bench, decided, kept / experiment.name, again=again))
    return folders


def _make_population(settings: Settings, kept: Path, surveys: set[str], *, progress: bool) -> None:
    """Galaxies drawn from the priors, up to the last that is asked for; those that are there are left alone."""
    asked = [name.split("/") for name in surveys if name.startswith(f"{POPULATION}/")]
    if not asked:
        return
    from exsitu.mocks.population.make import make_population

    make_population(
        kept / POPULATION / "mocks",
        count=1 + max(int(number) for _, number, _ in asked),
        seed=settings.data.galaxy_seed,
        stars_per_viewpoint=settings.experiments.population_stars,
        viewpoints=(0,),
        max_fractional_parallax_error=settings.quality.max_fractional_parallax_error,
        progress=progress,
    )


def _keep_survey(survey: str, settings: Settings, data: Path, kept: Path) -> None:
    Surveys(settings, data, kept).stars(survey)


def _keep_surveys(
    settings: Settings, data: Path, kept: Path, names: Sequence[str], processes: int | None, *, progress: bool
) -> None:
    """Cut and label each survey once, before trainings would all do it at the same time."""
    surveys = Surveys(settings, data, kept)
    jobs = [
        Job(f"survey {name}", _keep_survey, {"survey": name, "settings": settings, "data": data, "kept": kept})
        for name in names
        if not surveys.is_kept(name)
    ]
    run_jobs(jobs, processes=processes, progress=progress)


def _train(
    settings: Settings,
    wanted: Sequence[Trial],
    surveys: Surveys,
    data: Path,
    kept: Path,
    processes: int | None,
    *,
    progress: bool,
) -> None:
    rounds = in_order(wanted)
    every = {trial: key_of(trial, settings, surveys) for trials in rounds for trial in trials}
    missing = sum(not is_finished(kept, key) for key in every.values())
    log.info("%d networks, %d of them to train", len(every), missing)
    for trials in rounds:
        jobs = [
            Job(
                f"{trial.says} [{every[trial][:6]}]",
                train_trial,
                {"trial": trial, "settings": settings, "data": data, "kept": kept},
            )
            for trial in trials
            if not is_finished(kept, every[trial])
        ]
        run_jobs(jobs, processes=processes, progress=progress)


def identity_of(experiment: Experiment, bench: Bench, decided: Mapping[str, Any]) -> str:
    """
    Digest of all that decides an experiment's results.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    bench : Bench
        Its networks.
    decided : mapping
        Digests of the data and of the code that measures.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return sha256_json(
        {
            "experiment": experiment.name,
            "trials": {label: bench.keys(label) for label in bench.trials},
            "settings": bench.settings.model_dump(mode="json", exclude=_NOT_ASKED),
            **decided,
        }
    )


def _measured(experiment: Experiment, bench: Bench, decided: Mapping[str, Any], folder: Path, *, again: bool) -> Path:
    identity = identity_of(experiment, bench, decided)
    if not again and (folder / RESULTS).is_file() and read_json(folder / RESULTS)["identity"] == identity:
        log.info("%s is present and current: left alone", folder)
        return folder
    log.info("%s %s: measuring", experiment.name, experiment.title)
    measured = experiment.measure(bench)
    claims = list(experiment.claims(measured.tables))
    with publish_folder(folder, replace=True) as staged:
        _write(staged, experiment, bench, measured, claims, identity)
        _track(experiment, bench, staged)
    for claim in claims:
        log.info("%s  %s: %s (paper: %s)", f"{claim.verdict:17}", claim.statement, claim.here, claim.paper)
    return folder


def _write(
    folder: Path, experiment: Experiment, bench: Bench, measured: Measured, claims: Sequence[Claim], identity: str
) -> None:
    from exsitu.evaluation.style import save_figure

    for name, table in measured.tables.items():
        table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", float_format="%.8g")
    figures = experiment.draw(measured, bench.settings)
    for name, figure in figures.items():
        save_figure(figure, folder / f"{name}.png")
    write_json(folder / "metrics.json", _numbers(next(iter(measured.tables.values()))))
    write_json(
        folder / RESULTS,
        {
            "experiment": experiment.name,
            "title": experiment.title,
            "source": experiment.source,
            "finding": experiment.finding,
            "profile": bench.settings.profile,
            "seeds": bench.settings.experiments.seeds,
            "identity": identity,
            "claims": [_plain({**asdict(c), "here": c.here}) for c in claims],
            "notes": [note for note in (*measured.notes, bench.cut_short()) if note],
            "tables": list(measured.tables),
            "figures": list(figures),
            "trials": {label: bench.keys(label) for label in bench.trials},
        },
    )


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Cells as JSON holds them: NaN and infinity become null."""
    return {str(k): None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def _numbers(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The main table by its rows, numbers alone, for DVC's metrics."""
    names = table[table.columns[0]].astype(str)
    rows = table.select_dtypes("number").astype(float).to_dict("records")
    return {name: _plain(dict(row)) for name, row in zip(names, rows, strict=True)}


def _track(experiment: Experiment, bench: Bench, folder: Path) -> None:
    """One MLflow experiment an experiment: a run of it, and below that a run a network."""
    settings = bench.settings
    told = settings.model_dump(mode="json", include={"profile", "seed", "training", "experiments", "evaluation"})
    with tracking.start_run(settings.tracking, experiment.name, experiment.name, params=told) as run:
        for name, row in read_json(folder / "metrics.json").items():
            prefix = "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)
            run.log_metrics({f"{prefix}/{k}": v for k, v in row.items() if v is not None})
        run.log_files(sorted(p for p in folder.iterdir() if p.suffix in {".csv", ".json"}))
        for picture in sorted(folder.glob("*.png")):
            run.log_figure(picture)
        for label in bench.trials:
            for seed, network in enumerate(bench.folders(label)):
                _track_network(experiment, settings, label, seed, network, run.run_id)


def _track_network(
    experiment: Experiment, settings: Settings, label: str, seed: int, folder: Path, parent: str
) -> None:
    about = read_json(folder / "trial.json")
    name = "".join(c if c.isalnum() or c in "_.+()- " else "-" for c in f"{label} seed {seed}")[:100]
    params = {"trial": about["trial"], "key": about["key"]}
    with tracking.start_run(settings.tracking, experiment.name, name, params=params, parent=parent) as run:
        run.log_metrics({k: v for k, v in about.items() if isinstance(v, int | float)})
        if (folder / "history.csv").is_file():
            run.log_epochs(pd.read_csv(folder / "history.csv").drop(columns="best"))


def read_results(kept: Path) -> dict[str, dict[str, Any]]:
    """
    Results of the experiments that were run.

    Parameters
    ----------
    kept : Path
        Folder of all experiments.

    Returns
    -------
    dict of str to dict
        ``results.json`` of each, by name, in the order of the report.

    Raises
    ------
    InputError
        If none was run yet.
    """
    from exsitu.experiments.registry import EXPERIMENTS

    found = {name: kept / name / RESULTS for name in EXPERIMENTS}
    results = {name: read_json(path) for name, path in found.items() if path.is_file()}
    if not results:
        raise InputError(f"no results in {kept}; run `exsitu experiment all` first")
    return results
