"""Training in CPU-seconds, beside the limit and what a careful user would write, all in turns in one process.

The limit is TensorFlow's own sgemm at the network's hidden shape (565 x 100 x 100) on one thread; a draw costs 122.6
kFLOP forward and backward. The careful user resamples arrays with NumPy before each pass and calls `fit`. Rates
are of epochs after the first one, which compiles; the limit is measured between epochs. Medians of five.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from figures import REPEATS, STEP_FLOP, rounds, row, sgemm_flops

from exsitu.model.blocks import Table, write_table
from exsitu.model.inputs import TABLE_2, Stars, input_columns
from exsitu.model.network import build_network
from exsitu.model.runtime import keras
from exsitu.model.training import class_weights, schedule, train
from exsitu.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
SEEDS, PASSES = 18, 10  # of five seeds the means differ by as much as their spread, as those of one training do
LEAST_SEEDS, LEARNING_BUDGET_S = 6, 150.0
CURVE = (100_000, 1_000_000, 10_000_000)
UNIT = "M draws / CPU-s"


def stars(n: int, seed: int = 1, *, covariance: bool = False) -> Stars:
    """
    Two overlapping populations with the errors a 5D network sees (none in l and b), one star in 113 accreted.

    That gives batches of 565, as in the paper.
    """
    rng = np.random.default_rng(seed)
    columns = input_columns("5D")
    mean, sigma = np.array([TABLE_2[name] for name in columns], np.float32).T
    label = (np.arange(n) % 113 == 0).astype(np.float32)
    units = rng.standard_normal((n, 5), np.float32) * (1 + label[:, None] * np.float32([0, 0.3, 1.0, 1.0, 0.5]))
    values = mean + sigma * units
    values[:, 0] = np.clip(values[:, 0], -179, 179)
    errors = sigma * rng.uniform(0.01, 0.3, (n, 5)).astype(np.float32)
    errors[:, :2] = 0
    correlations = rng.uniform(-0.3, 0.3, (n, 3)).astype(np.float32) if covariance else None
    return Stars(values, errors, label, columns, correlations=correlations)


class Pace:
    """
    Rates of one stretch of training after another, each between two measurements of the limit.

    Call it at the end of each stretch; the first one, which compiles, does not count.
    """

    def __init__(self, draws: float) -> None:
        self._draws, self._begin = draws, 0.0
        self.rates: list[float] = []
        self.limits: list[float] = []

    def __call__(self, *_: object) -> None:
        """Take the time, measure the limit, and start the next stretch."""
        if self._begin:
            self.rates.append(self._draws / (time.process_time() - self._begin))
        self.limits.append(sgemm_flops() / STEP_FLOP)
        self._begin = time.process_time()

    @property
    def share(self) -> float:
        """Median of rate over limit."""
        around = [(a + b) / 2 for a, b in itertools.pairwise(self.limits)]
        return statistics.median(rate / limit for rate, limit in zip(self.rates, around, strict=True))


def ours(settings: Settings, sample: Stars | Table, few: Stars, passes: int, epochs: int = 1 + REPEATS) -> Pace:
    """Pace of our training, a stretch an epoch."""
    plan = settings.training.model_copy(update={"draws_per_star": passes})
    cut = schedule(sample, plan)
    pace = Pace(cut.chunks * cut.rows)
    train(build_network(settings.network, seed=1), sample, few, plan, max_epochs=epochs, seed=1, on_epoch=pace)
    return pace


def careful_fit(settings: Settings, sample: Stars, passes: int, seed: int, pace: Callable[[], object]) -> Any:
    """What a careful user writes: NumPy resamples the arrays before each pass, `fit` trains on them."""
    network = build_network(settings.network, seed=seed)
    logits = keras.Model(network.inputs, network.get_layer("last").output)
    logits.compile(
        keras.optimizers.Adam(settings.training.learning_rate),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=True,
    )
    in_situ, accreted = class_weights(sample, settings.training)
    weight = np.where(sample.label > 0, np.float32(accreted), np.float32(in_situ))
    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    batch = schedule(sample, settings.training).batch
    for _ in range(passes):
        drawn = sample.values + sample.errors * rng.standard_normal(sample.values.shape, np.float32)
        logits.fit(drawn, sample.label, sample_weight=weight, batch_size=batch, epochs=1, verbose=0)
        pace()
    return network


def loss_of(network: Any, sample: Stars, weights: tuple[float, float]) -> float:
    """Weighted cross-entropy of one fixed draw of each star."""
    drawn = sample.values + sample.errors * np.random.default_rng(0).standard_normal(sample.values.shape, np.float32)
    score = np.clip(network.predict(drawn, batch_size=1 << 14, verbose=0)[:, 0].astype(np.float64), 1e-7, 1 - 1e-7)
    accreted = sample.label > 0
    return float(np.mean(np.where(accreted, -weights[1] * np.log(score), -weights[0] * np.log(1 - score))))


def learning(settings: Settings, passes: int = PASSES) -> tuple[list[float], list[float]]:
    """Validation losses of our training and of the careful user's, after equal draws, by seed."""
    sample, validation, few = stars(50_000, 1), stars(50_000, 2), stars(2_000, 3)
    weights = class_weights(sample, settings.training)
    plan = settings.training.model_copy(update={"draws_per_star": passes})
    found: tuple[list[float], list[float]] = ([], [])
    for seed in rounds(SEEDS, LEAST_SEEDS, LEARNING_BUDGET_S):
        network = build_network(settings.network, seed=seed)
        train(network, sample, few, plan, max_epochs=1, seed=seed)
        found[0].append(loss_of(network, validation, weights))
        found[1].append(loss_of(careful_fit(settings, sample, passes, seed, lambda: None), validation, weights))
    return found


def measure() -> list[dict[str, Any]]:
    """All figures of training."""
    settings = load_settings(ROOT / "params.yaml")
    return [*_rates(settings), *_learning_rows(settings), *_curve(settings)]


def _rates(settings: Settings) -> list[dict[str, Any]]:
    """Rates beside the limit, and beside the careful user's."""
    plain, few = stars(200_000), stars(2_000)
    full, few_full = stars(200_000, covariance=True), stars(2_000, covariance=True)
    theirs = Pace(len(plain))
    careful_fit(settings, plain, 1 + REPEATS, 1, theirs)
    paces = {
        "training, batch 565": ours(settings, plain, few, 5),
        "training, full covariance": ours(settings, full, few_full, 5),
        "fit on arrays resampled with NumPy": theirs,
    }
    limit = statistics.median(itertools.chain.from_iterable(pace.limits for pace in paces.values())) / 1e6
    rates = {name: pace.share * limit for name, pace in paces.items()}
    targets = {"training, batch 565": 0.8}
    mine, other = rates["training, batch 565"], rates["fit on arrays resampled with NumPy"]
    return [
        *(row(name, rate, UNIT, limit=limit, target=targets.get(name)) for name, rate in rates.items()),
        row("training against that fit", mine, UNIT, limit=other, target=3.0),
        row("the limit itself against that fit", limit, UNIT, limit=other),
    ]


def _learning_rows(settings: Settings) -> list[dict[str, Any]]:
    """Losses after equal draws, and their difference beside the spread over seeds."""
    mine, theirs = learning(settings)
    spread, difference = statistics.stdev(theirs), abs(statistics.mean(mine) - statistics.mean(theirs))
    draws = f"{PASSES * 50_000 / 1e6:g} M draws"
    return [
        row(f"validation loss after {draws}", statistics.mean(mine), "nat"),
        row(f"validation loss after {draws}, that fit", statistics.mean(theirs), "nat"),
        row("difference of the two, and the spread of that fit over seeds", difference, "nat", limit=spread, target=1.0,
            smaller=True),
    ]  # fmt: skip


def _curve(settings: Settings) -> list[dict[str, Any]]:
    """Cost of a draw by number of stars, from memory and from a file; flat is what it has to be."""
    few, costs = stars(2_000), {}
    for n in CURVE:
        with tempfile.TemporaryDirectory() as folder:
            held = write_table(Path(folder) / "rows", (stars(100_000, seed) for seed in range(n // 100_000)), seed=1)
            pace = ours(settings, held, few, max(1, 1_000_000 // n), epochs=3 if n > 1_000_000 else 1 + REPEATS)
        costs[n] = 1.0 / pace.share
    first = costs[CURVE[0]]
    return [
        row(
            f"training on {n:,} stars from a file",
            cost,
            "times the limit's CPU-s",
            limit=first,
            target=0.9,
            smaller=True,
        )
        for n, cost in costs.items()
    ]
