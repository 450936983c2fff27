"""Commands of those who run exsitu day by day: servers up and down, what is stale, what is out of order."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exsitu.cli_paths import BUILD, CHAMPION, DATA, FILE, RELEASES, SUITES
from exsitu.errors import InputError

if TYPE_CHECKING:
    from exsitu.operations.servers import State


_PORT = click.IntRange(1024, 65535)


@click.command()
@click.option("--prefect-port", type=_PORT, help="Of Prefect's server.  [default: servers.prefect_port of params.yaml]")
@click.option("--mlflow-port", type=_PORT, help="Of MLflow's server.  [default: servers.mlflow_port of params.yaml]")
@click.option("--json", "as_json", is_flag=True, help="Print the servers as JSON.")
@click.pass_context
def up(ctx: click.Context, *, prefect_port: int | None, mlflow_port: int | None, as_json: bool) -> None:
    """
    Start Prefect, MLflow and a worker in the background, and deploy prefect.yaml; what is up already is left alone.

    All listen on loopback. Their logs and pid files are in .servers, their data in .prefect and mlruns.
    """
    from exsitu.operations import servers
    from exsitu.settings import load_settings

    settings = load_settings(*ctx.obj)
    given = {"prefect_port": prefect_port, "mlflow_port": mlflow_port}
    wanted = settings.servers.model_copy(update={name: port for name, port in given.items() if port is not None})
    _tell(servers.up(settings, Path(), wanted), as_json=as_json)
    click.echo("next: exsitu ui; to stop: make down", err=True)


@click.command()
def down() -> None:
    """Stop the servers that `exsitu up` started; runs, models, schedules and logs stay."""
    from exsitu.operations import servers

    stopped = servers.down(Path())
    click.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing was up", err=True)


@click.command()
@click.option("--champion", type=FILE, default=CHAMPION, show_default=True, help="File that names the champion.")
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@click.pass_context
def status(ctx: click.Context, *, champion: Path, as_json: bool) -> None:
    """
    Say what is current, what is stale, who is champion, whether the last releases verify, which servers are up.

    Data are held against the settings, data.dvc and dvc.lock against the commit; where they differ, it says why.

    Releases are looked at by digest alone; `exsitu verify` looks inside. The exit code is 0 whatever is found.
    """
    from exsitu.operations.status import status as look
    from exsitu.settings import load_settings

    found = look(Path(), load_settings(*ctx.obj), champion_file=champion, data=DATA, releases=RELEASES)
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else found.text())


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """
    Look for what is out of order: git and line ends, Python, packages against their pins, telemetry, disk,
    permissions, ports, the Prefect server that the environment names.

    Exit codes: 0 all is fine, 3 something is wrong, 1 another error, 2 wrong arguments.
    """
    from exsitu.operations.doctor import doctor as look
    from exsitu.settings import load_settings

    found = look(Path(), load_settings(*ctx.obj).servers)
    if as_json:
        click.echo(json.dumps([finding.as_dict() for finding in found], indent=2))
    else:
        click.echo("\n".join(finding.text() for finding in found))
    ctx.exit(0 if all(finding.fine for finding in found) else 3)


@click.command()
@click.option("--save", type=FILE, help="Write this run's numbers to a file, for --other elsewhere.")
@click.option("--write", is_flag=True, help="Record this run: docs/outcome.json, and the numbers in README.md.")
@click.option("--other", "others", type=FILE, multiple=True, help="What --save wrote of another run, for the spreads.")
@click.pass_context
def outcome(ctx: click.Context, *, save: Path | None, write: bool, others: tuple[Path, ...]) -> None:
    """
    Compare what came out of `make catalog` here with the numbers that README promises.

    A number is within the record if it lies within three of the spreads measured over runs; --write makes a new record.
    """
    from exsitu.operations import outcome as record
    from exsitu.provenance import write_json
    from exsitu.settings import load_settings

    here = record.measured_outcome(load_settings(*ctx.obj), build=BUILD, releases=RELEASES, root=Path())
    if save is not None:
        write_json(save, asdict(here))
    if write:
        told = record.with_spreads(here, [record.read_outcome(path) for path in others])
        record.write_outcome(told, path=record.OUTCOME, readme=record.README)
        click.echo(f"wrote {record.OUTCOME} and the numbers of {record.README}; next: git diff", err=True)
    click.echo("\n".join(record.compared(record.read_outcome(record.OUTCOME), here)))


@click.command()
@click.option("--browser/--no-browser", default=True, help="Open them, where there is a browser.")
def ui(*, browser: bool) -> None:
    """Print the addresses of Prefect's and MLflow's pages, and open them."""
    from exsitu.operations.servers import states

    pages = [state for state in states(Path()) if state.up and state.name != "worker"]
    if not pages:
        raise InputError("no server of this checkout is up; start them with `make up`")
    for state in pages:
        click.echo(f"{state.name:<8} {state.url}")
        if browser:
            click.launch(state.url)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """
    Print the script that completes commands in SHELL.

    In ~/.bashrc: eval "$(exsitu completion bash)"; in ~/.zshrc likewise; for fish:
    exsitu completion fish > ~/.config/fish/completions/exsitu.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click knows the three of the choice; this is for the type checker
    click.echo(found(ctx.find_root().command, {}, "exsitu", "_EXSITU_COMPLETE").source())


def _tell(states: "list[State]", *, as_json: bool) -> None:
    click.echo(json.dumps([asdict(s) for s in states], indent=2) if as_json else "\n".join(s.text() for s in states))


@click.command()
@click.option("--input", "inputs", type=FILE, multiple=True, help="File of new stars to look at too; repeat for more.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.pass_context
def watch(ctx: click.Context, *, inputs: tuple[Path, ...], as_json: bool) -> None:
    """
    Re-verify all releases and data, and measure how far surveys drifted from the training stars.

    Writes build/watch/watch.json. Exit codes: 0 everything holds, 3 something does not, 1 another error, 2 wrong
    arguments.
    """
    from exsitu.settings import load_settings
    from exsitu.stages.watch import watch as run

    found = run(
        load_settings(*ctx.obj),
        inputs=inputs,
        data=DATA,
        samples=BUILD / "samples",
        releases=RELEASES,
        suites=SUITES,
        output=BUILD / "watch",
    )
    click.echo(json.dumps(found.as_dict(), indent=2) if as_json else found.text())
    ctx.exit(0 if found.passed else 3)
