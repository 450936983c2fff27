"""What every benchmark needs: works timed in turns, and a figure beside its limit."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

REPEATS = 5


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
