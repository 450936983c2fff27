"""What every benchmark needs: works timed in turns, the limit of the machine, and a figure beside its limit."""

import functools
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

REPEATS = 5
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


def in_turns(works: Mapping[str, Callable[[], object]], repeats: int = REPEATS) -> dict[str, float]:
    """Median CPU-seconds of each work, after one round that compiles."""
    spent: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            start = time.process_time()
            work()
            if turn:
                spent[name].append(time.process_time() - start)
    return {name: statistics.median(times) for name, times in spent.items()}


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
