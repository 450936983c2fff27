"""The stage ``transfer``: carry the network over to another galaxy, and measure it against that galaxy's truth."""

from pathlib import Path

import pandas as pd

from exsitu import tracking
from exsitu.columns import nearest
from exsitu.errors import SettingsError
from exsitu.evaluation.metrics import best_cut, scan_cuts, summary
from exsitu.provenance import publish_folder, sha256_file, write_json
from exsitu.settings import Settings
from exsitu.stages.kept_scores import keep_scores
from exsitu.stages.learning import (
    Lesson,
    carry_over,
    forget_checkpoints,
    log_outcome,
    parameters,
    read_sample,
    write_lesson,
)
from exsitu.stages.sampled import sample_scores
from exsitu.tables import read_parquet


def transfer_variant(
    settings: Settings,
    variant: str,
    *,
    samples: Path,
    pretrained: Path,
    output: Path,
    runs: Path,
    progress: bool = True,
) -> None:
    """
    Transfer by one variant, scan the score cut on test stars whose truth is known, and write the model.

    Parameters
    ----------
    settings : Settings
        Transfer, evaluation, seed.
    variant : str
        One of ``transfer.variants``.
    samples : Path
        What ``prepare`` wrote.
    pretrained : Path
        What ``pretrain`` wrote.
    output : Path
        Folder to write: the model, ``history.csv``, ``scan.csv``, ``scores.parquet``, ``metrics.json`` and figures.
    runs : Path
        Folder for the id of the MLflow run.
    progress : bool
        Whether to show progress.

    Raises
    ------
    SettingsError
        If the variant is unknown.
    InputError
        If a sample is missing, not finite, or carries no label.
    """
    from exsitu.evaluation import figures
    from exsitu.model.network import load_model

    known = settings.transfer.variants
    if variant not in known:
        raise SettingsError(f"unknown variant {variant!r}{nearest(variant, known)}; known: {', '.join(known)}")
    sample = read_sample(samples / "transfer")
    test_file = samples / "target" / "test.parquet"
    test, test_sha256 = read_parquet(test_file), sha256_file(test_file)
    network, card = load_model(pretrained)
    with tracking.start_run(
        settings.tracking,
        "transfer",
        f"transfer {variant}",
        params=parameters(settings, "transfer", variant=variant),
        tags={"stage": "transfer", "variant": variant, "pretrained_sha256": card.weights_sha256},
        data={"transfer": sample.digest, "target_test": test_sha256},
    ) as run:
        network, card, history = carry_over(
            settings, network, card, variant, sample, stage="transfer", output=output, progress=progress
        )
        accreted, velocities = test["accreted"].to_numpy(), test[["v_r", "v_phi", "v_z"]].to_numpy()
        scores = sample_scores(network, card, test)
        scan = scan_cuts(scores, accreted, velocities, settings.evaluation.velocity_bins, settings.evaluation.cuts)
        cut = float(best_cut(scan, settings.evaluation.min_selected)["cut"])
        metrics = {"variant": variant, **summary(scores, accreted, velocities, settings.evaluation, cut=cut)}
        with publish_folder(output, replace=True) as folder:
            scan.to_csv(folder / "scan.csv", index=False, lineterminator="\n")
            figures.save_figure(figures.scan_figure(scan, cut), folder / "scan.png")
            figures.save_figure(
                figures.velocity_figure(
                    velocities[accreted],
                    {f"S > {c:.2f}": velocities[scores > c] for c in sorted({0.5, cut})},
                    settings.evaluation.velocity_bins,
                ),
                folder / "velocities.png",
            )
            figures.save_figure(figures.score_figure(scores, cut, accreted), folder / "scores.png")
            write_lesson(folder, Lesson(network, card, history, metrics), run, test)
            keep_scores(folder, test["source_id"], scores, test_sha256)
        run.log_epochs(history)  # after sum_chi2: MLflow's page of runs side by side opens on the first metric
        run.log_epochs(_as_steps(scan))
    forget_checkpoints(output)
    write_json(runs / f"transfer-{variant}.json", {"run_id": run.run_id})
    log_outcome(metrics)


def _as_steps(scan: pd.DataFrame) -> pd.DataFrame:
    """The scan as MLflow's step metrics, a step a per cent of score, so that variants overlay in its charts."""
    usable = scan[scan["selected"] > 0]
    steps = (100 * usable["cut"]).round().astype(int)
    return usable.drop(columns="cut").add_prefix("scan_").assign(epoch=steps)
