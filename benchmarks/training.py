"""Training in CPU-seconds, beside the limit and what a careful user would write, all in turns in one process.

The limit is TensorFlow's own sgemm at the network's hidden shape (565 x 100 x 100) on one thread; a draw costs 122.6
kFLOP forward and backward. The careful user resamples arrays with NumPy before each pass and calls `fit`. Rates
are of epochs after the first one, which compiles; the limit is measured between epochs. Medians of five.
Run as ``python benchmarks/training.py [--quick]``; `measure` gives the rows.
"""

import argparse
import functools
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from exsitu.model.blocks import Table, write_table
from exsitu.model.inputs import TABLE_2, Stars, input_columns
from exsitu.model.network import build_network
from exsitu.model.runtime import configure, keras, tf
from exsitu.model.training import class_weights, schedule, train
from exsitu.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
ROUNDS, SEEDS = 5, 5
PRODUCTS = 3000
STEP_FLOP = 122.6e3
TARGETS = {"training, batch 565": 0.8}
PASSES = 10


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


@functools.cache
def _products() -> Any:
    a, b = tf.random.normal((565, 100)), tf.random.normal((100, 100))

    @tf.function
    def products() -> Any:
        return tf.while_loop(lambda i, _: i < PRODUCTS, lambda i, x: (i + 1, tf.matmul(x, b) * 1e-2), (0, a))

    products()
    return products


def sgemm_flops() -> float:
    """FLOP a CPU-second of a matrix product of the hidden layers' shape."""
    products = _products()
    start = time.process_time()
    products()[1].numpy()
    return 2.0 * 565 * 100 * 100 * PRODUCTS / (time.process_time() - start)


def ours(settings: Settings, sample: Stars | Table, few: Stars, passes: int) -> Pace:
    """Pace of our training, a stretch an epoch."""
    plan = settings.training.model_copy(update={"draws_per_star": passes})
    cut = schedule(sample, plan)
    pace = Pace(cut.chunks * cut.rows)
    train(build_network(settings.network, seed=1), sample, few, plan, max_epochs=1 + ROUNDS, seed=1, on_epoch=pace)
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
    for seed in range(SEEDS):
        network = build_network(settings.network, seed=seed)
        train(network, sample, few, plan, max_epochs=1, seed=seed)
        found[0].append(loss_of(network, validation, weights))
        found[1].append(loss_of(careful_fit(settings, sample, passes, seed, lambda: None), validation, weights))
    return found


def _row(
    name: str, value: float, unit: str, *, limit: float | None = None, target: float | None = None, least: bool = True
) -> dict[str, Any]:
    """One figure; what the target is held against is the share of the limit where there is one."""
    ratio = None if limit is None else value / limit
    held = value if ratio is None else ratio
    meets = None if target is None else bool(held >= target if least else held <= target)
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "limit": limit,
        "ratio": ratio,
        "target": target,
        "meets": meets,
    }


def measure(*, quick: bool = False) -> list[dict[str, Any]]:
    """Measure all; `quick` leaves the curve and the comparison of learning out."""
    settings = load_settings(ROOT / "params.yaml")
    plain, few = stars(200_000), stars(2_000)
    full, few_full = stars(200_000, covariance=True), stars(2_000, covariance=True)
    resampled = "fit on arrays resampled with NumPy"
    paces = {
        "training, batch 565": ours(settings, plain, few, 5),
        resampled: Pace(len(plain)),
        "training, full covariance": ours(settings, full, few_full, 5),
    }
    careful_fit(settings, plain, 1 + ROUNDS, 1, paces[resampled])
    with tempfile.TemporaryDirectory() as folder:
        held = write_table(Path(folder) / "rows", (stars(200_000, seed) for seed in range(5)), seed=1)
        paces["training, 1 M stars from a file"] = ours(settings, held, few, 1)
    limit = statistics.median(itertools.chain.from_iterable(pace.limits for pace in paces.values()))
    rows = [
        _row(name, pace.share * limit, "draws/cpu-s", limit=limit, target=TARGETS.get(name))
        for name, pace in paces.items()
    ]
    over = paces["training, batch 565"].share / paces[resampled].share
    rows.append(_row("training over that fit", over, "times", target=3.0))
    return rows if quick else [*rows, *_learning_rows(settings), *_curve(settings, few)]


def _learning_rows(settings: Settings) -> list[dict[str, Any]]:
    """Losses after equal draws, and their difference in units of the spread over seeds."""
    mine, theirs = learning(settings)
    spread = statistics.stdev(theirs)
    return [
        _row("loss after 0.5 M draws", statistics.mean(mine), "nat"),
        _row("loss after 0.5 M draws, that fit", statistics.mean(theirs), "nat"),
        _row("their seeds' spread", spread, "nat"),
        _row(
            "difference of the losses",
            abs(statistics.mean(mine) - statistics.mean(theirs)) / spread,
            "spreads",
            target=1.0,
            least=False,
        ),
    ]


def _curve(settings: Settings, few: Stars) -> list[dict[str, Any]]:
    """Share of the limit against the number of stars."""
    rows = []
    for n in (100_000, 1_000_000, 5_000_000):
        pace = ours(settings, stars(n), few, max(1, 500_000 // n))
        rows.append(_row(f"share of the limit, {n:,} stars", pace.share, "of 1"))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    configure(threads=1)
    print("| what | value | of the limit | target | meets |\n|---|---|---|---|---|")
    for row in measure(quick=parser.parse_args().quick):
        share = "" if row["ratio"] is None else f"{100 * row['ratio']:.0f} %"
        target = "" if row["target"] is None else f"{row['target']:g}"
        print(f"| {row['name']} | {row['value']:.4g} {row['unit']} | {share} | {target} | {row['meets'] or ''} |")


if __name__ == "__main__":
    main()
