"""`make bench` writes each part as it ends, names the machine, and ends or shortens what takes too long."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest


def module(repository, name):
    """A file of benchmarks/, loaded as a script beside it would."""
    folder = str(repository / "benchmarks")
    sys.path.insert(0, folder)
    try:
        spec = importlib.util.spec_from_file_location(f"bench_{name}", Path(folder) / f"{name}.py")
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
    finally:
        sys.path.remove(folder)
    return found


@pytest.fixture
def bench(repository):
    return module(repository, "run")


@pytest.fixture
def figures(repository):
    return module(repository, "figures")


@pytest.fixture
def parts(bench, monkeypatch, tmp_path):
    """Play `make bench` with parts of so many figures (None: ends with an error), results in a folder of the test."""
    monkeypatch.setattr(bench, "HERE", tmp_path)
    monkeypatch.setattr(bench.write, "__defaults__", (tmp_path,))

    def play(**sizes):
        def measured(part, _):
            if sizes[part] is None:
                raise SystemExit(f"part {part} ended with status 1")
            rows = [bench.row(f"{part} {n}", n, "s") for n in range(sizes[part])]
            took = bench.row(f"{bench.PREFIX}{part}", 1.0, f"s of wall time on {bench.machine()}")
            return [{**row, "part": part} for row in (*rows, took)]

        monkeypatch.setattr(bench, "measured", measured)
        monkeypatch.setattr(sys, "argv", ["run.py", *sizes])
        bench.main()

    return play


def names(folder):
    return [figure["name"] for figure in json.loads((folder / "results.json").read_text())]


def test_what_was_measured_is_written_before_a_later_part_fails(parts, tmp_path):
    with pytest.raises(SystemExit, match="part scoring ended"):
        parts(startup=2, scoring=None)
    assert names(tmp_path) == ["startup 0", "startup 1", "time of the part startup"]
    assert "| startup 1 | 1 s |" in (tmp_path / "RESULTS.md").read_text()


def test_a_part_replaces_its_own_figures_and_no_others(parts, tmp_path, capsys):
    parts(startup=3, scoring=1)
    parts(startup=1)
    assert names(tmp_path) == ["startup 0", "time of the part startup", "scoring 0", "time of the part scoring"]


def test_the_time_of_a_part_names_the_machine(parts, tmp_path, figures):
    parts(startup=1)
    assert f"s of wall time on {figures.machine()}" in (tmp_path / "RESULTS.md").read_text()
    assert figures.machine().endswith(" cores")


def test_a_part_that_does_not_end_is_ended_at_its_limit_and_said(bench, monkeypatch, tmp_path):
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text("import time; time.sleep(600)")
    monkeypatch.setattr(bench, "__file__", str(sleeper))
    (took,) = bench.measured("scoring", 0.5)
    assert "ended at its limit: its figures are older or lacking" in took["name"]
    kept = [{**bench.row("scoring 0", 1.0, "s"), "part": "scoring"}]
    (tmp_path / "results.json").write_text(json.dumps(kept))
    bench.write([took], "scoring", tmp_path)
    assert names(tmp_path) == ["scoring 0", took["name"]]


def test_all_parts_together_have_a_limit(bench):
    assert sum(bench.PARTS.values()) <= 25 * 60


def test_a_slow_machine_repeats_less_and_never_less_than_asked(figures, monkeypatch):
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(figures.time, "perf_counter", lambda: next(clock))
    assert list(figures.rounds(18, 2, 350.0)) == [0, 1, 2, 3]
    assert list(figures.rounds(5, 5, 0.0)) == [0, 1, 2, 3, 4]
    monkeypatch.setattr(figures.time, "perf_counter", lambda: 0.0)
    assert list(figures.rounds(4, 1, 1.0)) == [0, 1, 2, 3]
