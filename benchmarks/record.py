"""What takes long, measured once: the paper's training from ten minutes of it, and a survey of Gaia's size scored.

The paper trained on 178 million stars, 20 draws each, for 50 epochs. Here a training on a file of five million stars
runs for at least ten minutes; its cost of a draw, validation included, times the paper's draws is what the paper's
training would take on one core of this machine.
"""

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

import training as bench
from figures import STEP_FLOP, row, sgemm_flops
from scoring import streamed

PAPER_DRAWS = (176_842_422 + 1_427_323) * 20.0 * 50.0
STARS, PASSES, LEAST_S = 5_000_000, 10, 600.0
SURVEY = 72_000_000


class _LongEnough(Exception):  # noqa: N818 - it ends the run, and is no error
    """Ten minutes have passed."""


def measure() -> list[dict[str, Any]]:
    """All figures, each named as one for the record."""
    return [{**figure, "name": f"for the record: {figure['name']}"} for figure in (*_training(), *streamed(SURVEY))]


def _training() -> list[dict[str, Any]]:
    settings = bench.load_settings(bench.ROOT / "params.yaml")
    plan = settings.training.model_copy(update={"draws_per_star": PASSES, "stop_patience": 1000})
    ends: list[tuple[float, float]] = []
    limits = [sgemm_flops()]

    def count(*_: object) -> None:
        ends.append((time.process_time(), time.perf_counter()))
        limits.append(sgemm_flops())
        if ends[-1][1] - ends[0][1] > LEAST_S:
            raise _LongEnough

    with tempfile.TemporaryDirectory() as folder:
        held = bench.write_table(
            Path(folder) / "rows", (bench.stars(100_000, seed) for seed in range(STARS // 100_000)), seed=1
        )
        cut = bench.schedule(held, plan)
        network = bench.build_network(settings.network, seed=1)
        with contextlib.suppress(_LongEnough):
            bench.train(network, held, bench.stars(50_000), plan, max_epochs=1000, seed=1, on_epoch=count)
    draws = (len(ends) - 1) * cut.chunks * cut.rows
    each = (ends[-1][0] - ends[0][0]) / draws
    limit = STEP_FLOP / (sum(limits) / len(limits))
    hours = PAPER_DRAWS / 3600.0
    return [
        row("a training of at least ten minutes", ends[-1][1] - ends[0][1], "s of wall time"),
        row("draws in it", draws / 1e6, "M"),
        row(
            "the paper's 178 M stars x 20 draws x 50 epochs",
            each * hours,
            "core-hours",
            limit=limit * hours,
            smaller=True,
        ),
    ]
