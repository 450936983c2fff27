"""A team's servers on this machine: the compose file's commands under its environment, on a real PostgreSQL."""

import base64
import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import REPOSITORY, environment, free_port

TEAM = REPOSITORY / "docs" / "team"
AUTH = "team:secret"
_VARIABLE = re.compile(r"\$\{(\w+)(?::\?([^}]*))?\}")


def variables() -> set[str]:
    """Names of all that the compose file wants to be told."""
    return {name for name, _ in _VARIABLE.findall((TEAM / "compose.yaml").read_text(encoding="utf-8"))}


def compose(values: dict[str, str], places: dict[str, str] | None = None) -> dict[str, Any]:
    """The compose file with variables put in, and addresses of its own network replaced by those of this machine."""
    text = _VARIABLE.sub(lambda found: values[found[1]], (TEAM / "compose.yaml").read_text(encoding="utf-8"))
    return yaml.safe_load(_moved(text, places or {}))


def _moved(text: str, places: dict[str, str]) -> str:
    for there, here in places.items():
        text = text.replace(there, here)
    return text


def basic(auth: str) -> str:
    """The header that bears a user and a password."""
    return f"Basic {base64.b64encode(auth.encode()).decode()}"


@contextlib.contextmanager
def postgresql() -> Iterator[int]:
    """Port of a PostgreSQL server with what the compose file makes: the user, and a database each."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("Debian's postgresql is not installed")
    if importlib.util.find_spec("psycopg2") is None:
        pytest.skip("psycopg2, which MLflow asks PostgreSQL with, is not installed")
    folder, port = Path(tempfile.mkdtemp(prefix="exsitu-postgres-")), free_port()
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
    """What a database answers."""
    address = f"postgresql://exsitu:secret@127.0.0.1:{port}/{database}"
    return subprocess.run(["psql", "-Atc", words, address], capture_output=True, text=True, check=True).stdout.strip()


class Team:
    """Services of the compose file on this machine; what its ``.env`` would say is in `values`."""

    def __init__(self, house: Path, postgres: int, **values: str) -> None:
        self.house = house
        self.ports = {"prefect": free_port(), "mlflow": free_port()}
        told = {
            **dict.fromkeys(variables(), "unused"),
            "POSTGRES_PASSWORD": "secret",
            "PREFECT_AUTH": AUTH,
            "DOMAIN": "team.example.org",
            "ARTEFACTS": str(house / "artefacts"),
            "CHECKOUT": str(house),
            **values,
        }
        self.places = {
            "@postgres:5432": f"@127.0.0.1:{postgres}",
            "prefect:4200": f"127.0.0.1:{self.ports['prefect']}",
            "mlflow:5000": f"127.0.0.1:{self.ports['mlflow']}",
            '"4200"': f'"{self.ports["prefect"]}"',
            '"5000"': f'"{self.ports["mlflow"]}"',
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - what the containers listen on
            ": /exsitu": f": {house}",
        }
        self.services = compose(told, self.places)["services"]
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def file(self, name: str, **changes: str) -> Path:
        """A file of the containers with this machine's addresses, and further changes by what they replace."""
        here = self.house / name
        here.write_text(_moved((TEAM / name).read_text(encoding="utf-8"), {**self.places, **changes}))
        return here

    def environment(self, service: str) -> dict[str, str]:
        """What a service is told, beside what this machine has."""
        given = self.services[service]["environment"]
        path = os.pathsep.join(filter(None, (given.get("PYTHONPATH"), os.environ.get("PYTHONPATH"))))
        return environment(self.house, **{**given, "PYTHONPATH": path})

    def start(self, service: str, number: int = 1, command: Sequence[str] = (), **more: str) -> None:
        """Start a service by its command, or by that of its image."""
        with (self.house / f"{service}-{number}.log").open("ab") as log:
            self.running[f"{service}-{number}"] = subprocess.Popen(
                command or self.services[service]["command"],
                cwd=self.house,
                env={**self.environment(service), **more},
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def stop(self, name: str) -> None:
        """Stop a service; a worker started where SIGINT is ignored, as in a shell's background, ends by force alone."""
        process = self.running.pop(name)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()

    def stop_all(self) -> None:
        """Stop all services, the last first."""
        for name in list(self.running)[::-1]:
            self.stop(name)

    def ask(self, path: str, body: Any = None, *, auth: str = AUTH) -> Any:
        """What Prefect's API answers."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['prefect']}/api/{path}",
            None if body is None else json.dumps(body).encode(),
            {"content-type": "application/json", "authorization": basic(auth)},
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
        """The first run of a deployment that has ended."""
        wanted = {"deployments": {"name": {"any_": [deployment]}}}

        def ended() -> Any:
            runs = self.ask("flow_runs/filter", wanted)
            return next((r for r in runs if r["state_type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}), None)

        return self.wait(ended)
