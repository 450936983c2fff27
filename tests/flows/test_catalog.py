"""The main job goes the whole way, and a second time does nothing that is current."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
from project import copy_project, environment, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the flow has run once from nothing to its releases, with the embedded server."""
    root = copy_project(tmp_path_factory.mktemp("house"))
    done = run(root, sys.executable, "flows/catalog.py")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    (root / "first-run.txt").write_text(done.stderr, encoding="utf-8")
    return root


def _json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_both_surveys_are_released_and_named_at_the_end(house: Path):
    assert {p.name for p in (house / "releases").iterdir() if p.is_dir()} >= {"standin-1", "hipparcos2-1"}
    farewell = (house / "first-run.txt").read_text(encoding="utf-8").splitlines()[-6:]
    assert any("releases/standin-1/README.md" in line for line in farewell)


def test_comparison_has_seven_rows_and_names_the_best(house: Path):
    said = run(house, "exsitu", "compare")
    assert said.returncode == 0
    variants = [line.split()[0] for line in said.stdout.splitlines()[1:8]]
    assert variants == ["none", "vm_first", "vm_last", "vm_first_last", "zm_first", "zm_last", "zm_first_last"]
    assert f"best: {_json(house / 'build/evaluation/evaluation.json')['best']}" in said.stdout


def test_verify_with_audit_passes_and_prints_purity_and_efficiency(house: Path):
    said = run(house, "exsitu", "verify", "releases/standin-1", "--audit")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "purity" in said.stdout
    assert "efficiency_accreted" in said.stdout


def test_champion_file_names_the_adapted_weights(house: Path):
    champion = _json(house / "champion.json")
    assert champion["weights_sha256"] == _json(house / "build/adapted/model.json")["weights_sha256"]
    assert champion["cut"] == _json(house / "build/adapted/recipe.json")["cut"]


def test_no_test_star_is_in_any_training_set(house: Path):
    samples = house / "build" / "samples"
    ids = {
        path.relative_to(samples).as_posix(): set(pd.read_parquet(path, columns=["source_id"])["source_id"])
        for path in samples.rglob("*.parquet")
    }
    tested = [name for name in ids if name.endswith("test.parquet")]
    taught = [name for name in ids if not name.endswith("test.parquet")]
    assert len(tested) == 3
    assert len(taught) == 6
    for test in tested:
        for other in ids.keys() - {test}:
            assert not ids[test] & ids[other], f"{test} and {other} share stars"


def test_dvc_says_nothing_to_do(house: Path):
    said = run(house, "dvc", "repro")
    assert said.returncode == 0
    assert "Data and pipelines are up to date." in said.stdout + said.stderr


def test_promoting_twice_is_promoting_once(house: Path):
    before = (house / "champion.json").read_bytes()
    said = run(house, "exsitu", "promote")
    assert said.returncode == 0, said.stderr
    assert (house / "champion.json").read_bytes() == before


def test_release_twice_under_one_version_is_refused(house: Path):
    said = run(house, "exsitu", "release", "standin", "--version", "standin-1")
    assert said.returncode == 1
    assert "standin-1" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_transfer_run_cannot_be_promoted(house: Path):
    run_id = _json(house / "build/runs/transfer-zm_last.json")["run_id"]
    said = run(house, "exsitu", "promote", "--run", run_id)
    assert said.returncode == 1
    assert "adapt" in said.stderr
    assert "Traceback" not in said.stderr


def test_an_unknown_variant_names_the_nearest(house: Path):
    said = run(house, "exsitu", "transfer", "zm_lst")
    assert said.returncode == 2
    assert "did you mean 'zm_last'" in said.stderr


def test_a_table_of_stars_is_scored_in_input_order(house: Path, tmp_path: Path):
    source, output = house / "data" / "hipparcos" / "hipparcos2.parquet", tmp_path / "scores.parquet"
    said = run(house, "exsitu", "score", "--input", str(source), "--output", str(output), "--json")
    assert said.returncode == 0, said.stderr
    counts = json.loads(said.stdout)
    assert counts.keys() == {"rows", "scored", "selected", "cut"}
    scores = pd.read_parquet(output)
    assert list(scores.columns) == ["row", "source_id", "score", "flags"]
    assert scores["row"].tolist() == list(range(counts["rows"]))
    assert scores["source_id"].tolist() == pd.read_parquet(source, columns=["source_id"])["source_id"].tolist()
    assert scores["score"].notna().sum() == counts["scored"]


def test_real_cluster_members_are_all_scored(house: Path, real_data: Path):
    said = run(
        house, "exsitu", "score", "--json", "--input", str(real_data / "star_cluster_members_gaiadr2_ship.parquet")
    )
    assert said.returncode == 0, said.stderr
    counts = json.loads(said.stdout)
    assert (counts["rows"], counts["scored"]) == (72866, 72866)


@pytest.mark.parametrize("name", ["metal_poor_halo_stars_gaia6d.csv", "rave_metal_poor_ruchti2011_gaia.csv"])
def test_real_stars_without_errors_are_scored_only_where_that_is_allowed(house: Path, real_data: Path, name: str):
    refused = run(house, "exsitu", "score", "--json", "--input", str(real_data / name))
    assert refused.returncode == 1
    assert "--allow-missing-errors" in refused.stderr
    said = run(house, "exsitu", "score", "--json", "--allow-missing-errors", "--input", str(real_data / name))
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["scored"] > 300


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def server(house: Path):
    """A running Prefect server."""
    url = f"http://127.0.0.1:{(port := _free_port())}/api"
    command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (house / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=house, env=environment(house), stdout=log, stderr=log)
    try:
        for _ in range(180):
            try:
                urllib.request.urlopen(f"{url}/health", timeout=2)
                break
            except OSError:
                time.sleep(1)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def _ask(url: str, what: str, **body):
    request = urllib.request.Request(
        f"{url}/{what}/filter", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_second_run_on_a_running_server_redoes_nothing_and_shows_its_artifacts(house: Path, server: str):
    models = {path: path.stat().st_mtime_ns for path in (house / "build").rglob("weights.npz")}
    releases = sorted(p.name for p in (house / "releases").iterdir())
    done = run(house, sys.executable, "flows/catalog.py", PREFECT_API_URL=server)
    assert done.returncode == 0, done.stderr[-4000:]
    assert {path: path.stat().st_mtime_ns for path in (house / "build").rglob("weights.npz")} == models
    assert sorted(p.name for p in (house / "releases").iterdir()) == releases
    assert {r["state"]["type"] for r in _ask(server, "flow_runs")} == {"COMPLETED"}
    tasks = {r["name"].rsplit("-", 1)[0] for r in _ask(server, "task_runs")}
    assert tasks >= {"data", "prepare", "pretrain", "transfer", "evaluate", "adapt", "promote", "release", "verify"}
    artifacts = {a["key"]: a["type"] for a in _ask(server, "artifacts", limit=200)}
    assert artifacts["transfer-variants"] == "table"
    assert artifacts["evaluation-roc"] == "image"
