"""Independent works side by side: one process a core, one thread each, one view of how far they are.

Two threads for one small network gain nothing, two processes for two networks gain everything. Processes are spawned,
so that each imports TensorFlow for itself, once; numerical libraries are held to one thread before they are loaded.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for
from typing import Any, Self

from exsitu import progress as views
from exsitu.errors import ExsituError, InputError

log = logging.getLogger(__name__)

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Job:
    """
    A piece of work that needs no other.

    Parameters
    ----------
    name : str
        Shown in the view and in errors; each job of a run has its own.
    function : callable
        Importable at the level of its module.
    arguments : mapping
        Keyword arguments; anything pickle can carry.
    """

    name: str
    function: Callable[..., Any]
    arguments: Mapping[str, Any] = field(default_factory=dict)


def cores() -> int:
    """
    Count the cores this process may use.

    Returns
    -------
    int
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(jobs: Sequence[Job], *, processes: int | None = None, progress: bool = True) -> dict[str, Any]:
    """
    Run works side by side.

    Parameters
    ----------
    jobs : sequence of Job
        Each independent of the others; those that take longest had better come first.
    processes : int, optional
        Most processes at a time; as many as there are cores by default.
    progress : bool
        Show one view of all: bars on a terminal, else a line when a job ends.

    Returns
    -------
    dict of str to object
        What each job returned, by its name, in the order of the jobs.

    Raises
    ------
    InputError
        If two jobs share a name; or, once all others have ended, if some failed for a reason that can be acted on, or a
        process was killed. Other errors are raised as they were, likewise at the end.

    Notes
    -----
    Where the parent is killed, even by SIGKILL, its processes end too.
    """
    names = [job.name for job in jobs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"several jobs are named {', '.join(repeated)}; give each its own name")
    if not jobs:
        return {}
    at_once = min(len(jobs), processes or cores())
    level = logging.getLogger("exsitu").getEffectiveLevel()
    context = get_context("spawn")
    reports = context.SimpleQueue()  # what a job said is there when the job has ended
    with (
        _one_thread_each(),
        ProcessPoolExecutor(at_once, context, _begin, (reports, level)) as pool,
        _View(len(jobs), at_once, shown=progress) as view,
    ):
        running = {pool.submit(_work, job): job.name for job in jobs}
        try:
            _follow(running, reports, view)
        except BaseException:
            for process in list(pool._processes.values()):  # noqa: SLF001 - the pool has no way to end what runs
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return _results({name: done for done, name in running.items()})


def _results(ended: Mapping[str, "Future[Any]"]) -> dict[str, Any]:
    errors = {name: error for name, done in ended.items() if (error := done.exception()) is not None}
    strange = [e for e in errors.values() if not isinstance(e, ExsituError | BrokenProcessPool)]
    if strange:
        raise strange[0]
    if errors:
        told = "; ".join(f"{name}: {_reason(error)}" for name, error in errors.items())
        raise InputError(f"{len(errors)} of {len(ended)} jobs failed, the others are done. {told}")
    return {name: done.result() for name, done in ended.items()}


def _reason(error: BaseException) -> str:
    if isinstance(error, BrokenProcessPool):
        return "a process was killed (by hand, or for want of memory); run again, what is done is kept"
    return str(error)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes inherit the environment; libraries read it when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_working: list[str] = [""]


def _begin(reports: Any, level: int) -> None:
    """Set a fresh process up: it speaks through the queue, and ends with its parent."""
    views.report_to(lambda share, words: reports.put((_working[0], share, words)))
    package = logging.getLogger("exsitu")
    package.handlers[:] = [_Passed(reports)]
    package.setLevel(level)
    package.propagate = False
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


class _Passed(logging.Handler):
    """Hands log lines to the parent, which writes them between the bars."""

    def __init__(self, reports: Any) -> None:
        super().__init__()
        self._reports = reports

    def emit(self, record: logging.LogRecord) -> None:
        self._reports.put((_working[0], None, record.getMessage()))


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)


def _work(job: Job) -> Any:
    _working[0] = job.name
    return job.function(**job.arguments)


def _follow(running: Mapping["Future[Any]", str], reports: Any, view: "_View") -> None:
    waiting = set(running)
    while waiting:
        done, waiting = wait(waiting, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
        while not reports.empty():
            view.hear(*reports.get())
        for future in done:
            view.end(running[future], failed=future.exception() is not None)


class _View:
    """A bar over all jobs and one for each that runs; where there is no terminal, a line for each that ends."""

    def __init__(self, jobs: int, at_once: int, *, shown: bool) -> None:
        self._jobs, self._ended, self._begun = jobs, 0, time.monotonic()
        self._shares: dict[str, float] = {}
        self._lines: dict[str, tuple[Any, int]] = {}
        self._free = list(range(1, at_once + 1))
        self._shown = shown
        self._drawn = shown and sys.stderr.isatty()
        self._whole: Any = None

    def __enter__(self) -> Self:
        if self._drawn:
            self._whole = _line("all", 0, total=float(self._jobs))
        return self

    def __exit__(self, *_: object) -> None:
        for line in (*(line for line, _ in self._lines.values()), *filter(None, [self._whole])):
            line.close()

    def hear(self, name: str, share: float | None, words: str) -> None:
        """Take what a process says: how far it is, or a line of its log."""
        if share is None:
            self._say(f"{name}: {words}", logging.INFO)
        elif name not in self._shares or self._shares[name] < 1.0:
            self._shares[name] = min(1.0, max(share, self._shares.get(name, 0.0)))
            if self._drawn:
                self._draw(name, words)

    def end(self, name: str, *, failed: bool) -> None:
        """Count a job as ended."""
        self._ended += 1
        self._shares[name] = 1.0
        if name in self._lines:
            line, place = self._lines.pop(name)
            self._free.append(place)
            line.close()
        self._advance()
        if self._shown:
            left = (time.monotonic() - self._begun) * (self._jobs / sum(self._shares.values()) - 1.0)
            self._say(
                f"{'failed' if failed else 'done'}: {name} ({self._ended} of {self._jobs}, about {left:.0f} s left)",
                logging.WARNING if failed else logging.INFO,
            )

    def _draw(self, name: str, words: str) -> None:
        if name not in self._lines and self._free:
            place = self._free.pop(0)
            self._lines[name] = _line(name, place, total=1.0), place
        if name in self._lines:
            line, _ = self._lines[name]
            line.n = self._shares[name]
            line.set_postfix_str(words)
        self._advance()

    def _advance(self) -> None:
        if self._whole is not None:
            self._whole.n = min(float(self._jobs), sum(self._shares.values()))
            self._whole.set_postfix_str(f"{self._ended} of {self._jobs} done")

    def _say(self, text: str, level: int) -> None:
        if not self._drawn:
            log.log(level, "%s", text)
            return
        from tqdm.contrib.logging import logging_redirect_tqdm

        with logging_redirect_tqdm([logging.getLogger("exsitu")]):
            log.log(level, "%s", text)


def _line(name: str, position: int, *, total: float) -> Any:
    from tqdm import tqdm

    form = "{desc} {percentage:3.0f}%|{bar:20}| {remaining} left{postfix}"
    return tqdm(desc=name, total=total, position=position, leave=position == 0, bar_format=form)
