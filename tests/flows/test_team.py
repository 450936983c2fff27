"""The team's servers: what their files say, and the way gone by them."""

import json
import os
import re
import shutil
import subprocess
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from project import REPOSITORY, copy_project
from team import TEAM, Team, compose, query, variables


def test_every_variable_of_the_compose_file_is_explained():
    page = (REPOSITORY / "docs" / "team.md").read_text(encoding="utf-8")
    assert variables() == set(re.findall(r"^    ([A-Z0-9_]+)=", page, re.MULTILINE))


def test_services_wait_for_services_that_are_there_and_mount_files_that_are_there():
    found = compose(dict.fromkeys(variables(), "value"))
    for service in found["services"].values():
        assert set(service.get("depends_on", ())) <= found["services"].keys()
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source == "value" or source in found["volumes"] or (TEAM / source).is_file()
    build = found["services"]["prefect"]["build"]
    assert (TEAM / build["context"] / build["dockerfile"]).is_file()


@pytest.mark.skipif(shutil.which("caddy") is None, reason="Debian's caddy is not installed")
@pytest.mark.parametrize(("tls", "issuer"), [("it@example.org", "acme"), ("internal", "internal")])
def test_the_front_is_a_configuration_that_caddy_takes(tls: str, issuer: str):
    words = ["caddy", "hash-password", "--plaintext", "secret"]
    hashed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    told = {"DOMAIN": "team.example.org", "TLS": tls, "MLFLOW_USER": "team", "MLFLOW_PASSWORD_HASH": hashed}
    words = ["caddy", "adapt", "--config", str(TEAM / "Caddyfile"), "--adapter", "caddyfile"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **told})
    assert done.returncode == 0, done.stderr
    apps = json.loads(done.stdout)["apps"]
    asks = {
        route["match"][0]["host"][0]: "http_basic" in json.dumps(route)
        for route in apps["http"]["servers"]["srv0"]["routes"]
    }
    assert asks == {"prefect.team.example.org": False, "mlflow.team.example.org": True}
    for policy in apps["tls"]["automation"]["policies"]:
        assert policy["issuers"][0]["module"] == issuer


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, postgres: int) -> Iterator[Team]:
    """All services up and deployed, on a project with one transfer variant."""
    house = copy_project(tmp_path_factory.mktemp("team"))
    params = yaml.safe_load((house / "params.yaml").read_text(encoding="utf-8"))
    params["transfer"]["variants"] = ["none"]
    (house / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    deployments = house / "prefect.yaml"
    deployments.write_text(deployments.read_text().replace("active: true", "active: false"), encoding="utf-8")
    there = Team(house, postgres)
    try:
        there.start("prefect")
        there.start("mlflow")
        there.wait(lambda: there.ask("health"))
        done = subprocess.run(
            there.services["deploy"]["command"],
            cwd=house,
            env=there.environment("deploy"),
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        for number in range(there.services["worker"]["deploy"]["replicas"]):
            there.start("worker", number + 1)
        yield there
    finally:
        there.stop_all()


@pytest.mark.long
def test_the_way_is_gone_promoted_and_released_on_postgresql(team: Team, postgres: int):
    with pytest.raises(urllib.error.HTTPError, match="401"):
        team.ask("deployments/filter", {}, auth="team:wrong")
    queue = next(q for q in team.ask("work_queues/filter", {}) if q["name"] == "pipeline")
    assert queue["concurrency_limit"] == 1
    team.wait(lambda: len([w for w in team.ask("work_pools/local/workers/filter", {}) if w["status"] == "ONLINE"]) == 2)

    nightly = next(d for d in team.ask("deployments/filter", {}) if d["name"] == "nightly-train")
    team.ask(f"deployments/{nightly['id']}/create_flow_run", {})
    trained = team.finished("nightly-train")
    assert trained["state_type"] == "COMPLETED", trained["state"]["message"]
    released = team.finished("release")
    assert released["state_type"] == "COMPLETED", released["state"]["message"]
    assert {p.name for p in (team.house / "releases").iterdir()} >= {"standin-1", "hipparcos2-1"}

    assert query(postgres, "prefect", "SELECT count(*) FROM flow_run WHERE state_type = 'COMPLETED'") == "2"
    stages = query(postgres, "mlflow", "SELECT DISTINCT value FROM tags WHERE key = 'stage' ORDER BY value").split()
    assert stages == ["adapt", "evaluate", "pretrain", "transfer"]
    told = query(
        postgres, "mlflow", "SELECT key FROM latest_metrics JOIN runs USING (run_uuid) WHERE name = 'transfer none'"
    )
    assert told.split()[0] == "sum_chi2"  # on the first, MLflow's page of runs side by side opens
    linked = query(postgres, "mlflow", "SELECT DISTINCT value FROM tags WHERE key = 'flow_run_id'")
    assert linked == trained["id"]
    assert "champion" in query(postgres, "mlflow", "SELECT alias FROM registered_model_aliases").split()
    assert list((team.house / "artefacts").rglob("comparison.html"))
    assert not (team.house / "mlruns" / "mlflow.db").exists()


@pytest.mark.long
def test_models_come_back_from_the_teams_server(team: Team):
    done = subprocess.run(
        ["exsitu", "compare", "transfer none", "--json"],
        cwd=team.house,
        env=team.environment("worker"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [row["name"] for row in json.loads(done.stdout)] == ["none"]


@pytest.mark.long
def test_a_restarted_server_knows_deployments_runs_and_the_trigger(team: Team):
    def known() -> Any:
        names = sorted(d["name"] for d in team.ask("deployments/filter", {}))
        return names, team.ask("flow_runs/count", {}), [a["name"] for a in team.ask("automations/filter", {})]

    before = known()
    team.stop("prefect-1")
    team.start("prefect")
    team.wait(lambda: team.ask("health"))
    assert known() == before
    assert before[2]
