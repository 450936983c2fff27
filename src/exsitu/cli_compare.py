"""The command `exsitu compare`: what evaluation found, or any models side by side."""

import json
from pathlib import Path

import click

from exsitu.cli_paths import BUILD, EVALUATION, FILE, FOLDER, SAMPLES, TRANSFERRED


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--html", "page", type=FILE, help="Write the report: figures, numbers and model cards in one file.")
@click.option("--sample", default="target", show_default=True, help="Whose test stars models are measured on.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option("--evaluation", type=FOLDER, default=EVALUATION, show_default=True, help="What `exsitu evaluate` wrote.")
@click.option("--samples", type=FOLDER, default=SAMPLES, show_default=True, help="What `exsitu prepare` wrote.")
@click.option("--variants", type=FOLDER, default=TRANSFERRED, show_default=True, help="What `exsitu transfer` wrote.")
@click.pass_context
def compare(
    ctx: click.Context,
    *,
    runs: tuple[str, ...],
    page: Path | None,
    sample: str,
    as_json: bool,
    evaluation: Path,
    samples: Path,
    variants: Path,
) -> None:
    """
    Hold models side by side; without RUN and --html, print what evaluation found of the transfer variants.

    RUN is a variant, the folder of a model, or the id or name of an MLflow run. Models are measured on the same test
    stars, each at its own cut; those that differ in their seed alone share a curve with a band.
    """
    if not runs and page is None:
        _evaluated(evaluation, as_json=as_json)
        return
    from exsitu.settings import load_settings
    from exsitu.stages.compare import compare as run
    from exsitu.stages.compare import numbers, verdict

    found = run(load_settings(*ctx.obj), runs, samples=samples, sample=sample, variants=variants)
    if page is None:
        table = numbers(found)
    else:
        from exsitu.stages.comparison_page import write_comparison

        table = write_comparison(found, page)
    if as_json:
        click.echo(table.to_json(orient="records", indent=2))
    else:
        from exsitu.pages import as_text, printed

        click.echo(f"{as_text(printed(table))}\n{verdict(table)}")
    if page is not None:
        click.echo(f"wrote {page}; next: open it in a browser", err=True)


def _evaluated(evaluation: Path, *, as_json: bool) -> None:
    from exsitu.stages.evaluate import comparison_text, read_evaluation, run_ids

    found, ids = read_evaluation(evaluation), run_ids(BUILD / "runs")
    if as_json:
        click.echo(json.dumps({**found, "runs": ids}, indent=2))
        return
    click.echo(comparison_text(found))
    for name, run_id in ids.items():
        click.echo(f"MLflow run {run_id}  {name}")
