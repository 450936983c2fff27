"""All cores against one, draws a second of wall time, in turns: a model a core, and one model on all.

Wall time is what counts here, so that the figure is of this machine at this hour: cores that share memory and a clock
do less each when both work. What two independent matrix products reach tells how much.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

from figures import BUDGET_S, REPEATS, rounds, row

from exsitu.parallel import Job, cores, run_jobs

TURNS = 3
BATCHES = (565, 2260, 4520)
"""That of the pretraining, and such as transfers have, where fewer stars carry a label."""


def trained(seed: int, batch: int = 565, of: int = 1) -> float:
    """Draws a second of wall time over five epochs, the first not counted, of a model on so many cores."""
    import training as bench

    settings = bench.load_settings(bench.ROOT / "params.yaml")
    plan = settings.training.model_copy(
        update={"draws_per_star": 5, "accreted_per_batch": round(batch / 113), "cores": of}
    )
    sample, ends = bench.stars(100_000, seed), []
    cut = bench.schedule(sample, plan)
    network = bench.build_network(settings.network, seed=seed)
    bench.train(
        network, sample, bench.stars(2_000), plan, max_epochs=1 + REPEATS, seed=seed,
        on_epoch=lambda *_: ends.append(time.perf_counter()),
    )  # fmt: skip
    return REPEATS * cut.chunks * cut.rows / (ends[-1] - ends[0])


def multiplied(seed: int) -> float:
    """Rounds of matrix products a second of wall time."""
    from figures import products

    del seed
    work, begin = products(), time.perf_counter()
    for _ in range(20):
        work()
    return 20.0 / (time.perf_counter() - begin)


def gain(work: Callable[[int], float]) -> float:
    """What all cores do together over what one does alone, median over turns."""
    ratios = []
    for _ in rounds(TURNS, 1, BUDGET_S):
        rates = [
            sum(run_jobs([Job(f"seed {seed}", work, {"seed": seed}) for seed in range(n)], progress=False).values())
            for n in (1, cores())
        ]
        ratios.append(rates[1] / rates[0])
    return statistics.median(ratios)


def shared(batch: int) -> float:
    """What one model on all cores does over one on one core, median over turns."""

    def alone(of: int) -> float:
        job = Job(f"{of} cores", trained, {"seed": 1, "batch": batch, "of": of})
        return float(sum(run_jobs([job], progress=False).values()))

    return statistics.median(alone(cores()) / alone(1) for _ in rounds(TURNS, 1, BUDGET_S))


def measure() -> list[dict[str, Any]]:
    """Gains of models, of one model, and of bare matrix products."""
    bare = gain(multiplied)
    return [
        row("matrix products, a process a core against one process", bare, "times", limit=float(cores())),
        row("models, a process a core against one process", gain(trained), "times", limit=bare, target=0.9),
        *(
            row(f"one model on all cores against one, batch {batch}", shared(batch), "times", limit=1.6, target=1.0)
            for batch in BATCHES
        ),
    ]
