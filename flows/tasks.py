"""Prefect tasks, one a stage under its name: they start what DVC or the command line does, and show what came out."""

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from exsitu import SILENCE

# Nothing phones home; set before Prefect is imported.
os.environ.update({name: value for name, value in SILENCE.items() if name not in os.environ})
# The embedded server needs more than its default 20 s where other work shares the cores.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")

from prefect import get_run_logger, task
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact
from prefect.context import get_run_context
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL
from prefect.utilities.urls import url_for

from exsitu.errors import InputError
from exsitu.operations.asking import ask
from exsitu.operations.checkout import prefect_server, require_checkout
from exsitu.operations.servers import MLFLOW, states
from exsitu.registry import champion_source

BUILD = Path("build")
CHAMPION = Path("champion.json")
PROMOTED = "exsitu.champion.promoted"
"""Event that a change of champion emits; prefect.yaml starts the deployment `release` by it."""

_BUSY = ("Unable to acquire lock", "is busy, it is being blocked")
_NO_DATA = re.compile(r"missing data 'source': data\b|No such file or directory: '[^']*/data'")
"""What DVC says where the data were never made or pulled."""
_BUSY_PATIENCE_S = 300.0
_TAIL_LINES = 40
_GATE = re.compile(r"^exsitu: gate .*The whole report is (\S+);", re.MULTILINE)
# One bar at a time reads well; where two stages run side by side, only whole lines are shown.
_terminal = threading.Lock()


_NOTES = {"adapt": "adapted"}
"""Stages whose note in build/runs has another name than they."""

_NO = 3
"""Exit status of ``exsitu promote`` and ``exsitu watch`` where the answer is no: a criterion failed."""
_GRACE_S = 15.0
_running: set[subprocess.Popen[bytes]] = set()


class StageFailedError(RuntimeError):
    """A stage that ended with an error; carries the end of what it said, and its exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def _may_pass_next_time(_task: Any, _run: Any, state: Any) -> bool:
    """Whether to try again: a refusal that exsitu explains (a gate, a setting, an input) would only be repeated."""
    said = str(state.message)
    return "\nexsitu: " not in said and f"ended with status {_NO}:" not in said


_AGAIN: dict[str, Any] = {"retries": 1, "retry_delay_seconds": 5, "retry_condition_fn": _may_pass_next_time}


def require_ready() -> None:
    """
    Refuse to start what would die after minutes.

    Raises
    ------
    InputError
        If this is no whole checkout by git, or the Prefect server that is named cannot be reached.
    """
    require_checkout(Path())
    server = prefect_server(PREFECT_API_URL.value() or "")
    if not server.fine:
        raise InputError(server.detail)


def _flow_run_id() -> str:
    context = get_run_context()
    return str(getattr(context, "task_run", context).flow_run_id)


def _told(flow_run_id: str) -> dict[str, str]:
    """What stages tag their MLflow runs with: the flow run, and its page where a server has one."""
    page = url_for("flow-run", flow_run_id)
    return {"EXSITU_FLOW_RUN_ID": flow_run_id} | ({"EXSITU_FLOW_RUN_URL": page} if page else {})


def _speak(command: list[str], *, bars: bool) -> tuple[int, str]:
    """Run a command, pass on what it says as it says it, and return its exit status with all it said."""
    env = {**os.environ, **_told(_flow_run_id()), "PYTHONUNBUFFERED": "1", "EXSITU_DEBUG": "1"}
    bars = bars and sys.stderr.isatty()  # a log keeps every state of a bar
    said = bytearray()
    shown = 0
    # A group of its own, so that what the command starts can be ended with it.
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, process_group=0
        ) as process,
        _ended_with_us(process),
    ):
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for; this is for the type checker
        while block := process.stdout.read1():
            said += block
            end = len(said) if bars else said.rfind(b"\n") + 1
            if end > shown:
                with _terminal:
                    sys.stderr.buffer.write(said[shown:end] if bars else _without_bars(said[shown:end]))
                    sys.stderr.flush()
                shown = end
    return process.returncode, said.decode(errors="replace")


def _without_bars(lines: bytes) -> bytes:
    """Whole lines, of each what a terminal would show in the end."""
    kept = (line.rstrip(b"\r").rsplit(b"\r", 1)[-1] for line in lines.split(b"\n"))
    return b"\n".join(kept)


@contextlib.contextmanager
def _ended_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a command where its flow is cancelled, timed out or stopped."""
    _running.add(process)
    try:
        yield
    except BaseException:
        _end(process)
        raise
    finally:
        _running.discard(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
            return


@contextlib.contextmanager
def children_end_with_flow() -> Iterator[None]:
    """
    End the commands of tasks that run in threads where the flow itself is cancelled, timed out or stopped.

    Yields
    ------
    None
        Such an exception reaches the main thread alone; what others wait for would go on.
    """
    try:
        yield
    except BaseException:
        for process in tuple(_running):
            _end(process)
        raise


def _lines(said: str) -> list[str]:
    """Lines without the states a progress bar passed through."""
    return [line.rstrip("\r").rsplit("\r", 1)[-1] for line in said.split("\n") if line.strip()]


def run_command(*command: str, bars: bool = True) -> str:
    """
    Run a command of the project, and fail with the end of what it said.

    Parameters
    ----------
    *command : str
        The command and its arguments.
    bars : bool
        Whether progress bars are passed on.

    Returns
    -------
    str
        What the command said.

    Raises
    ------
    StageFailedError
        If it ended with an error. A DVC repository that is busy with another stage is waited for.
    """
    deadline = time.monotonic() + _BUSY_PATIENCE_S
    while True:
        status, said = _speak(list(command), bars=bars)
        if status == 0:
            return said
        if not any(word in said for word in _BUSY) or time.monotonic() > deadline:
            _show_gate(said)
            end = "\n".join([*_lines(said)[-_TAIL_LINES:], *_advice(said)])
            raise StageFailedError(f"`{' '.join(command)}` ended with status {status}:\n{end}", status)
        time.sleep(1.0)


def _advice(said: str) -> list[str]:
    """What to do about an error that DVC leaves without a remedy."""
    remedy = "exsitu: no data here: run `exsitu data` and `dvc add data`, or `dvc pull` where there is a remote"
    return [remedy] if _NO_DATA.search(said) else []


def _show_gate(said: str) -> None:
    """The report of a gate that failed, as an artifact of the run."""
    found = _GATE.search(said)
    path = Path(found[1]) if found else Path()
    if path.is_file():
        create_markdown_artifact(
            key=f"gate-{_key(path.stem)}",
            markdown=path.read_text(encoding="utf-8"),
            description="What the gate that failed found",
        )


def repro(stage: str, *, bars: bool = True) -> None:
    """
    Bring one DVC stage up to date; DVC alone decides whether anything has to be done.

    Parameters
    ----------
    stage : str
        Name in ``dvc.yaml``, or, of another file, ``<file>:<name>``.
    bars : bool
        Whether progress bars are passed on.
    """
    get_run_logger().info("dvc repro -s %s", stage)
    before = _tracked(stage)
    run_command("dvc", "repro", "-s", stage, bars=bars)
    if after := _tracked(stage):
        said = "made by" if after != before else "current already; made earlier by"
        create_markdown_artifact(
            key=f"mlflow-{_key(stage)}",
            markdown=f"{stage}: {said} MLflow run {_run_link(after)}",
            description=f"MLflow run of {stage}",
        )


def _key(name: str) -> str:
    """Name of an artifact: small letters, digits and dashes."""
    return "".join(c if c.isalnum() else "-" for c in name.lower())


def _tracked(stage: str) -> str | None:
    """MLflow run of a stage's output, as the stage left it in build/runs; None where there is none."""
    kind, _, variant = stage.partition("@")
    note = BUILD / "runs" / f"{f'{kind}-{variant}' if variant else _NOTES.get(kind, kind)}.json"
    return str(_read(note)["run_id"]) if note.is_file() else None


def _mlflow_server() -> str | None:
    """Address of MLflow's pages: a team's server, or the one that `make up` started; None where there is neither."""
    named = os.environ.get("MLFLOW_TRACKING_URI", "")
    if named.startswith(("http:", "https:")):
        return named.rstrip("/")
    return next((state.url for state in states(Path()) if state.name == MLFLOW and state.up), None)


def _about(run_id: str) -> tuple[str, dict[str, Any]] | None:
    """Address of MLflow's pages and what it says of a run; None where no server shows it."""
    server = _mlflow_server()
    found = ask(f"{server}/api/2.0/mlflow/runs/get?run_id={run_id}") if server else None
    return (str(server), found["run"]["info"]) if isinstance(found, dict) else None


def _run_link(run_id: str) -> str:
    """Markdown that leads to a run, where a server shows it; else its id."""
    if not (shown := _about(run_id)):
        return f"`{run_id}`"
    server, about = shown
    return f"[{about['run_name']}]({server}/#/experiments/{about['experiment_id']}/runs/{run_id}) (`{run_id}`)"


def _link_comparison(run_ids: list[str]) -> None:
    """Lead to MLflow's page of runs of one experiment side by side, where a server shows them."""
    if run_ids and (shown := _about(run_ids[0])):
        server, about = shown
        asked = {"runs": json.dumps(run_ids), "experiments": json.dumps([about["experiment_id"]])}
        page = f"{server}/#/compare-runs?{urlencode(asked, quote_via=quote)}"
        create_markdown_artifact(key="mlflow-compare", markdown=f"[The variants side by side]({page}) in MLflow")


def _table(key: str, rows: list[dict[str, Any]], description: str) -> None:
    create_table_artifact(key=key, table=rows, description=description)


def _image(key: str, path: Path, description: str) -> None:
    """Put a picture into the UI; inline, so that it shows wherever the server runs."""
    if path.is_file():
        inline = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
        create_image_artifact(key=key, image_url=inline, description=description)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@task(name="data", **_AGAIN)
def data() -> None:
    """Build or import the surveys, and version them."""
    run_command("exsitu", "data")
    run_command("dvc", "add", "--quiet", "data")


@task(name="prepare", **_AGAIN)
def prepare() -> None:
    """Cut, label and split."""
    repro("prepare")
    samples = _read(BUILD / "samples" / "samples.json")
    rows = [{"sample": name, **counts} for name, counts in samples.items() if isinstance(counts, dict)]
    _table("samples", rows, "Stars of every sample, and how many carry which label")


@task(name="pretrain", **_AGAIN)
def pretrain() -> None:
    """Train on the mock galaxy whose truth is known."""
    repro("pretrain")
    _table("pretraining", [_read(BUILD / "pretrained" / "metrics.json")], "The pretrained network on its test stars")
    _image("pretraining-roc", BUILD / "pretrained" / "roc.png", "ROC of the pretrained network")


@task(name="transfer", **_AGAIN)
def transfer(variant: str) -> None:
    """Carry the network over to another galaxy by one variant."""
    repro(f"transfer@{variant}", bars=False)


@task(name="evaluate", **_AGAIN)
def evaluate() -> None:
    """Compare the variants."""
    repro("evaluate")
    found = _read(BUILD / "evaluation" / "evaluation.json")
    rows = [{key: value for key, value in row.items() if key != "reasons"} for row in found["variants"].values()]
    _table("transfer-variants", rows, f"Best: {found['best']}")
    _link_comparison([run for name in found["variants"] if (run := _tracked(f"transfer@{name}"))])
    for picture in ("roc", "comparison", "velocities", "toomre"):
        _image(f"evaluation-{picture}", BUILD / "evaluation" / f"{picture}.png", f"Transfer variants: {picture}")


@task(name="adapt", **_AGAIN)
def adapt() -> None:
    """Apply the winning recipe to the Milky Way's stars with spectra."""
    repro("adapt")
    _table("adaptation", [_read(BUILD / "adapted" / "metrics.json")], "The model that can be promoted")


@task(name="experiment", task_run_name="experiment-{name}", **_AGAIN)
def experiment(name: str) -> None:
    """Run an experiment; DVC decides whether anything has to be done."""
    repro(f"experiments/dvc.yaml:experiment@{name}")
    folder = BUILD / "experiments" / name
    found = _read(folder / "results.json")
    shown = ("statement", "paper", "here", "verdict")
    rows = [{column: claim[column] for column in shown} for claim in found["claims"]]
    key = f"experiment-{_key(name)}"
    _table(key, rows, f"{name}, {found['title']} ({found['source']}): {found['finding']}")
    for figure in found["figures"]:
        _image(f"{key}-{_key(figure)}", folder / f"{figure}.png", f"{name}: {figure.replace('_', ' ')}")


@task(name="report", **_AGAIN)
def report() -> None:
    """Set paper and results side by side."""
    run_command("exsitu", "report")
    create_markdown_artifact(key="report", markdown="Paper and results side by side: `reports/paper.html`")


@task(name="promote")
def promote(words: Sequence[str] = ()) -> bool:
    """
    Make the adapted model the champion; where the policy refuses it, the champion there is stays.

    Parameters
    ----------
    words : sequence of str
        Further arguments of ``exsitu promote``.

    Returns
    -------
    bool
        Whether there is another champion now.
    """
    before = _champion()
    try:
        said = run_command("exsitu", "promote", *words)
    except StageFailedError as refusal:
        if refusal.status != _NO or before is None:
            raise
        said = str(refusal)
        get_run_logger().warning("the policy refused the candidate; the champion stays")
    create_markdown_artifact(key="promotion", markdown="```\n" + "\n".join(_lines(said)) + "\n```")
    if (named := _champion()) is None:
        return False
    champion = json.loads(named)
    server = _mlflow_server()
    page = f"; [in MLflow]({server}/#/models/{champion['name']}/versions/{champion['version']})" if server else ""
    create_markdown_artifact(
        key="champion",
        markdown=f"Champion: **{champion['name']} version {champion['version']}**, recipe {champion['variant']}, "
        f"S > {champion['cut']:.2f}, weights `{champion['weights_sha256'][:12]}…`{page}",
    )
    return named != before


def _champion() -> bytes | None:
    """What names the champion of this checkout: a promotion here, else the committed file."""
    source = champion_source(CHAMPION)
    return source.read_bytes() if source.is_file() else None


def announce() -> None:
    """Emit the event that there is another champion; deployments wait for it."""
    champion = _read(champion_source(CHAMPION))
    emit_event(
        event=PROMOTED,
        resource={
            "prefect.resource.id": f"exsitu.champion.{champion['name']}",
            "prefect.resource.name": f"{champion['name']} version {champion['version']}",
            "exsitu.version": champion["version"],
            "exsitu.weights_sha256": champion["weights_sha256"],
        },
    )


@task(name="release", **_AGAIN)
def release(survey: str) -> Path:
    """Score a survey with the champion and publish a catalog; that no star is selected is an outcome too."""
    said = run_command("exsitu", "release", survey, "--allow-empty", bars=False)
    folder = Path(next(line for line in reversed(_lines(said)) if line.startswith("wrote ")).split()[1].rstrip(";"))
    _table(f"release-{survey}", [_read(folder / "manifest.json")["counts"]], f"Counts of {folder}")
    if (folder / "sky.png").is_file():  # nothing to draw of no stars
        _image(f"release-{survey}-sky", folder / "sky.png", f"Sky of {folder.name}")
    return folder


@task(name="verify", **_AGAIN)
def verify(folder: Path, *, audit: bool) -> str:
    """Re-check everything in a release; with `audit`, against the truth."""
    said = run_command("exsitu", "verify", str(folder), *(["--audit"] if audit else []))
    create_markdown_artifact(key=f"verify-{folder.name}", markdown=f"```\n{said}\n```")
    return said


@task(name="watch", **_AGAIN)
def watch(inputs: Sequence[str] = ()) -> None:
    """
    Re-verify releases and data, and measure the drift of what is scored.

    Parameters
    ----------
    inputs : sequence of str
        Files of new stars to look at too.

    Raises
    ------
    StageFailedError
        If something does not hold; the tables are shown first.
    """
    failure = None
    try:
        run_command("exsitu", "watch", *(word for path in inputs for word in ("--input", path)))
    except StageFailedError as error:
        if error.status != _NO:
            raise
        failure = error
    found = _read(BUILD / "watch" / "watch.json")
    for part in ("releases", "data", "drift"):
        rows = [
            {"what": row["what"], "holds": row["holds"], **row["figures"], "detail": row["detail"]}
            for row in found[part]
        ]
        _table(f"watch-{part}", rows, f"{sum(row['holds'] for row in rows)} of {len(rows)} hold")
    if failure is not None:
        raise failure
