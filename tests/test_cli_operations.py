"""The commands of day-to-day running: help as a map, JSON for machines, exit codes as documented."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from exsitu.cli import main
from exsitu.cli_help import SECTIONS


@pytest.fixture
def cli(repository, tmp_path, monkeypatch):
    """Run a command in a folder with the project's settings and nothing else."""
    for name in ("params.yaml", "pyproject.toml"):
        (tmp_path / name).write_text((repository / name).read_text())
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, list(words))


def test_help_is_a_map_with_every_command_once_and_the_exit_codes(cli):
    said = cli("--help").output
    listed = [line.split()[0] for line in said.splitlines() if line.startswith("  ") and line.split()]
    for name in main.commands:
        assert listed.count(name) == 1
    assert "The way, left to right:" in said
    assert "Exit codes: 0 done; 1 an error" in said


def test_every_command_of_a_section_exists():
    assert {name for names in SECTIONS.values() for name in names} <= main.commands.keys()


def test_status_as_text_and_as_json_ends_with_zero(cli):
    assert cli("status").exit_code == 0
    found = json.loads(cli("status", "--json").stdout)
    looked_at = {"data", "stages", "differing", "champion", "champion_detail", "last_promotion", "releases", "servers"}
    assert found.keys() == looked_at
    assert [server["name"] for server in found["servers"]] == ["prefect", "mlflow", "worker"]


def test_doctor_ends_with_three_where_something_is_wrong(cli, monkeypatch):
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "true")
    said = cli("doctor")
    assert said.exit_code == 3
    assert "WRONG  telemetry" in said.output
    found = {f["name"]: f["fine"] for f in json.loads(cli("doctor", "--json").stdout)}
    assert found["telemetry"] is False
    assert found["python"] is True


def test_ui_without_servers_says_how_to_start_them(cli):
    said = cli("ui", "--no-browser")
    assert said.exit_code == 1
    assert "make up" in said.output


def test_down_without_servers_is_no_error(cli):
    said = cli("down")
    assert (said.exit_code, said.output) == (0, "nothing was up\n")


def test_watch_before_anything_was_made_says_what_to_run(cli):
    said = cli("watch")
    assert said.exit_code == 1
    assert "exsitu prepare" in said.output


def test_watch_ends_with_three_where_something_does_not_hold(cli):
    text = Path("params.yaml").read_text().replace("watch: {surveys: [standin]", "watch: {surveys: []")
    Path("params.yaml").write_text(text)
    said = cli("watch", "--json")
    assert said.exit_code == 3
    assert json.loads(said.stdout)["passed"] is False


@pytest.mark.parametrize("port", ["80", "70000", "http"])
def test_a_port_that_cannot_be_is_refused(cli, port):
    assert cli("up", "--prefect-port", port).exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(cli, shell):
    said = cli("completion", shell)
    assert said.exit_code == 0
    assert f"_EXSITU_COMPLETE={shell}_complete" in said.output


def test_completion_completes():
    environment = {**os.environ, "_EXSITU_COMPLETE": "bash_complete", "COMP_WORDS": "exsitu pro", "COMP_CWORD": "1"}
    code = "from exsitu.cli import main; main(prog_name='exsitu')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["plain,promote"]


def test_nothing_phones_home_unless_the_caller_says_so(cli, monkeypatch):
    monkeypatch.delenv("DVC_NO_ANALYTICS", raising=False)
    monkeypatch.setenv("DO_NOT_TRACK", "false")
    cli("down")
    assert os.environ["DVC_NO_ANALYTICS"] == "1"
    assert os.environ["DO_NOT_TRACK"] == "false"


def test_a_command_that_is_told_to_end_cleans_up(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom exsitu.cli import main\n"
        "from exsitu.provenance import publish_folder\n"
        "@main.command()\ndef wait():\n"
        "    with publish_folder(Path('out'), replace=True):\n"
        "        print('writing', flush=True)\n        time.sleep(600)\n"
        "main(['wait'])\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
