"""Jobs side by side: results by name, one thread each, errors at the end, nothing left behind."""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from exsitu.errors import InputError
from exsitu.parallel import Job, run_jobs
from exsitu.progress import bar


def square(x):
    return x * x


def environment(names):
    return {name: os.environ.get(name) for name in names}, os.getpid()


def tensorflow_threads():
    from exsitu.model.runtime import tf

    return (
        tf.config.threading.get_intra_op_parallelism_threads(),
        tf.config.threading.get_inter_op_parallelism_threads(),
    )


def refuse(path):
    raise InputError(f"no stars in {path}")


def break_down():
    raise ZeroDivisionError("of a kind nobody expects")


def leave_a_mark(path):
    path.write_text("done", encoding="utf-8")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def show_and_tell():
    logging.getLogger("exsitu.test").info("half of it")
    with bar(4, "counting", unit="step") as shown:
        shown.update(2)
        shown.update(2)


def sleep_long(path):
    path.write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(600)


def test_results_come_by_name_in_the_order_of_the_jobs():
    found = run_jobs([Job(f"square of {x}", square, {"x": x}) for x in (3, 1, 2)], progress=False)
    assert list(found.items()) == [("square of 3", 9), ("square of 1", 1), ("square of 2", 4)]


def test_no_jobs_are_no_work():
    assert run_jobs([]) == {}


def test_a_name_is_used_once():
    with pytest.raises(InputError, match="several jobs are named a;"):
        run_jobs([Job("a", square, {"x": 1}), Job("a", square, {"x": 2})])


def test_each_process_is_held_to_one_thread_and_the_parent_is_not(monkeypatch):
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    inside, process = run_jobs([Job("look", environment, {"names": names})], progress=False)["look"]
    assert inside == dict.fromkeys(names, "1")
    assert process != os.getpid()
    assert environment(names)[0] == {"OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": None}


@pytest.mark.slow
def test_tensorflow_is_held_to_one_thread():
    assert run_jobs([Job("look", tensorflow_threads)], progress=False)["look"] == (1, 1)


def test_a_failed_job_is_named_once_the_others_are_done(tmp_path):
    mark = tmp_path / "mark"
    jobs = [Job("bad", refuse, {"path": "x.fits"}), Job("good", leave_a_mark, {"path": mark})]
    with pytest.raises(InputError, match=r"1 of 2 jobs failed, the others are done. bad: no stars in x.fits"):
        run_jobs(jobs, processes=1, progress=False)
    assert mark.read_text(encoding="utf-8") == "done"


def test_an_error_nobody_expects_keeps_its_type():
    with pytest.raises(ZeroDivisionError, match="nobody expects"):
        run_jobs([Job("bad", break_down)], progress=False)


@pytest.mark.fault
def test_a_killed_process_is_told_as_such():
    with pytest.raises(InputError, match="die: a process was killed"):
        run_jobs([Job("die", die)], progress=False)


def test_bars_and_log_lines_of_processes_reach_the_one_view(caplog):
    with caplog.at_level(logging.INFO, "exsitu"):
        run_jobs([Job("tell", show_and_tell)])
    assert "tell: half of it" in caplog.messages
    assert any(message.startswith("done: tell (1 of 1, about") for message in caplog.messages)


def test_a_bar_in_a_process_tells_its_share():
    told = []
    code = (
        "from exsitu.progress import bar, report_to\n"
        "report_to(lambda share, words: print(share, words))\n"
        "with bar(4, 'counting', unit='step', done=1) as shown:\n    shown.update(1)\n    shown.update(2)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[:2] for line in told] == [["0.25", "counting"], ["1.0", "counting"]]


@pytest.mark.fault
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_processes_end_with_a_parent_that_is_stopped(tmp_path, signum):
    place = tmp_path / "pid"
    code = (
        "import sys\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[1])\nfrom test_parallel import sleep_long\n"
        "from exsitu.cli_help import end_in_order\nfrom exsitu.parallel import Job, run_jobs\n"
        "if __name__ == '__main__':\n    end_in_order()\n"
        "    run_jobs([Job('sleep', sleep_long, {'path': Path(sys.argv[2])})])\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code, encoding="utf-8")
    with subprocess.Popen([sys.executable, script, os.path.dirname(__file__), place]) as parent:  # noqa: PTH120
        while not (place.is_file() and place.read_text(encoding="utf-8")):
            time.sleep(0.05)
        parent.send_signal(signum)
    worker = int(place.read_text(encoding="utf-8"))
    while alive(worker):
        time.sleep(0.05)


def alive(process):
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as stat:  # noqa: PTH123
            return stat.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_the_start_method_leaves_the_default_alone():
    run_jobs([Job("square", square, {"x": 2})], progress=False)
    assert multiprocessing.get_start_method(allow_none=True) in {None, "fork"}
