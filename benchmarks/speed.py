"""Training and scoring in CPU-seconds, beside the limit measured in the same run: `make bench`.

The limit is TensorFlow's own sgemm at the network's hidden shape (565 x 100 x 100), on one thread. A star costs 41.2
kFLOP forward and 122.6 kFLOP forward and backward in a network of three hidden layers of 100. Medians of five.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from exsitu.model.inputs import Stars, input_columns
from exsitu.model.network import ModelCard, build_network
from exsitu.model.runtime import configure, tf
from exsitu.model.scoring import Scorer
from exsitu.model.training import train
from exsitu.settings import load_settings

ROOT = Path(__file__).parents[1]
REPEATS = 5
FORWARD_FLOP, STEP_FLOP = 41.2e3, 122.6e3


def median_cpu_seconds(work: Callable[[], object]) -> float:
    """Median CPU time of a few runs, after one that compiles."""
    work()
    spent = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return statistics.median(spent)


def sgemm_flops() -> float:
    """FLOP a CPU-second of a matrix product of the hidden layers' shape."""
    a, b = tf.random.normal((565, 100)), tf.random.normal((100, 100))
    many = 2000

    @tf.function
    def products() -> object:
        return tf.while_loop(lambda i, _: i < many, lambda i, x: (i + 1, tf.matmul(x, b) * 1e-2), (0, a))

    return 2.0 * 565 * 100 * 100 * many / median_cpu_seconds(products)


def stars(n: int) -> Stars:
    """Random inputs of the right size, one in 113 accreted, so that a batch has 565."""
    rng = np.random.default_rng(1)
    columns = input_columns("5D")
    values = rng.normal(size=(n, 5)).astype(np.float32) + np.array([0, 0, 0, 0, 2], np.float32)
    label = (np.arange(n) % 113 == 0).astype(np.float32)
    return Stars(values, np.abs(values) * np.float32(0.01), label, columns)


def training_rate() -> float:
    """Draws a CPU-second; the difference of two lengths of training takes compilation out."""
    settings = load_settings(ROOT / "params.yaml")
    sample, few = stars(200_000), stars(2_000)

    def spent(draws: int) -> float:
        plan = settings.training.model_copy(update={"draws_per_star": draws})
        network = build_network(settings.network, seed=1)
        start = time.process_time()
        train(network, sample, few, plan, max_epochs=1, seed=1)
        return time.process_time() - start

    spent(2)
    differences = [spent(12) - spent(2) for _ in range(REPEATS)]
    return 10 * len(sample) / statistics.median(differences)


def scoring_rate() -> float:
    """Stars a CPU-second, from table to table, parallax cut and flags included."""
    n = 1_000_000
    columns = input_columns("5D")
    frame = pd.DataFrame(stars(n).values, columns=list(columns)).astype(np.float64)
    frame = frame.assign(parallax=2.0, parallax_error=0.05)
    card = ModelCard("5D", "measured", (100, 100, 100), domain=dict.fromkeys(columns, (-100.0, 100.0)))
    scorer = Scorer(build_network(card, seed=1), card, max_fractional_parallax_error=0.1)
    return n / median_cpu_seconds(lambda: scorer.score(frame))


def main() -> None:
    """Measure, print, and write ``benchmarks/RESULTS.md``."""
    configure(threads=1)
    flops = sgemm_flops()
    rows = [
        ("training, batch 565", training_rate(), flops / STEP_FLOP, "draws"),
        ("scoring, table to table", scoring_rate(), flops / FORWARD_FLOP, "stars"),
    ]
    lines = [
        "# Speed",
        "",
        f"Made by `make bench` on one thread; sgemm here: {flops / 1e9:.0f} GFLOP/s.",
        "",
        "| what | M a CPU-second | limit here | of the limit |",
        "|---|---|---|---|",
        *(
            f"| {n} ({unit}) | {v / 1e6:.2f} | {limit / 1e6:.2f} | {100 * v / limit:.0f} % |"
            for n, v, limit, unit in rows
        ),
        "",
    ]
    text = "\n".join(lines)
    (ROOT / "benchmarks" / "RESULTS.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
