"""The command line: a line or two a command; heavy packages are imported where they are needed."""

import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exsitu import SILENCE, __version__
from exsitu.cli_compare import compare
from exsitu.cli_errors import DEBUG
from exsitu.cli_experiments import experiment, report
from exsitu.cli_help import EXIT_CODES, Group, end_in_order
from exsitu.cli_mocks import mocks
from exsitu.cli_operations import completion, doctor, down, outcome, status, ui, up, watch
from exsitu.cli_paths import (
    ADAPTED,
    BUILD,
    CHAMPION,
    DATA,
    EVALUATION,
    FILE,
    FOLDER,
    GATES,
    MODELS,
    PARTICLES,
    PRETRAINED,
    RELEASES,
    SAMPLES,
    SUITES,
    TABLE,
    TABLE_OR_FOLDER,
    TRANSFERRED,
)
from exsitu.environment import prepare_command
from exsitu.errors import SettingsError

if TYPE_CHECKING:
    from exsitu.settings import Settings


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    package = logging.getLogger("exsitu")
    package.handlers[:] = [handler]
    package.setLevel(logging.INFO)
    package.propagate = False


def _done(wrote: Path, then: str) -> None:
    click.echo(f"wrote {wrote}; next: {then}", err=True)


@click.group(
    cls=Group, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__)
@click.option(
    "--params", type=FILE, help="Settings to read.  [default: params.yaml, and where there is none exsitu's own]"
)
@click.option(
    "--profile",
    help="Profile to use instead of the settings' own; it, --params and --debug may stand anywhere.",
)
@click.option("--debug", is_flag=True, help=f"End an unexpected error in its traceback, as {DEBUG}=1 does.")
@click.pass_context
def main(ctx: click.Context, *, params: Path | None, profile: str | None, debug: bool) -> None:
    """
    From Gaia surveys to a trustworthy catalog of accreted (ex situ) stars.

    `make catalog` runs the whole way; `dvc repro` runs what is stale of it; `exsitu status` says what that is.
    """
    os.environ.update({name: value for name, value in SILENCE.items() if name not in os.environ})
    prepare_command()
    if debug:
        os.environ[DEBUG] = "1"
    _log_to_stderr()
    end_in_order()
    ctx.obj = (params, profile)


def _settings(ctx: click.Context) -> "Settings":
    from exsitu.settings import load_settings

    params, profile = ctx.obj
    return load_settings(params, profile)


_truncated = click.option("--allow-truncated", is_flag=True, help="Take a file that states that rows are missing.")
_table = click.option("--table", help="Name or number of the table, where the file has several.")
_progress = click.option("--progress/--no-progress", default=True, help="Show progress bars.")


@main.command()
@click.option("--output", type=FOLDER, default=DATA, show_default=True, help="Folder to make.")
@_progress
@click.pass_context
def data(ctx: click.Context, *, output: Path, progress: bool) -> None:
    """Build or import the surveys; present and current ones are left alone."""
    from exsitu.operations.record import data_on_record
    from exsitu.stages.data import make_data

    if make_data(_settings(ctx), output=output, reports=GATES, suites=SUITES, kept=PARTICLES, progress=progress):
        if output == DATA and (compared := data_on_record(Path())):
            click.echo(f"{output}: {compared}", err=True)
        _done(output, f"dvc add {output}, then exsitu prepare (or dvc repro)")


@main.command()
@click.option("--data", "source", type=FOLDER, default=DATA, show_default=True, help="What `exsitu data` made.")
@click.option("--output", type=FOLDER, default=SAMPLES, show_default=True, help="Folder to write.")
@click.pass_context
def prepare(ctx: click.Context, source: Path, output: Path) -> None:
    """Cut, label and split the surveys into samples."""
    from exsitu.stages.prepare import prepare as run

    run(_settings(ctx), data=source, output=output, reports=GATES, suites=SUITES)
    _done(output, "exsitu pretrain")


@main.command()
@click.option("--samples", type=FOLDER, default=SAMPLES, show_default=True, help="What `exsitu prepare` wrote.")
@click.option("--output", type=FOLDER, default=PRETRAINED, show_default=True, help="Folder to write.")
@_progress
@click.pass_context
def pretrain(ctx: click.Context, *, samples: Path, output: Path, progress: bool) -> None:
    """Train the network on the mock galaxy whose truth is known."""
    from exsitu.stages.pretrain import pretrain as run

    run(_settings(ctx), samples=samples, output=output, runs=BUILD / "runs", progress=progress)
    _done(output, "exsitu transfer VARIANT")


@main.command()
@click.argument("variant")
@click.option("--samples", type=FOLDER, default=SAMPLES, show_default=True, help="What `exsitu prepare` wrote.")
@click.option("--pretrained", type=FOLDER, default=PRETRAINED, show_default=True, help="Model to start from.")
@click.option("--output", type=FOLDER, help="Folder to write.  [default: build/transfer/VARIANT]")
@_progress
@click.pass_context
def transfer(
    ctx: click.Context, variant: str, *, samples: Path, pretrained: Path, output: Path | None, progress: bool
) -> None:
    """Carry the network over to another galaxy by VARIANT, and measure it against that galaxy's truth."""
    from exsitu.stages.transfer import transfer_variant

    output = output or TRANSFERRED / variant
    settings = _settings(ctx)
    transfer_variant(
        settings, variant, samples=samples, pretrained=pretrained, output=output, runs=BUILD / "runs", progress=progress
    )
    _done(output, "the other variants, then exsitu evaluate")


@main.command()
@click.option("--samples", type=FOLDER, default=SAMPLES, show_default=True, help="What `exsitu prepare` wrote.")
@click.option("--variants", type=FOLDER, default=TRANSFERRED, show_default=True, help="Folder of the variants.")
@click.option("--output", type=FOLDER, default=EVALUATION, show_default=True, help="Folder to write.")
@click.pass_context
def evaluate(ctx: click.Context, samples: Path, variants: Path, output: Path) -> None:
    """Compare the transfer variants, choose one and its score cut, and say whether it may be promoted."""
    from exsitu.stages.evaluate import evaluate as run

    run(_settings(ctx), samples=samples, variants=variants, output=output, runs=BUILD / "runs")
    _done(output, "exsitu compare, exsitu adapt")


@main.command()
@click.option("--variant", help="Recipe to apply instead of the best.")
@click.option("--stars", type=TABLE, multiple=True, help="Labelled stars to use instead of the sample.")
@_truncated
@click.option("--samples", type=FOLDER, default=SAMPLES, show_default=True, help="What `exsitu prepare` wrote.")
@click.option("--pretrained", type=FOLDER, default=PRETRAINED, show_default=True, help="Model to start from.")
@click.option("--evaluation", type=FOLDER, default=EVALUATION, show_default=True, help="What `exsitu evaluate` wrote.")
@click.option("--output", type=FOLDER, default=ADAPTED, show_default=True, help="Folder to write.")
@_progress
@click.pass_context
def adapt(
    ctx: click.Context,
    *,
    variant: str | None,
    stars: tuple[Path, ...],
    allow_truncated: bool,
    samples: Path,
    pretrained: Path,
    evaluation: Path,
    output: Path,
    progress: bool,
) -> None:
    """Apply the winning recipe to the Milky Way's own stars with spectra: this is the model that can be promoted."""
    from exsitu.stages.adapt import adapt as run

    run(
        _settings(ctx),
        variant=variant,
        stars=stars,
        allow_truncated=allow_truncated,
        samples=samples,
        pretrained=pretrained,
        evaluation=evaluation,
        output=output,
        runs=BUILD / "runs",
        progress=progress,
    )
    _done(output, f"exsitu promote --model {output}")


@main.command()
@click.option("--model", type=FOLDER, default=ADAPTED, show_default=True, help="Adapted model to promote.")
@click.option("--run", "run_id", help="MLflow run of an adapted model to promote instead.")
@click.option("--to", "version", help="Go back to this version, which was champion before; no criterion is asked.")
@click.option("--dry-run", is_flag=True, help="Print each criterion with its numbers, and change nothing.")
@click.option("--force", is_flag=True, help="Promote even if a criterion fails; needs --reason.")
@click.option("--commit", is_flag=True, help="Write what was promoted here into champion.json and its log, for git.")
@click.option("--reason", help="Why, for the log promotions.jsonl.")
@click.option("--name", help="Registered model to promote in.  [default: tracking.model_name of params.yaml]")
@click.option("--samples", type=FOLDER, default=SAMPLES, show_default=True, help="What `exsitu prepare` wrote.")
@click.option("--champion", type=FILE, default=CHAMPION, show_default=True, help="File that names the champion.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_context
def promote(
    ctx: click.Context,
    *,
    model: Path,
    run_id: str | None,
    version: str | None,
    dry_run: bool,
    force: bool,
    commit: bool,
    reason: str | None,
    name: str | None,
    samples: Path,
    champion: Path,
    as_json: bool,
) -> None:
    """
    Make an adapted model the champion, if it passes what params.yaml asks under `promotion`.

    It is champion in this checkout, until --commit writes it into champion.json and promotions.jsonl, which git carries
    to others.

    Exit codes: 0 promoted (or would be), 3 refused by a criterion, 1 another error, 2 wrong arguments.
    """
    if force and not (reason or "").strip():
        raise SettingsError("--force needs --reason TEXT: the log must say why a criterion was overruled")
    if version is not None and (run_id is not None or dry_run or force):
        raise SettingsError("--to goes back to an old champion: give it without --run, --dry-run and --force")
    if commit:
        if version is not None or run_id is not None or dry_run or force or reason is not None:
            raise SettingsError("--commit writes what was promoted here: give it alone")
        from exsitu.registry import commit as write_champion

        click.echo(f"{champion} names {write_champion(_settings(ctx).tracking, champion)}")
        _done(champion, f"git commit {champion} and its log")
        return
    from exsitu.stages.promote import promote as run
    from exsitu.stages.promote import rollback

    files: dict[str, Any] = {"name": name, "champion_file": champion, "models": MODELS, "reason": reason}
    if version is not None:
        found = rollback(_settings(ctx), version, **files)
    else:
        found = run(
            _settings(ctx), model=model, run_id=run_id, runs=BUILD / "runs", samples=samples, dry_run=dry_run,
            force=force, **files,
        )  # fmt: skip
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else found.text())
    if found.promoted:
        click.echo("next: exsitu release SURVEY", err=True)
    ctx.exit(3 if found.refused else 0)


@main.command()
@click.argument("survey")
@click.option("--input", "path", type=TABLE, help="File of the survey (- is standard input), if not in params.yaml.")
@_table
@click.option("--release", "data_release", help="Data release of that file, such as gaia_dr3; guessed otherwise.")
@click.option("--drop-repeats", is_flag=True, help="Keep the first of rows that share a source_id.")
@_truncated
@click.option("--allow-empty", is_flag=True, help="Publish the scores even where no star is selected.")
@click.option("--allow-doubts", is_flag=True, help="Publish even where gates doubt that columns are what they say.")
@click.option("--version", help="Version to write.  [default: the next of the survey]")
@click.option("--releases", type=FOLDER, default=RELEASES, show_default=True, help="Folder of releases.")
@click.option("--champion", type=FILE, default=CHAMPION, show_default=True, help="File that names the champion.")
@_progress
@click.pass_context
def release(
    ctx: click.Context,
    *,
    survey: str,
    path: Path | None,
    table: str | None,
    data_release: str | None,
    drop_repeats: bool,
    allow_truncated: bool,
    allow_empty: bool,
    allow_doubts: bool,
    version: str | None,
    releases: Path,
    champion: Path,
    progress: bool,
) -> None:
    """
    Score SURVEY with the champion and publish a versioned catalog; a current one is left alone.

    Gates look at all stars of the survey. Of which data release it is, and whether its stars are mock stars, is read
    from the file; what contradicts that is refused.
    """
    from exsitu.stages.release import release as run

    settings = _settings(ctx)
    wrote = run(
        settings,
        survey,
        path=path,
        table=table,
        data_release=data_release,
        drop_repeats=drop_repeats,
        allow_truncated=allow_truncated,
        allow_empty=allow_empty,
        allow_doubts=allow_doubts,
        version=version,
        releases=releases,
        champion_file=champion,
        models=MODELS,
        suites=SUITES,
        reports=GATES,
        progress=progress,
    )
    _done(wrote, f"exsitu verify {wrote}")


@main.command()
@click.argument("folder", type=FOLDER)
@click.option("--audit", is_flag=True, help="Compare with the survey's truth, where the settings name one.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_context
def verify(ctx: click.Context, folder: Path, *, audit: bool, as_json: bool) -> None:
    """Re-check everything in a release FOLDER."""
    from exsitu.stages.verify import verify as run

    outcome = run(_settings(ctx), folder, audit=audit, suites=SUITES)
    click.echo(json.dumps(outcome.as_dict(), indent=2) if as_json else outcome.text())
    ctx.exit(0 if outcome.passed else 1)


@main.command()
@click.option(
    "--input", "path", type=TABLE_OR_FOLDER, required=True,
    help="Stars, in any format exsitu reads (- is standard input), or as HATS.",
)  # fmt: skip
@_table
@click.option("--output", type=FOLDER, help="File to write, as .parquet, .fits, .vot, .ecsv or .csv (of HATS: folder).")
@click.option("--keep", help="Columns of the input to write beside the scores: all, or A,B,…")
@click.option("--release", "data_release", help="Data release of the file, such as gaia_dr3; guessed otherwise.")
@click.option("--model", type=FOLDER, help="Model folder to use instead of the champion.")
@click.option("--cut", type=click.FloatRange(0, 1), help="Score cut to count with instead of the champion's.")
@click.option("--allow-missing-errors", is_flag=True, help="Score stars without a parallax error, uncut and flagged.")
@click.option("--draws", type=click.IntRange(0), default=0, show_default=True, help="Draws of the errors for a spread.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@click.option("--champion", type=FILE, default=CHAMPION, show_default=True, help="File that names the champion.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@click.pass_context
def score(
    ctx: click.Context,
    *,
    path: Path,
    table: str | None,
    output: Path | None,
    keep: str | None,
    data_release: str | None,
    model: Path | None,
    cut: float | None,
    allow_missing_errors: bool,
    draws: int,
    seed: int,
    champion: Path,
    as_json: bool,
) -> None:
    """
    Score any table of stars with the champion.

    A score orders stars; it is no probability. Warnings say where the table cannot be what its columns are called.
    """
    from exsitu.stages.score import score as run

    counts = run(
        _settings(ctx),
        path,
        table=table,
        output=output,
        keep=keep,
        data_release=data_release,
        model=model,
        cut=cut,
        allow_missing_errors=allow_missing_errors,
        draws=draws,
        seed=seed,
        champion_file=champion,
        models=MODELS,
    )
    if as_json:
        click.echo(json.dumps(counts))
    else:
        share = 100 * counts["selected"] / max(1, counts["scored"])
        click.echo(
            f"{counts['rows']} rows, {counts['scored']} scored, "
            f"{counts['selected']} with S > {counts['cut']:.2f} ({share:.2f} % of the scored)"
        )
        flags = ", ".join(f"{number} {name}" for name, number in counts["flags"].items() if number)
        click.echo(f"flags: {flags or 'none'}")
        for note in counts["notes"]:
            click.echo(f"note: {note}")
    _warn(path, counts["cautions"], counts["warnings"])


def _warn(path: Path, cautions: Sequence[str], warnings: Sequence[str]) -> None:
    for warning in (*cautions, *(f"{path}: {warning}" for warning in warnings)):
        click.secho(f"WARNING: {warning}", err=True, fg="red", bold=True)
    if warnings:
        click.secho("WARNING: do not trust these scores before that is put right", err=True, fg="red", bold=True)


@main.command()
@click.option("--output", type=FOLDER, default=SUITES, show_default=True, help="Folder to write.")
def expectations(output: Path) -> None:
    """Write the expectation suites anew from the registry of columns."""
    from exsitu.gates import write_suites

    write_suites(output)
    _done(output, "git diff, and make test")


@main.command()
def columns() -> None:
    """Print the data model as Markdown, made from the registry of columns."""
    from exsitu.columns import page

    click.echo(page(), nl=False)


for command in (compare, experiment, report, mocks, up, down, status, doctor, ui, watch, outcome, completion):
    main.add_command(command)

if __name__ == "__main__":
    main()
