"""States are what servers answer; a start that fails leaves nothing behind; runs that lost their process run again."""

import contextlib
import os
import socket
import sqlite3
import sys
from pathlib import Path

import pytest
from fake_server import serving
from project import free_port

from exsitu.errors import InputError
from exsitu.operations import servers
from exsitu.operations.lost import recover
from exsitu.operations.processes import find, start, stop
from exsitu.settings import Servers, load_settings

WAITING = "import time; time.sleep(600)"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout, which is gone to; whatever was started for it is killed."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in servers.NAMES:
        if (process := find(name, tmp_path / servers.FOLDER)) is not None:
            stop(process, tmp_path / servers.FOLDER, patience_s=0.5)


def stand_in(root, name, url):
    """A process that stands in for a server that answers at `url`."""
    command = [sys.executable, "-c", WAITING]
    return start(name, command, folder=root / servers.FOLDER, url=url, environment=os.environ, cwd=root)


def healthy(_method, path, _body):
    workers = [{"name": "exsitu", "status": "ONLINE"}]
    return {"/api/health": True, "/health": "OK", "/api/work_pools/local/workers/filter": workers}.get(path)


def test_servers_that_were_never_started_are_down_and_say_how_to_start_them(root):
    found = servers.states(root)
    assert [(state.name, state.up) for state in found] == [("prefect", False), ("mlflow", False), ("worker", False)]
    assert "make up" in found[0].text()


def test_a_server_is_up_where_its_process_lives_and_it_answers(root):
    with serving(healthy) as url:
        for name in servers.NAMES:
            stand_in(root, name, url)
        found = servers.states(root)
        assert all(state.up for state in found)
        assert all(url in state.text() and state.memory_bytes > 0 for state in found)


def test_a_server_that_does_not_answer_is_down_and_names_its_log(root):
    with serving(lambda *_: None) as url:
        for name in servers.NAMES:
            stand_in(root, name, url)
        assert not any(state.up for state in servers.states(root))
        assert all("does not answer" in s.detail and f"{s.name}.log" in s.detail for s in servers.states(root))


def test_a_worker_that_prefect_calls_offline_is_down(root):
    def offline(method, path, body):
        return [{"status": "OFFLINE"}] if path.endswith("workers/filter") else healthy(method, path, body)

    with serving(offline) as url:
        stand_in(root, "worker", url)
        assert not servers.states(root)[2].up


def test_a_server_that_ended_by_itself_is_down_though_another_answers_there(root):
    with serving(healthy) as url:
        process = stand_in(root, "mlflow", url).process()
        process.kill()
        process.wait(30)
        state = servers.states(root)[1]
    assert not state.up
    assert "ended by itself" in state.detail


@pytest.fixture
def settings(repository, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return load_settings(repository / "params.yaml")


def wanted(**ports):
    return Servers(**{"prefect_port": free_port(), "mlflow_port": free_port(), "worker_limit": 1, **ports})


def test_a_taken_port_is_said_before_anything_is_started(root, settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} for the mlflow server"):
            servers.up(settings, root, wanted(mlflow_port=port))
    assert not list((root / servers.FOLDER).glob("*.json"))


def test_one_that_ends_before_it_answers_is_an_error_with_its_last_words_and_the_others_are_stopped(
    root, settings, monkeypatch
):
    monkeypatch.setattr(
        servers, "_prefect", lambda _: [sys.executable, "-c", "print('no such table'); raise SystemExit(1)"]
    )
    monkeypatch.setattr(servers, "_mlflow", lambda *_: [sys.executable, "-c", WAITING])
    with pytest.raises(InputError, match=r"(?s)prefect ended before it answered.*no such table"):
        servers.up(settings, root, wanted())
    assert not list((root / servers.FOLDER).glob("*.json"))


def test_one_that_stays_silent_is_an_error_with_the_time_it_was_given(root, settings, monkeypatch):
    for name in ("_prefect", "_mlflow"):
        monkeypatch.setattr(servers, name, lambda *_: [sys.executable, "-c", WAITING])
    with pytest.raises(InputError, match=r"prefect did not answer at http://127.0.0.1:\d+ within 0.2 s"):
        servers.up(settings, root, wanted(), timeout_s=0.2)
    assert not list((root / servers.FOLDER).glob("*.json"))


def test_a_tracking_server_elsewhere_is_not_doubled_here(root, settings, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    with pytest.raises(InputError, match=r"mlflow\.example\.org is another machine's server"):
        servers.up(settings, root, wanted())
    assert not list((root / servers.FOLDER).glob("*.json"))


def test_the_store_is_made_before_the_server_so_that_stages_find_models_without_it(root, settings):
    command = servers._mlflow(settings, root, wanted())
    assert command[command.index("--artifacts-destination") + 1] == str(root / "mlruns" / "artifacts")
    with contextlib.closing(sqlite3.connect(root / "mlruns" / "mlflow.db")) as store:
        places = [row[0] for row in store.execute("SELECT artifact_location FROM experiments")]
    assert places
    assert not any(place.startswith("mlflow-artifacts:") for place in places)


def test_stopping_where_nothing_is_up_is_no_error(root):
    assert servers.down(root) == []


def test_all_are_stopped_the_worker_first(root):
    with serving(healthy) as url:
        for name in servers.NAMES:
            stand_in(root, name, url)
        assert servers.down(root) == ["worker", "mlflow", "prefect"]
    assert not any(state.pid for state in servers.states(root))


def runs(*states, count=1):
    return [
        {"id": f"id-{n}", "name": f"run-{n}", "state_type": state, "run_count": count} for n, state in enumerate(states)
    ]


def recovered(found, stopped=()):
    """Ask for lost runs of a server that has these; give what their states were set to."""
    told = {}

    def answer(_method, path, body):
        if path.endswith("/flow_runs/filter"):
            assert body["work_pools"] == {"name": {"any_": ["local"]}}
            return [run for run in found if run["state_type"] in body["flow_runs"]["state"]["type"]["any_"]]
        assert body["force"]
        told.setdefault(path.split("/")[-2], []).append(body["state"]["name"])
        return {}

    with serving(answer) as url:
        names = recover(f"{url}/api", "local", stopped)
    return names, told


def test_a_run_that_found_the_time_to_say_that_it_crashed_is_scheduled_again_and_older_crashes_are_not():
    names, told = recovered(runs("CRASHED", "CRASHED", "COMPLETED"), stopped={"id-1", "id-2"})
    assert (names, told) == (["run-1"], {"id-1": ["Crashed", "AwaitingRetry"]})


def test_stopping_the_worker_schedules_again_what_was_under_way(root, caplog):
    state = ["RUNNING"]

    def answer(method, path, body):
        if path.endswith("/flow_runs/filter"):
            wanted = body["flow_runs"]["state"]["type"]["any_"]
            found = [run for run in runs(state[0]) if run["state_type"] in wanted]
            state[0] = "CRASHED"  # from the first question on: its process says so while it is stopped
            return found
        return {} if path.endswith("/set_state") else healthy(method, path, body)

    with serving(answer) as url:
        stand_in(root, "worker", url)
        assert servers.down(root) == ["worker"]
    assert "flow run run-0 AwaitingRetry" in caplog.text


def test_a_run_without_a_process_crashes_and_is_scheduled_again():
    assert recovered(runs("RUNNING", "PENDING")) == (
        ["run-0", "run-1"],
        {"id-0": ["Crashed", "AwaitingRetry"], "id-1": ["Crashed", "AwaitingRetry"]},
    )


def test_a_run_that_was_being_cancelled_is_cancelled_and_not_started_again():
    assert recovered(runs("CANCELLING"))[1] == {"id-0": ["Cancelled"]}


def test_a_run_that_was_lost_three_times_stays_crashed():
    assert recovered(runs("RUNNING", count=3))[1] == {"id-0": ["Crashed"]}


def test_a_run_whose_process_lives_is_left_alone(root):
    environment = {**os.environ, "PREFECT__FLOW_RUN_ID": "id-0"}
    command = [sys.executable, "-c", WAITING]
    folder = root / servers.FOLDER
    process = start("worker", command, folder=folder, url="", environment=environment, cwd=root)
    try:
        assert recovered(runs("RUNNING", "RUNNING")) == (["run-1"], {"id-1": ["Crashed", "AwaitingRetry"]})
    finally:
        stop(process, folder, patience_s=1.0)


def test_a_server_that_does_not_take_the_state_is_said(caplog):
    def answer(_method, path, _body):
        return runs("RUNNING") if path.endswith("/flow_runs/filter") else None

    with serving(answer) as url:
        recover(f"{url}/api", "local")
    assert "run-0 could not be marked AwaitingRetry; `make up` tries again" in caplog.text


def test_no_server_means_no_lost_run():
    assert recover(f"http://127.0.0.1:{free_port()}/api", "local") == []


@pytest.mark.parametrize(
    ("queue", "asked"),
    [
        (None, [("POST", "/queues", {"name": "pipeline", "concurrency_limit": 1})]),
        ({"concurrency_limit": None}, [("PATCH", "/queues/pipeline", {"concurrency_limit": 1})]),
        ({"concurrency_limit": 2}, []),
    ],
)
def test_the_pipelines_queue_runs_one_at_a_time_unless_somebody_gave_it_another_limit(queue, asked):
    changes = []

    def answer(method, path, body):
        if method != "GET":
            changes.append((method, path, body))
        return queue

    with serving(answer) as url:
        servers._one_at_a_time(f"{url}/queues")
    assert changes == asked


def test_every_deployment_names_a_flow_that_is_there_with_parameters_it_takes(repository):
    import ast

    import yaml

    deployments = yaml.safe_load((repository / "prefect.yaml").read_text())["deployments"]
    assert {d["name"] for d in deployments} >= {"refresh-data", "nightly-train", "promote", "release", "watch"}
    for deployment in deployments:
        file, name = deployment["entrypoint"].split(":")
        tree = ast.parse((repository / file).read_text())
        flow = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name)
        assert {a.arg for a in flow.args.args} == set(deployment["parameters"]), deployment["name"]
        assert deployment["description"]
        assert "exsitu" in deployment["tags"]
        assert deployment["concurrency_limit"]["limit"] == 1
        assert "timeout_seconds" in ast.unparse(flow.decorator_list[0])
        known = {"refresh_data", "nightly_train", "experiments", "promotion", "release", "watch", "catalog"}
        assert Path(file).stem in known
