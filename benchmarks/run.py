"""`make bench`: every figure beside its limit, into ``benchmarks/RESULTS.md`` and ``benchmarks/results.json``.

Each part is measured in a process of its own, on one thread, and written as it ends, with the time it took and the
machine. Slow machines repeat less (`figures.rounds`), and a part that is still not done at its limit is ended and said.
Parts named on the command line are measured alone, and the other figures stay as they are; `make bench-record` is such
a part, of what takes long.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from figures import machine, row

HERE = Path(__file__).parent
PARTS = {"startup": 60.0, "coordinates": 180.0, "scoring": 420.0, "training": 420.0, "side_by_side": 420.0}
"""Wall time after which a part is ended, s: together 25 minutes, which no machine should need."""
RECORD = {"record": 7200.0}
PREFIX = "time of the part "
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def measured(part: str, limit_s: float) -> list[dict[str, Any]]:
    """Figures of a part, from a process of its own, and the time it took; that alone if it had to be ended."""
    print(f"measuring {part} (at most {limit_s / 60:.0f} min) ...", file=sys.stderr, flush=True)
    command = [sys.executable, __file__, "--part", part]
    start = time.perf_counter()
    found: list[dict[str, Any]] = []
    ended = ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD}, process_group=0
    ) as child:
        try:
            said, _ = child.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            ended = ", ended at its limit: its figures are older or lacking"
        else:
            if child.returncode:
                raise SystemExit(f"part {part} ended with status {child.returncode}; what was measured before is kept")
            found = json.loads(said.splitlines()[-1])
    took = row(f"{PREFIX}{part}{ended}", time.perf_counter() - start, f"s of wall time on {machine()}")
    return [{**figure, "part": part} for figure in (*found, took)]


def page(figures: list[dict[str, Any]]) -> str:
    """Figures as Markdown."""
    lines = [
        "# Speed",
        "",
        "Made by `make bench` and `make bench-record`; the same as data in `results.json`. CPU-seconds and ratios, on",
        "one thread unless a line says otherwise. The limit of training and scoring is TensorFlow's sgemm, taken in",
        "the same run at the network's hidden shape; other limits are what the line names. Each part ends with the",
        "time it took and the machine it was measured on; a slower machine takes longer, and repeats less.",
        "",
        "| what | figure | limit | ratio | asked | met |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, figures), ""])


def _line(figure: dict[str, Any]) -> str:
    def shown(number: float | None) -> str:
        return "" if number is None else f"{number:.3g}"

    met = {True: "yes", False: "**no**", None: ""}[figure["meets"]]
    numbers = f"{shown(figure['limit'])} | {shown(figure['ratio'])} | {shown(figure['target'])}"
    return f"| {figure['name']} | {figure['value']:.4g} {figure['unit']} | {numbers} | {met} |"


def write(fresh: list[dict[str, Any]], part: str, folder: Path = HERE) -> None:
    """Put the figures of a part in the place of its older ones; if it gave but its time, those stay."""
    data = folder / "results.json"
    before = json.loads(data.read_text(encoding="utf-8")) if data.is_file() else []
    names = {figure["name"] for figure in fresh}
    whole = len(fresh) > 1

    def replaced(figure: dict[str, Any]) -> bool:
        times = figure["name"].startswith(PREFIX)
        return figure["name"] in names or (figure.get("part") == part and (whole or times))

    order = [*PARTS, *RECORD]
    figures = [*(figure for figure in before if not replaced(figure)), *fresh]
    figures.sort(key=lambda figure: order.index(figure["part"]) if figure.get("part") in order else len(order))
    data.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / "RESULTS.md").write_text(page(figures), encoding="utf-8")


def main() -> None:
    """Measure the parts named, or all; or one, for the process that asked."""
    if sys.argv[1:2] == ["--part"]:
        print(json.dumps(importlib.import_module(sys.argv[2]).measure()))
        return
    limits = {**PARTS, **RECORD}
    parts = tuple(sys.argv[1:]) or tuple(PARTS)
    if unknown := sorted({*parts} - {*limits}):
        raise SystemExit(f"no part {', '.join(unknown)}; known: {', '.join(limits)}")
    fresh: list[dict[str, Any]] = []
    for part in parts:
        found = measured(part, limits[part])
        write(found, part)
        fresh += found
    print((HERE / "RESULTS.md").read_text(encoding="utf-8"))
    missed = [figure["name"] for figure in fresh if figure["meets"] is False]
    print(f"{len(missed)} of {len(fresh)} figures miss what was asked: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()
