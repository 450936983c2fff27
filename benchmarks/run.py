"""`make bench`: every figure beside its limit, into ``benchmarks/RESULTS.md`` and ``benchmarks/results.json``.

Each part is measured in a process of its own, on one thread. Parts named on the command line are measured alone, and
the other figures stay as they are; `make bench-record` is such a part, of what takes long.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PARTS = ("startup", "coordinates", "scoring", "training", "side_by_side")
RECORD = ("record",)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def measured(part: str) -> list[dict[str, Any]]:
    """Figures of a part, from a process of its own."""
    print(f"measuring {part} ...", file=sys.stderr, flush=True)
    command = [sys.executable, __file__, "--part", part]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD})
    found: list[dict[str, Any]] = json.loads(said.stdout.splitlines()[-1])
    return found


def page(figures: list[dict[str, Any]]) -> str:
    """Figures as Markdown."""
    lines = [
        "# Speed",
        "",
        "Made by `make bench` and `make bench-record`; the same as data in `results.json`. CPU-seconds and ratios, on",
        "one thread unless a line says otherwise. The limit of training and scoring is TensorFlow's sgemm, taken in",
        "the same run at the network's hidden shape; other limits are what the line names.",
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


def write(fresh: list[dict[str, Any]], parts: tuple[str, ...]) -> None:
    """Put fresh figures in the place of those of the same name; all parts together leave what is for the record."""
    data = HERE / "results.json"
    before = json.loads(data.read_text(encoding="utf-8")) if data.is_file() else []
    kept = [figure for figure in before if parts != PARTS or figure["name"].startswith("for the record: ")]
    named = {figure["name"]: figure for figure in (*kept, *fresh)}
    data.write_text(json.dumps(list(named.values()), indent=1) + "\n", encoding="utf-8")
    (HERE / "RESULTS.md").write_text(page(list(named.values())), encoding="utf-8")


def main() -> None:
    """Measure the parts named, or all; or one, for the process that asked."""
    if sys.argv[1:2] == ["--part"]:
        print(json.dumps(importlib.import_module(sys.argv[2]).measure()))
        return
    parts = tuple(sys.argv[1:]) or PARTS
    unknown = sorted({*parts} - {*PARTS, *RECORD})
    if unknown:
        raise SystemExit(f"no part {', '.join(unknown)}; known: {', '.join((*PARTS, *RECORD))}")
    fresh = [figure for part in parts for figure in measured(part)]
    write(fresh, parts)
    print((HERE / "RESULTS.md").read_text(encoding="utf-8"))
    missed = [figure["name"] for figure in fresh if figure["meets"] is False]
    print(f"{len(missed)} of {len(fresh)} figures miss what was asked: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()
