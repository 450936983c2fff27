"""The commands `exsitu experiment` and `exsitu report`: what they print and refuse."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from exsitu.cli import main
from exsitu.experiments.registry import EXPERIMENTS, experiment


@pytest.fixture
def invoke(repository: Path):
    return lambda *words: CliRunner().invoke(main, ["--params", str(repository / "params.yaml"), *words])


def test_the_list_names_every_experiment_and_where_it_comes_from(invoke):
    lines = invoke("experiment", "--list").output.splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)
    assert all(experiment(name).source in line for name, line in zip(EXPERIMENTS, lines, strict=True))


def test_no_name_is_refused_with_what_to_do(invoke):
    done = invoke("experiment")
    assert done.exit_code == 2
    assert "exsitu experiment --list" in done.output


def test_an_unknown_name_is_refused(invoke):
    done = invoke("experiment", "E99")
    assert done.exit_code == 2
    assert "no experiment 'E99'" in done.output


def test_missing_data_are_told_in_one_line(invoke, tmp_path):
    done = invoke("experiment", "E1", "--data", str(tmp_path / "none"), "--output", str(tmp_path / "kept"))
    assert done.exit_code == 1
    assert "run `exsitu data`" in done.output


def test_a_report_without_results_says_what_to_run(invoke, tmp_path):
    done = invoke("report", "--experiments", str(tmp_path), "--output", str(tmp_path / "reports"))
    assert done.exit_code == 1
    assert "exsitu experiment all" in done.output
