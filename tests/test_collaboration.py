"""Two clones and a DVC remote: what one has made, the other pulls, changes and hands back, byte by byte."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from project import copy_project, run

from exsitu.provenance import sha256_file

pytestmark = pytest.mark.slow

UP_TO_DATE = "Data and pipelines are up to date."
STAGES = ("data", "build/samples", "build/pretrained", "build/transfer", "build/evaluation", "build/adapted")


def ok(root: Path, *command: str) -> str:
    """Run a command that must end well; what it said."""
    done = run(root, *command)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def git(root: Path, *words: str) -> str:
    return ok(root, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", *words)


def bytes_of(root: Path) -> dict[str, str]:
    """Digest of every file that data and stages consist of."""
    files = (path for folder in STAGES for path in (root / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(root)): sha256_file(path) for path in files if not path.name.startswith(".")}


def ran(said: str) -> list[str]:
    """Stages that DVC ran, or would run."""
    return [line.split("'")[1] for line in said.splitlines() if line.startswith("Running stage '")]


def set_params(root: Path, **evaluation: object) -> None:
    path = root / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    params["evaluation"] |= evaluation
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A clone in which the way was gone with two variants, a git repository and a DVC remote that have it all."""
    top = tmp_path_factory.mktemp("collaboration")
    first, remote = top / "first", top / "remote"
    first.mkdir()
    copy_project(first)
    params = yaml.safe_load((first / "params.yaml").read_text(encoding="utf-8"))
    params["transfer"]["variants"] = ["none", "vm_last"]
    (first / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    ok(first, "exsitu", "data", "--no-progress")
    ok(first, "dvc", "add", "--quiet", "data")
    ok(first, "dvc", "repro")
    ok(first, "dvc", "remote", "add", "--default", "store", str(remote))
    ok(first, "dvc", "push")
    git(first, "add", "-A")
    git(first, "commit", "-q", "-m", "the way")
    subprocess.run(["git", "clone", "-q", "--bare", str(first), str(top / "origin.git")], check=True)
    git(first, "remote", "add", "origin", str(top / "origin.git"))
    return {"first": first, "origin": top / "origin.git", "top": top}


def clone(places: dict[str, Path], name: str) -> Path:
    subprocess.run(["git", "clone", "-q", str(places["origin"]), str(places["top"] / name)], check=True)
    return places["top"] / name


@pytest.fixture(scope="module")
def second(places: dict[str, Path]) -> Path:
    """A clone that pulled."""
    there = clone(places, "second")
    ok(there, "dvc", "pull", "--allow-missing")  # of experiments that nobody ran there is nothing
    return there


def test_a_clone_that_pulls_has_the_same_bytes_and_nothing_to_do(places, second: Path):
    assert bytes_of(second) == bytes_of(places["first"])
    assert any(name.startswith("build/adapted/") for name in bytes_of(second))
    assert UP_TO_DATE in ok(second, "dvc", "repro")


def test_a_clone_without_data_can_tell_whether_the_outcome_is_that_of_the_code(places):
    bare = clone(places, "bare")
    assert UP_TO_DATE in ok(bare, "dvc", "repro", "--allow-missing", "--dry")
    set_params(bare, min_selected=21)
    stale = run(
        bare, "dvc", "repro", "--allow-missing", "--dry"
    )  # DVC cannot look into what is missing, and says at which stage
    assert UP_TO_DATE not in stale.stdout
    assert "Stage 'pretrain' didn't change" in stale.stdout
    assert "transfer@" in stale.stdout + stale.stderr
    assert not (bare / "build").exists()


def test_what_is_made_again_is_the_same(places, second: Path):
    before = bytes_of(second)
    said = ok(second, "dvc", "repro", "--force", "--single-item", "prepare", "transfer@vm_last")
    assert ran(said) == ["prepare", "transfer@vm_last"]
    assert bytes_of(second) == before


def test_a_changed_parameter_redoes_what_depends_on_it_and_the_other_side_gets_it(places, second: Path):
    before = bytes_of(second)
    params = yaml.safe_load((second / "params.yaml").read_text(encoding="utf-8"))
    set_params(second, acceptance={**params["evaluation"]["acceptance"], "min_auc": 0.9999})
    assert ran(ok(second, "dvc", "repro")) == ["evaluate", "adapt"]
    after = bytes_of(second)
    changed = {name for name in before if after[name] != before[name]}
    assert {Path(name).parts[1] for name in changed} <= {"evaluation", "adapted"}
    assert "build/evaluation/evaluation.json" in changed

    (setting,) = json.loads(run(second, "dvc", "params", "diff", "--json").stdout)["params.yaml"].items()
    assert setting == ("evaluation.acceptance.min_auc", setting[1])
    assert (setting[1]["old"], setting[1]["new"]) == (0.5, 0.9999)
    told = json.loads(run(second, "dvc", "metrics", "diff", "--json").stdout)["build/evaluation/metrics.json"]
    assert (told["best.passed"]["old"], told["best.passed"]["new"]) == (True, False)
    assert "min_auc" in ok(second, "dvc", "params", "diff", "--md")

    git(second, "commit", "-q", "-am", "stricter")
    ok(second, "dvc", "push")
    git(second, "push", "-q")
    first = places["first"]
    git(first, "pull", "-q", "--ff-only", "origin", "HEAD")
    ok(first, "dvc", "pull", "--allow-missing")
    assert bytes_of(first) == after
    assert UP_TO_DATE in ok(first, "dvc", "repro")
