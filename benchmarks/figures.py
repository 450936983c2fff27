"""What every benchmark needs: works timed in turns, the limit of the machine, and a figure beside its limit."""

import functools
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

REPEATS = 5
BUDGET_S = 60.0
"""Wall time of one comparison in turns; a slow machine makes fewer turns of it, at least one after the first."""
FORWARD_FLOP, STEP_FLOP = 41.2e3, 122.6e3
"""FLOP a star of a network of five inputs and three hidden layers of 100: forward, and forward and backward."""

_PRODUCTS, _SHAPE = 2000, (565, 100, 100)


def row(
    name: str,
    value: float,
    unit: str,
    *,
    limit: float | None = None,
    target: float | None = None,
    smaller: bool = False,
) -> dict[str, Any]:
    """One figure; `ratio` says how near it is to the limit, and `meets` whether that is near enough."""
    ratio = None if limit is None else (limit / value if smaller else value / limit)
    meets = None if ratio is None or target is None else bool(ratio >= target)
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "limit": limit,
        "ratio": ratio,
        "target": target,
        "meets": meets,
    }


def rounds(most: int, least: int, budget_s: float) -> Iterator[int]:
    """Numbers of repetitions: `most`, or fewer (at least `least`) where they take longer than the budget."""
    start = time.perf_counter()
    for number in range(most):
        if number >= least and time.perf_counter() - start > budget_s * number / (number + 1):
            return  # another like the mean of those so far would not fit
        yield number


def in_turns(
    works: Mapping[str, Callable[[], object]], repeats: int = REPEATS, budget_s: float = BUDGET_S
) -> dict[str, float]:
    """Median CPU-seconds of each work, after one round that compiles."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for turn in rounds(repeats + 1, 2, budget_s):
        for name, work in works.items():
            start = time.process_time()
            work()
            if turn:
                spent[name].append(time.process_time() - start)
    return {name: statistics.median(times) for name, times in spent.items()}


def machine() -> str:
    """Processor and cores that figures are of, such as ``"AMD EPYC 9354, 2 cores"``."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    name = next(named, "") or platform.processor() or platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


@functools.cache
def products() -> Callable[[], object]:
    """TensorFlow's own matrix products of the hidden layers' shape, each of what the one before gave."""
    from exsitu.model.runtime import tf

    m, k, n = _SHAPE
    turned = np.linalg.qr(np.random.default_rng(1).standard_normal((k, n)))[0]  # keeps numbers of the size they have
    a, b = tf.random.normal((m, k)), tf.constant(turned, tf.float32)

    @tf.function
    def many() -> Any:
        return tf.while_loop(lambda i, _: i < _PRODUCTS, lambda i, x: (i + 1, tf.matmul(x, b)), (0, a))[1]

    many()
    return lambda: many().numpy()


def flops_of(seconds: float) -> float:
    """FLOP a CPU-second, from the CPU-seconds of `products`."""
    m, k, n = _SHAPE
    return 2.0 * m * k * n * _PRODUCTS / seconds


def sgemm_flops() -> float:
    """FLOP a CPU-second of TensorFlow's own sgemm, now."""
    work = products()
    start = time.process_time()
    work()
    return flops_of(time.process_time() - start)
