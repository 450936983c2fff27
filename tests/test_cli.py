"""The command line answers at once, explains itself, and refuses in one line."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from exsitu.cli import main
from exsitu.columns import page
from exsitu.errors import InputError


@pytest.fixture
def cli(repository: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command in the repository's folder."""
    monkeypatch.chdir(repository)
    return lambda *words: CliRunner().invoke(main, list(words))


def test_help_lists_every_stage_and_imports_nothing_heavy():
    code = (
        "import sys; from click.testing import CliRunner; from exsitu.cli import main; "
        "out = CliRunner().invoke(main, ['--help']).output; "
        "stages = 'data prepare pretrain transfer evaluate adapt promote release verify'.split(); "
        "assert all(stage in out for stage in stages); "
        "heavy = {'tensorflow', 'mlflow', 'great_expectations', 'prefect', 'astropy', 'pandas', 'matplotlib'}; "
        "sys.exit(', '.join(sorted(heavy & sys.modules.keys())) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself(cli, command: str):
    said = cli(command, "--help")
    assert said.exit_code == 0
    assert len(said.output.splitlines()) > 4


def test_unknown_parameter_is_refused_with_the_nearest(cli, tmp_path: Path, repository: Path):
    text = (repository / "params.yaml").read_text(encoding="utf-8").replace("stop_patience", "stop_patients")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    said = cli("--params", str(tmp_path / "params.yaml"), "prepare")
    assert said.exit_code == 2
    assert "unknown key 'training.stop_patients'; did you mean 'stop_patience'?" in said.output
    assert "Traceback" not in said.output


def test_unknown_profile_is_refused_with_the_known_ones(cli):
    said = cli("--profile", "quik", "prepare")
    assert said.exit_code == 2
    assert "did you mean 'quick'" in said.output


@pytest.mark.parametrize("words", [("prepare", "--profile", "quik"), ("mocks", "check", "--profile=quik", "x", "y")])
def test_settings_may_be_named_after_the_command(cli, words):
    said = cli(*words)
    assert said.exit_code == 2
    assert "no profile 'quik'; did you mean 'quick'" in said.output


def test_an_option_without_its_value_is_refused_wherever_it_stands(cli):
    for words in (("--profile",), ("prepare", "--profile")):
        said = cli(*words)
        assert said.exit_code == 2
        assert "Option '--profile' requires an argument." in said.output


def test_a_shell_completes_a_value_that_is_missing_as_yet():
    from click.shell_completion import ShellComplete

    from exsitu.cli import main

    completed = ShellComplete(main, {}, "exsitu", "_EXSITU_COMPLETE").get_completions(["prepare", "--params"], "")
    assert [item.type for item in completed] == ["file"]


def test_what_follows_two_dashes_is_no_option(cli):
    assert "no profile" not in cli("compare", "--", "--profile=quik").output


def test_missing_params_say_where_to_run(cli, tmp_path: Path):
    said = cli("--params", str(tmp_path / "none.yaml"), "data")
    assert said.exit_code == 2
    assert "--params" in said.output


def test_unknown_variant_is_refused_with_the_nearest(cli):
    said = cli("transfer", "zm_lst")
    assert said.exit_code == 2
    assert "did you mean 'zm_last'?" in said.output


def test_compare_before_evaluate_says_what_to_run(cli, tmp_path: Path):
    said = cli("compare", "--evaluation", str(tmp_path))
    assert said.exit_code == 1
    assert "run `exsitu evaluate` first" in said.output


def test_verify_of_no_release_is_one_line(cli, tmp_path: Path):
    said = cli("verify", str(tmp_path / "standin-9"))
    assert said.exit_code == 1
    assert "no release" in said.output


def test_columns_page_in_docs_is_current(repository: Path):
    written = (repository / "docs" / "columns.md").read_text(encoding="utf-8")
    assert written == page(), "run `exsitu columns > docs/columns.md`"


@pytest.mark.parametrize(
    ("words", "stage"),
    [
        (["score", "--input", "-", "--table", "STARS"], "score.score"),
        (["release", "mine", "--input", "-", "--table", "STARS", "--allow-truncated"], "release.release"),
        (["adapt", "--stars", "-", "--allow-truncated"], "adapt.adapt"),
    ],
)
def test_standard_input_is_a_table_like_any_other(cli, monkeypatch: pytest.MonkeyPatch, words: list[str], stage: str):
    seen = {}

    def run(_, *given, path=None, stars=(), **how):
        paths = [path, *stars, *(g for g in given if isinstance(g, Path))]
        seen.update(how, path=next(p for p in paths if p is not None))
        seen["content"] = seen["path"].read_bytes()
        raise InputError("far enough")

    monkeypatch.setattr(f"exsitu.stages.{stage}", run)
    answer = CliRunner().invoke(main, words, input=b"SIMPLE  =")
    assert "far enough" in answer.output
    assert seen["content"] == b"SIMPLE  ="
    assert not seen["path"].exists()
    assert seen.get("table", "STARS") == "STARS"
    assert seen.get("allow_truncated", True)
