"""The team's servers: the commands of docs/team/compose.yaml under its environment, against a real PostgreSQL."""

import base64
import contextlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import REPOSITORY, copy_project, environment

TEAM = REPOSITORY / "docs" / "team"
AUTH = "team:secret"
_VARIABLE = re.compile(r"\$\{(\w+)(?::\?([^}]*))?\}")


def compose(values: dict[str, str], places: dict[str, str] | None = None) -> dict[str, Any]:
    """The compose file with variables put in, and addresses of its own network replaced by those of this machine."""
    text = _VARIABLE.sub(lambda found: values[found[1]], (TEAM / "compose.yaml").read_text(encoding="utf-8"))
    for there, here in (places or {}).items():
        text = text.replace(there, here)
    return yaml.safe_load(text)


def test_every_variable_of_the_compose_file_is_explained():
    wanted = {name for name, _ in _VARIABLE.findall((TEAM / "compose.yaml").read_text(encoding="utf-8"))}
    page = (REPOSITORY / "docs" / "team.md").read_text(encoding="utf-8")
    assert wanted == set(re.findall(r"^    ([A-Z0-9_]+)=", page, re.MULTILINE))


def test_services_wait_for_services_that_are_there_and_mount_files_that_are_there():
    values = dict.fromkeys((name for name, _ in _VARIABLE.findall((TEAM / "compose.yaml").read_text())), "value")
    found = compose(values)
    for service in found["services"].values():
        assert set(service.get("depends_on", ())) <= found["services"].keys()
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source == "value" or source in found["volumes"] or (TEAM / source).is_file()
    build = found["services"]["prefect"]["build"]
    assert (TEAM / build["context"] / build["dockerfile"]).is_file()


@pytest.mark.skipif(shutil.which("caddy") is None, reason="Debian's caddy is not installed")
def test_the_front_is_a_configuration_that_caddy_takes(tmp_path: Path):
    words = ["caddy", "hash-password", "--plaintext", "secret"]
    hashed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    env = {**os.environ, "DOMAIN": "team.example.org", "MLFLOW_USER": "team", "MLFLOW_PASSWORD_HASH": hashed}
    words = ["caddy", "adapt", "--config", str(TEAM / "Caddyfile"), "--adapter", "caddyfile"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    routes = json.loads(done.stdout)["apps"]["http"]["servers"]["srv0"]["routes"]
    asks = {route["match"][0]["host"][0]: "http_basic" in json.dumps(route) for route in routes}
    assert asks == {"prefect.team.example.org": False, "mlflow.team.example.org": True}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def postgres() -> Iterator[int]:
    """Port of a PostgreSQL server with what the compose file makes: the user, and a database each."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("Debian's postgresql is not installed")
    folder, port = Path(tempfile.mkdtemp(prefix="exsitu-postgres-")), _free_port()
    (folder / "password").write_text("secret")
    own = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # PostgreSQL refuses to be root
    if own:
        shutil.chown(folder, "postgres")
    tools, data = found[-1].parent, folder / "data"

    def tell(*words: str) -> None:
        with (folder / "log").open("a") as log:
            subprocess.run([*own, *words], check=True, stdout=log, stderr=log, cwd=folder)

    tell(str(tools / "initdb"), "-D", str(data), "-U", "exsitu", "-A", "scram-sha-256", f"--pwfile={folder}/password")
    tell(str(tools / "pg_ctl"), "-D", str(data), "-w", "-o", f"-h 127.0.0.1 -p {port} -k {folder}", "start")
    try:
        query(port, "postgres", "CREATE DATABASE prefect OWNER exsitu")
        query(port, "postgres", (TEAM / "databases.sql").read_text(encoding="utf-8"))
        yield port
    finally:
        tell(str(tools / "pg_ctl"), "-D", str(data), "-m", "fast", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def query(port: int, database: str, words: str) -> str:
    address = f"postgresql://exsitu:secret@127.0.0.1:{port}/{database}"
    return subprocess.run(["psql", "-Atc", words, address], capture_output=True, text=True, check=True).stdout.strip()


class Team:
    """Services of the compose file on this machine."""

    def __init__(self, house: Path, postgres: int) -> None:
        self.house, self.ports = house, (_free_port(), _free_port())
        self.artefacts = house / "artefacts"
        values = {
            "POSTGRES_PASSWORD": "secret",
            "PREFECT_AUTH": AUTH,
            "DOMAIN": "team.example.org",
            "ARTEFACTS": str(self.artefacts),
            "CHECKOUT": str(house),
            **dict.fromkeys(("S3_KEY", "S3_SECRET", "S3_ENDPOINT", "MLFLOW_USER", "MLFLOW_PASSWORD_HASH"), "unused"),
        }
        places = {
            "@postgres:5432": f"@127.0.0.1:{postgres}",
            "prefect:4200": f"127.0.0.1:{self.ports[0]}",
            "mlflow:5000": f"127.0.0.1:{self.ports[1]}",
            '"4200"': f'"{self.ports[0]}"',
            '"5000"': f'"{self.ports[1]}"',
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - what the containers listen on
            ": /exsitu": f": {house}",
        }
        self.services = compose(values, places)["services"]
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def environment(self, service: str) -> dict[str, str]:
        given = self.services[service]["environment"]
        path = os.pathsep.join(filter(None, (given.get("PYTHONPATH"), os.environ.get("PYTHONPATH"))))
        return environment(self.house, **{**given, "PYTHONPATH": path})

    def start(self, service: str, number: int = 1) -> None:
        with (self.house / f"{service}-{number}.log").open("ab") as log:
            self.running[f"{service}-{number}"] = subprocess.Popen(
                self.services[service]["command"],
                cwd=self.house,
                env=self.environment(service),
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def stop(self, name: str) -> None:
        process = self.running.pop(name)
        process.terminate()
        process.wait(60)

    def ask(self, path: str, body: Any = None, *, auth: str = AUTH) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[0]}/api/{path}",
            None if body is None else json.dumps(body).encode(),
            {
                "content-type": "application/json",
                "authorization": f"Basic {base64.b64encode(auth.encode()).decode()}",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def wait(self, what: Any, patience_s: float = 300.0) -> Any:
        """What a question gives, once it gives something."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if found := what():
                    return found
            time.sleep(1)
        raise AssertionError("\n".join(p.read_text(errors="replace")[-2000:] for p in self.house.glob("*.log")))

    def finished(self, deployment: str) -> dict[str, Any]:
        wanted = {"deployments": {"name": {"any_": [deployment]}}}

        def ended() -> Any:
            runs = self.ask("flow_runs/filter", wanted)
            return next((r for r in runs if r["state_type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}), None)

        return self.wait(ended)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, postgres: int) -> Iterator[Team]:
    """All services up and deployed, on a project with one transfer variant."""
    if importlib.util.find_spec("psycopg2") is None:
        pytest.skip("psycopg2, which MLflow asks PostgreSQL with, is not installed")
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
        for name in list(there.running)[::-1]:
            there.stop(name)


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
    linked = query(postgres, "mlflow", "SELECT DISTINCT value FROM tags WHERE key = 'flow_run_id'")
    assert linked == trained["id"]
    assert "champion" in query(postgres, "mlflow", "SELECT alias FROM registered_model_aliases").split()
    assert list(team.artefacts.rglob("comparison.html"))
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
