"""Processes outlive their command, are told from strangers with their number, and end with all they started."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from exsitu.errors import InputError
from exsitu.operations.processes import Detached, environment_of, find, require_free, start, stop, tail

WAITING = "import time; print('here', flush=True); time.sleep(600)"


@pytest.fixture
def sleeper(tmp_path):
    """Start a Python program that waits; whatever is left of it afterwards is killed."""
    started = []

    def starts(code=WAITING, name="sleeper"):
        made = start(name, [sys.executable, "-c", code], folder=tmp_path, url="", environment=os.environ, cwd=tmp_path)
        started.append(made)
        return made

    yield starts
    for process in started:
        if (left := process.process()) is not None:
            left.kill()


def until(true):
    """Wait for what another process does, for as long as a slow machine may take."""
    for _ in range(600):
        if true():
            return
        psutil.wait_procs([], timeout=0)
        subprocess.run([sys.executable, "-c", ""], check=True)
    raise AssertionError("it never came true")


def test_a_process_runs_in_a_session_of_its_own_and_is_found_by_its_file(sleeper, tmp_path):
    made = sleeper()
    assert made.alive
    assert os.getsid(made.pid) == made.pid
    assert find("sleeper", tmp_path) == made
    assert find("other", tmp_path) is None
    until(lambda: made.memory_bytes() > 1 << 20)  # a process begins with hardly any


def test_what_it_says_is_added_to_its_log(sleeper, tmp_path):
    (tmp_path / "sleeper.log").write_text("from the night before\n")
    made = sleeper()
    until(lambda: "here" in tail(tmp_path / "sleeper.log"))
    assert tail(tmp_path / "sleeper.log").splitlines() == ["from the night before", "here"]
    assert stop(made, tmp_path)


def test_it_outlives_the_command_that_started_it(tmp_path):
    code = f"""
        import os
        from pathlib import Path
        from exsitu.operations.processes import start
        folder = Path({str(tmp_path)!r})
        command = [{sys.executable!r}, "-c", {WAITING!r}]
        start("sleeper", command, folder=folder, url="", environment=os.environ, cwd=folder)
    """
    subprocess.run([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], check=True)
    made = find("sleeper", tmp_path)
    assert made.alive
    assert stop(made, tmp_path)
    assert not made.alive


def test_stopping_ends_children_too_and_forgets_the_process(sleeper, tmp_path):
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAITING!r}])"
    made = sleeper(code)
    until(lambda: made.process().children())
    (child,) = made.process().children()
    assert stop(made, tmp_path)
    assert not child.is_running()
    assert find("sleeper", tmp_path) is None
    assert (tmp_path / "sleeper.log").is_file()


def test_one_that_does_not_listen_is_killed(sleeper, tmp_path):
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITING}"
    made = sleeper(code)
    until(lambda: "here" in tail(tmp_path / "sleeper.log"))
    assert stop(made, tmp_path, patience_s=0.2)
    assert not made.alive


def test_stopping_what_ended_by_itself_says_that_it_did_not_run(sleeper, tmp_path):
    made = sleeper()
    os.kill(made.pid, signal.SIGKILL)
    until(lambda: not made.alive)
    assert not stop(made, tmp_path)
    assert find("sleeper", tmp_path) is None


def test_another_program_with_the_number_of_an_ended_one_is_left_alone(sleeper, tmp_path):
    stranger = sleeper()
    old = replace(stranger, started=stranger.started - 3600.0)
    (tmp_path / "sleeper.json").write_text(json.dumps(old.__dict__))
    assert not find("sleeper", tmp_path).alive
    assert not stop(old, tmp_path)
    assert stranger.alive


def test_a_number_that_nobody_has_is_not_alive():
    assert not Detached("x", 2**22 + 1, 0.0, "").alive
    assert Detached("x", 2**22 + 1, 0.0, "").memory_bytes() == 0


def test_a_port_that_is_taken_is_refused_with_the_way_out():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            InputError, match=rf"port {port} for the mlflow server .* --mlflow-port or servers.mlflow_port"
        ):
            require_free(port, "mlflow")
    require_free(port, "mlflow")


def test_nothing_that_is_started_phones_home_and_our_commands_come_first(tmp_path):
    found = environment_of(tmp_path, EXTRA="1")
    assert found["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert found["DO_NOT_TRACK"] == "true"
    assert found["PATH"].startswith(str(Path(sys.executable).parent))
    assert (found["EXSITU_HOME"], found["EXTRA"]) == (str(tmp_path), "1")


def test_the_end_of_a_log_that_is_not_there_is_empty(tmp_path):
    assert tail(tmp_path / "none.log") == ""
