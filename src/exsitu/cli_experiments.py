"""The commands `exsitu experiment` and `exsitu report`."""

from pathlib import Path

import click

from exsitu.cli_paths import DATA, EXPERIMENTS, FOLDER, REPORTS
from exsitu.errors import SettingsError


@click.command()
@click.argument("names", nargs=-1, metavar="[E1 E2 ... | all]")
@click.option("--list", "listed", is_flag=True, help="Say what there is, and what has been run.")
@click.option("--seeds", type=click.IntRange(1), help="Networks of each kind.  [default: params]")
@click.option("--again", is_flag=True, help="Measure and draw anew what is current; no network is trained twice.")
@click.option("--processes", type=click.IntRange(1), help="At most so many at a time.  [default: one a core]")
@click.option("--data", type=FOLDER, default=DATA, show_default=True, help="What `exsitu data` made.")
@click.option("--output", type=FOLDER, default=EXPERIMENTS, show_default=True, help="Folder of all experiments.")
@click.option("--progress/--no-progress", default=True, help="Show progress bars.")
@click.pass_context
def experiment(
    ctx: click.Context,
    *,
    names: tuple[str, ...],
    listed: bool,
    seeds: int | None,
    again: bool,
    processes: int | None,
    data: Path,
    output: Path,
    progress: bool,
) -> None:
    """
    Run the paper's experiments and those beyond it: train, measure, draw, compare.

    What was finished is left alone, so a run that was stopped goes on where it was.
    """
    if not names and not listed:
        raise SettingsError("name experiments, such as E6, or all; `exsitu experiment --list` says what there is")
    from exsitu.experiments.registry import chosen

    experiments = chosen(names or ("all",))
    if listed:
        for known in experiments:
            done = "run" if (output / known.name / "results.json").is_file() else ""
            click.echo(f"{known.name:4} {known.title:28} {known.source:36} {done}".rstrip())
        return
    from exsitu.experiments.run import run_experiments
    from exsitu.settings import load_settings

    settings = load_settings(*ctx.obj)
    if seeds is not None:
        settings = settings.model_copy(update={"experiments": settings.experiments.model_copy(update={"seeds": seeds})})
    wrote = run_experiments(
        settings, experiments, data=data, kept=output, again=again, processes=processes, progress=progress
    )
    click.echo(f"wrote {', '.join(str(folder) for folder in wrote)}; next: exsitu report", err=True)


@click.command()
@click.option(
    "--experiments", type=FOLDER, default=EXPERIMENTS, show_default=True, help="What `exsitu experiment` wrote."
)
@click.option("--output", type=FOLDER, default=REPORTS, show_default=True, help="Folder to write.")
def report(experiments: Path, output: Path) -> None:
    """Set paper and results side by side, on one page of HTML and in Markdown."""
    from exsitu.experiments.report import write_report

    wrote = write_report(experiments, output)
    click.echo(f"wrote {output}; next: open {wrote}", err=True)
