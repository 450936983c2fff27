"""What a training step spends its time on: XLA's own record of each kernel, taken while an epoch runs.

Run in a process of its own, because XLA reads its flags once. Large products are those of two hidden layers, six a
step. What draws cost is the difference to a training on stars without errors.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from figures import row

ROOT = Path(__file__).parents[1]
STARS, PASSES = 100_000, 4


def measure() -> list[dict[str, Any]]:
    """Microseconds of a step by kind of work, and the share of the step."""
    env = {**os.environ, "XLA_FLAGS": "--xla_cpu_enable_xprof_traceme=true"}
    said = subprocess.run([sys.executable, __file__], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=env)
    spent = json.loads(said.stdout.splitlines()[-1])
    whole = spent["whole step"]
    return [row(f"of a step: {name}", time, "us", limit=whole) for name, time in spent.items()]


def _kernels(sample: Any) -> tuple[Counter[str], int]:
    """Picoseconds of each kernel in one epoch, and the number of optimiser steps."""
    import training as bench

    from exsitu.model.runtime import tf

    settings = bench.load_settings(ROOT / "params.yaml")
    plan = settings.training.model_copy(update={"draws_per_star": PASSES})
    cut = bench.schedule(sample, plan)
    with tempfile.TemporaryDirectory() as folder:

        def between(epoch: int, _: object) -> None:
            {2: lambda: tf.profiler.experimental.start(folder), 3: tf.profiler.experimental.stop}.get(epoch, int)()

        network = bench.build_network(settings.network, seed=1)
        bench.train(network, sample, bench.stars(2_000), plan, max_epochs=3, seed=1, on_epoch=between)
        return _durations(Path(folder)), cut.chunks * cut.steps_per_chunk


def _durations(folder: Path) -> Counter[str]:
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(next(folder.rglob("*.xplane.pb")).read_bytes())
    spent: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                spent[plane.event_metadata[event.metadata_id].name] += event.duration_ps
    return spent


def _kinds(spent: Counter[str], steps: int) -> dict[str, float]:
    """Microseconds of a step by kind."""
    each = {name: time / steps / 1e6 for name, time in spent.items()}
    whole = max((time for name, time in each.items() if re.fullmatch(r"while(\.\d+)*", name)), default=0.0)
    products = sorted((time for name, time in each.items() if re.match(r"MatMul", name)), reverse=True)
    fused = sum(t for name, t in each.items() if re.search(r"fusion|^wrapped_|^copy", name) and "end:" not in name)
    large, small = sum(products[:6]), sum(products[6:])
    return {
        "whole step": whole,
        "six large products": large,
        "other products": small,
        "element by element, sums, Adam, draws": fused,
        "starting kernels": whole - large - small - fused,
    }


def main() -> None:
    """Print the microseconds as JSON."""
    import dataclasses

    import numpy as np
    import training as bench

    sample = bench.stars(STARS)
    spent = _kinds(*_kernels(sample))
    exact = dataclasses.replace(sample, errors=np.zeros_like(sample.errors))
    spent["of these the draws"] = spent["whole step"] - _kinds(*_kernels(exact))["whole step"]
    print(json.dumps(spent))


if __name__ == "__main__":
    main()
