"""Scoring in CPU-seconds, beside the limit measured in the same run: in memory, and from Parquet to Parquet.

The limit is TensorFlow's own sgemm at 565 x 100 x 100 on one thread; a star costs 41.2 kFLOP. Alternatives take turns,
so that a busy machine slows all of them alike; each figure is the median of five turns.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from figures import FORWARD_FLOP, REPEATS, flops_of, in_turns, products, rounds, row

from exsitu.phase_space import icrs_to_galactic

ROOT = Path(__file__).parents[1]

IN_MEMORY, PREDICT = 1_000_000, 20_000
STREAMED, NAIVE = 20_000_000, 1_000_000
CURVE = (100_000, 1_000_000, 10_000_000)
DRAWS, DRAWN = 32, 50_000

STREAM_S = 7.0 / 20e6  # asked: CPU-seconds a star
MOST_MEMORY = 1.5e9
STREAM_BUDGET_S = 120.0


def model() -> tuple[Any, Any]:
    """A network of the paper's size, untrained, and its card."""
    from exsitu.model.inputs import input_columns
    from exsitu.model.network import ModelCard, build_network

    domain = dict.fromkeys(input_columns("5D"), (-1000.0, 1000.0))
    card = ModelCard("5D", "measured", (100, 100, 100), domain)
    return build_network(card, seed=1), card


def survey(n: int, seed: int = 1) -> pd.DataFrame:
    """Twelve columns of stars that all pass the cut, in the order of their ids, which have gaps as Gaia's have."""
    rng = np.random.default_rng(seed)
    parallax = rng.uniform(0.1, 3.0, n)
    ra, dec = rng.uniform(0.0, 360.0, n), rng.uniform(-90.0, 90.0, n)
    l, b = icrs_to_galactic(ra, dec)  # noqa: E741 - the field's name
    return pd.DataFrame(
        {
            "source_id": np.sort(rng.integers(1 << 40, size=n)) + (seed << 40),
            "ra": ra,
            "dec": dec,
            "l": l,
            "b": b,
            "pmra": rng.normal(0.0, 10.0, n),
            "pmdec": rng.normal(0.0, 10.0, n),
            "parallax": parallax,
            "parallax_error": 0.05 * parallax,
            "pmra_error": rng.uniform(0.02, 0.2, n).astype(np.float32),
            "pmdec_error": rng.uniform(0.02, 0.2, n).astype(np.float32),
            "radial_velocity": rng.normal(0.0, 50.0, n),
        }
    )


def in_memory() -> list[dict[str, Any]]:
    """Arrays and tables in memory, against sgemm and against `predict`."""
    from exsitu.model.inputs import values_from_frame
    from exsitu.model.scoring import Scorer, network_scores

    network, card = model()
    frame = survey(IN_MEMORY)
    columns = {str(name): frame[name].to_numpy() for name in frame}
    values = values_from_frame(frame, card.inputs)
    scorer = Scorer(network, card, max_fractional_parallax_error=0.1)
    few = {name: column[:DRAWN] for name, column in columns.items()}
    scores = scorer.score_columns(few)[0]
    works: dict[str, Callable[[], object]] = {
        "sgemm": products(),
        "array": lambda: network_scores(network, values),
        "columns": lambda: scorer.score_columns(columns),
        "table": lambda: scorer.score(frame),
        "spread": lambda: scorer.spread_columns(few, scores, few["source_id"], draws=DRAWS, seed=1),
        "predict": lambda: network.predict(values[:PREDICT], verbose=0),
        "large": lambda: network.predict(values, batch_size=65_536, verbose=0),
    }
    spent = in_turns(works)
    limit = flops_of(spent["sgemm"]) / FORWARD_FLOP / 1e6
    rates = {name: IN_MEMORY / seconds / 1e6 for name, seconds in spent.items()}
    rates["predict"] = PREDICT / spent["predict"] / 1e6
    unit = "M stars / CPU-s"
    expected = network.predict(values[:100_000], batch_size=65_536, verbose=0)[:, 0]
    difference = float(np.abs(network_scores(network, values[:100_000]) - expected).max())
    return [
        row("scoring, array to array", rates["array"], unit, limit=limit, target=0.85),
        row("scoring, columns to scores and flags", rates["columns"], unit, limit=limit, target=0.85),
        row("scoring, table to table", rates["table"], unit, limit=limit, target=0.85),
        row("scoring against predict, default batch", rates["table"], unit, limit=rates["predict"], target=50.0),
        row("predict, default batch", rates["predict"], unit, limit=limit),
        row("predict, batch 65,536", rates["large"], unit, limit=limit),
        row(
            f"spread of the score over {DRAWS} draws",
            DRAWN * DRAWS / spent["spread"] / 1e6,
            "M draws / CPU-s",
            limit=limit,
        ),
        row("largest difference to predict", difference, "S", limit=1e-6, target=1.0, smaller=True),
    ]


def curve() -> list[dict[str, Any]]:
    """Cost of a star by number of stars; flat means that the largest table costs no more a star than the smallest."""
    from exsitu.model.scoring import Scorer

    network, card = model()
    scorer = Scorer(network, card, max_fractional_parallax_error=0.1)
    whole = survey(max(CURVE))
    columns = {name: whole[name].to_numpy() for name in scorer.columns}
    del whole

    def scored(n: int) -> Callable[[], object]:
        part = {name: column[:n] for name, column in columns.items()}
        return lambda: scorer.score_columns(part)

    spent = in_turns({str(n): scored(n) for n in CURVE})
    cost = {n: spent[str(n)] / n * 1e6 for n in CURVE}
    first = cost[CURVE[0]]
    return [
        row(f"scoring {n:,} stars", cost[n], "CPU-s / M stars", limit=first, target=0.9, smaller=True) for n in CURVE
    ]


def chunks(n: int, size: int = 1 << 17) -> Iterator[pd.DataFrame]:
    """A survey of any size, chunk by chunk."""
    for seed, start in enumerate(range(0, n, size)):
        yield survey(min(size, n - start), seed)


def streamed(n: int = STREAMED) -> list[dict[str, Any]]:
    """Parquet to Parquet in a process of its own, and what a careful user writes with pandas beside it."""
    from exsitu.model.network import save_model
    from exsitu.provenance import write_json
    from exsitu.tables import write_parquet

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        network, card = model()
        save_model(folder, network, card)
        write_json(folder / "recipe.json", {"cut": 0.5})
        write_parquet(folder / "stars.parquet", chunks(n))
        write_parquet(folder / "few.parquet", chunks(NAIVE))
        ours = _alone("stream", folder)
        naive = _alone("naive", folder)
    limit = n * FORWARD_FLOP / ours["flops"]
    name = f"{n / 1e6:.0f} M stars, Parquet to Parquet"
    return [
        row(name, ours["seconds"], "CPU-s", limit=n * STREAM_S, target=1.0, smaller=True),
        row(f"{name}: against the limit of its products", ours["seconds"], "CPU-s", limit=limit, smaller=True),
        row(f"{name}: spent in the network", ours["network"], "CPU-s", limit=limit, smaller=True),
        row(f"{name}: memory", ours["memory"] / 1e9, "GB", limit=MOST_MEMORY / 1e9, target=1.0, smaller=True),
        row(f"{name}: pandas and predict", naive["seconds"] * n / NAIVE, "CPU-s", limit=limit, smaller=True),
    ]


def _alone(what: str, folder: Path) -> dict[str, float]:
    said = subprocess.run(
        [sys.executable, __file__, what, str(folder)], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    found: dict[str, float] = json.loads(said.stdout.splitlines()[-1])
    return found


def _stream(folder: Path) -> dict[str, float]:
    """Medians over runs of `exsitu score`, with the share of the network and sgemm's speed in the same minutes."""
    from exsitu.model import compiled as blocks
    from exsitu.settings import load_settings
    from exsitu.stages.score import score

    settings, sgemm = load_settings(ROOT / "params.yaml"), products()
    times: dict[str, list[float]] = {"seconds": [], "network": [], "sgemm": []}
    plain = blocks.Blocks.__call__

    def timed(self: Any, values: Any) -> Any:
        start = time.process_time()
        found = plain(self, values)
        times["network"][-1] += time.process_time() - start
        return found

    blocks.Blocks.__call__ = timed  # type: ignore[method-assign]

    def run(name: str) -> Callable[[], object]:
        places = {"output": folder / "scores.parquet", "model": folder, "champion_file": folder, "models": ()}
        return lambda: score(settings, folder / name, **places)

    for turn in rounds(REPEATS + 1, 2, STREAM_BUDGET_S):
        times["network"].append(0.0)
        # Products are short beside a run, so that more of them are needed for a limit as firm.
        works = {"sgemm": sgemm, "seconds": run("stars.parquet" if turn else "few.parquet")}
        for name in ("sgemm",) * REPEATS + ("seconds",) + ("sgemm",) * REPEATS:
            start = time.process_time()
            works[name]()
            times[name].append(time.process_time() - start)
    middle = {name: statistics.median(spent[1:]) for name, spent in times.items()}
    return {**middle, "flops": flops_of(middle["sgemm"]), "memory": most_memory()}


def most_memory() -> float:
    """Most bytes this process has held; what `getrusage` says begins at what its parent held."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return 1024.0 * float(status["VmHWM"].split()[0])


def _naive(folder: Path) -> dict[str, float]:
    """The whole table in pandas, one large `predict`."""
    from exsitu.model.network import load_model

    network, card = load_model(folder)

    def run() -> None:
        frame = pd.read_parquet(folder / "few.parquet")
        ratio = frame["parallax_error"] / frame["parallax"]
        kept = frame[(ratio > 0.0) & (ratio < 0.1)]
        scores = network.predict(kept[list(card.inputs)].to_numpy(np.float32), batch_size=65_536, verbose=0)[:, 0]
        kept[["source_id"]].assign(score=scores).to_parquet(folder / "naive.parquet", compression="zstd")

    return {"seconds": in_turns({"naive": run})["naive"]}


def measure() -> list[dict[str, Any]]:
    """All figures of scoring."""
    return [*in_memory(), *curve(), *streamed()]


def main() -> None:
    """Print the figures, or one part's of them for the process that asked."""
    if len(sys.argv) > 2:
        print(json.dumps({"stream": _stream, "naive": _naive}[sys.argv[1]](Path(sys.argv[2]))))
        return
    for figure in measure():
        print(json.dumps(figure))


if __name__ == "__main__":
    main()
