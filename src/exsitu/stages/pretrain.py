"""The stage ``pretrain``: a network learns from a mock galaxy whose past is known."""

from pathlib import Path

from exsitu import tracking
from exsitu.evaluation.metrics import summary
from exsitu.provenance import publish_folder, sha256_file, write_json
from exsitu.settings import Settings
from exsitu.stages.learning import (
    Lesson,
    checkpoints_of,
    domain,
    forget_checkpoints,
    labelled_stars,
    learnt_on,
    log_outcome,
    parameters,
    read_sample,
    write_lesson,
)
from exsitu.stages.sampled import plainly, sample_scores, told_of_suns
from exsitu.tables import read_parquet


def pretrain(settings: Settings, *, samples: Path, output: Path, runs: Path, progress: bool = True) -> None:
    """
    Train from scratch, measure on stars set aside, and write the model.

    Parameters
    ----------
    settings : Settings
        Network, training, seed.
    samples : Path
        What ``prepare`` wrote.
    output : Path
        Folder to write: ``weights.npz``, ``model.json``, ``history.csv``, ``metrics.json`` and figures.
    runs : Path
        Folder for the id of the MLflow run.
    progress : bool
        Whether to show progress.

    Raises
    ------
    InputError
        If a sample is missing or holds values that are not finite.
    """
    from exsitu.evaluation import figures
    from exsitu.evaluation.metrics import roc
    from exsitu.model.inputs import input_columns
    from exsitu.model.network import ModelCard, build_network
    from exsitu.model.training import train

    sample = read_sample(samples / "pretraining")
    test_file = samples / "pretraining" / "test.parquet"
    test = read_parquet(test_file)
    chosen = settings.network
    card = ModelCard(
        input_set=chosen.input_set,
        representation=chosen.representation,
        hidden=chosen.hidden,
        domain=domain(sample.training, input_columns(chosen.input_set)),
        provenance={
            "stage": "pretrain",
            "sample_digest": sample.digest,
            "seed": settings.seed,
            "learnt_on": learnt_on(sample.training, input_columns(chosen.input_set)),
        },
    )
    card = told_of_suns(card, sample.training)
    data = {"pretraining": sample.digest, "pretraining_test": sha256_file(test_file)}
    with tracking.start_run(
        settings.tracking,
        "pretraining",
        f"pretrain {chosen.input_set}",
        params=parameters(settings, "pretrain"),
        tags={"stage": "pretrain"},
        data=data,
    ) as run:
        network = build_network(card, seed=settings.seed)
        history = train(
            network,
            *labelled_stars(settings, sample, card, "accreted"),
            settings.training,
            max_epochs=settings.epochs.pretraining,
            seed=settings.seed,
            progress=progress,
            checkpoints=checkpoints_of(settings, output, sample.digest),
        )
        run.log_epochs(history)
        network, card = plainly(network, card, sample.training)
        accreted = test["accreted"].to_numpy()
        scores = sample_scores(network, card, test)
        metrics = summary(scores, accreted, test[["v_r", "v_phi", "v_z"]].to_numpy(), settings.evaluation)
        with publish_folder(output, replace=True) as folder:
            figures.save_figure(figures.roc_figure({chosen.input_set: roc(scores, accreted)}), folder / "roc.png")
            figures.save_figure(figures.score_figure(scores, metrics["cut"], accreted), folder / "scores.png")
            write_lesson(folder, Lesson(network, card, history, metrics), run, test)
    forget_checkpoints(output)
    write_json(runs / "pretrain.json", {"run_id": run.run_id})
    log_outcome(metrics)
