"""A team's front: Caddy by the repository's Caddyfile, with certificates of its own CA, which clients check."""

import inspect
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi
import pytest
from project import environment, free_port
from team import AUTH, Team, basic, query

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("caddy") is None, reason="Debian's caddy is not installed"),
]

PASSWORD = "of-mlflow"  # noqa: S105 - of a server that lives for a minute


def this_machine(host: Any, *rest: Any, ask: Any = socket.getaddrinfo, **more: Any) -> Any:
    """Addresses of a name; one that ends in ``.localhost`` means this machine (RFC 6761), which browsers alone know."""
    return ask("127.0.0.1" if ".localhost" in str(host) else host, *rest, **more)


@dataclass(frozen=True)
class Home:
    """
    A machine outside that knows the front's addresses, its passwords and its CA.

    Parameters
    ----------
    servers : Team
        Whose folder commands are run in.
    domain : str
        With the port.
    certificate : Path
        Of the CA.
    """

    servers: Team
    domain: str
    certificate: Path

    def status(self, address: str, auth: str | None, body: Any = None) -> int:
        """HTTP status that an address answers with, whatever it is."""
        headers = {"content-type": "application/json"} | ({"authorization": basic(auth)} if auth else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"https://{address}", data, headers)
        trusted = ssl.create_default_context(cafile=self.certificate)
        try:
            with urllib.request.urlopen(request, timeout=30, context=trusted) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return int(refusal.code)

    def run(self, *command: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run a command under the environment that docs/team.md names."""
        known = {
            "PREFECT_API_URL": f"https://prefect.{self.domain}/api",
            "PREFECT_API_AUTH_STRING": AUTH,
            "PREFECT_API_SSL_CERT_FILE": str(self.certificate),
            "MLFLOW_TRACKING_URI": f"https://mlflow.{self.domain}",
            "MLFLOW_TRACKING_USERNAME": "team",
            "MLFLOW_TRACKING_PASSWORD": PASSWORD,
            "MLFLOW_TRACKING_SERVER_CERT_PATH": str(self.certificate),
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        }
        folder = self.servers.house
        path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        env = environment(folder, **{**known, **changed, "PYTHONPATH": path})
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, postgres: int) -> Iterator[Home]:
    """Prefect, MLflow and Caddy up, and a machine that asks them."""
    folder, domain = tmp_path_factory.mktemp("front"), f"team.localhost:{free_port()}"
    imports, use = "import socket\nfrom typing import Any\n", "socket.getaddrinfo = this_machine\n"
    (folder / "sitecustomize.py").write_text(imports + inspect.getsource(this_machine) + use, encoding="utf-8")
    words = ["caddy", "hash-password", "--plaintext", PASSWORD]
    hashed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    there = Team(folder, postgres, DOMAIN=domain, TLS="internal", MLFLOW_USER="team", MLFLOW_PASSWORD_HASH=hashed)
    # Other ports than 80 and 443, which other programs may have; nothing is put into the system's trust.
    quiet = {"skip_install_trust": "skip_install_trust\n\tauto_https disable_redirects\n\tadmin off"}
    words = ["caddy", "run", "--adapter", "caddyfile", "--config", str(there.file("Caddyfile", **quiet))]
    found = Home(there, domain, folder / "caddy" / "pki" / "authorities" / "local" / "root.crt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", this_machine)
        try:
            there.start("prefect")
            there.start("mlflow")
            there.start("front", command=words, XDG_DATA_HOME=str(folder))
            there.wait(found.certificate.is_file)
            there.wait(lambda: found.status(f"prefect.{domain}/api/health", AUTH) == 200)
            there.wait(lambda: found.status(f"mlflow.{domain}/health", f"team:{PASSWORD}") == 200)
            yield found
        finally:
            there.stop_all()


def test_only_who_knows_the_password_is_let_in(home: Home):
    runs = f"mlflow.{home.domain}/api/2.0/mlflow/experiments/search"
    deployments = f"prefect.{home.domain}/api/deployments/filter"
    asked = [home.status(runs, auth, {"max_results": 1}) for auth in (None, "team:wrong", f"team:{PASSWORD}")]
    assert asked == [401, 401, 200]
    assert [home.status(deployments, auth, {}) for auth in (None, "team:wrong", AUTH)] == [401, 401, 200]


def test_clients_that_do_not_know_the_authority_refuse_its_certificates(home: Home):
    prefect = home.run("prefect", "work-pool", "ls", PREFECT_API_SSL_CERT_FILE=certifi.where())
    mlflow = home.run("mlflow", "experiments", "search", MLFLOW_TRACKING_SERVER_CERT_PATH=certifi.where())
    for refusal in (prefect, mlflow):
        assert refusal.returncode != 0
        assert "CERTIFICATE_VERIFY_FAILED" in refusal.stdout + refusal.stderr


def test_runs_go_to_mlflow_through_tls(home: Home):
    code = """
from pathlib import Path
from exsitu import tracking
from exsitu.settings import Tracking

settings = Tracking(uri="unused", artifacts=Path("unused"), model_name="exsitu")
with tracking.start_run(settings, "transfer", "from home") as run:
    run.log_files([Path("sitecustomize.py")])
folder = tracking.download(settings, run.run_id, "files")
assert (folder / "sitecustomize.py").read_bytes() == Path("sitecustomize.py").read_bytes()
"""
    done = home.run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    refused = home.run(sys.executable, "-c", code, MLFLOW_TRACKING_USERNAME="stranger")
    assert refused.returncode != 0
    assert "401" in refused.stderr


def test_commands_and_events_go_to_prefect_through_tls(home: Home, postgres: int):
    made = home.run("prefect", "work-pool", "create", "local", "--type", "process")
    assert made.returncode == 0, made.stdout + made.stderr
    refused = home.run("prefect", "work-pool", "ls", PREFECT_API_AUTH_STRING="team:wrong")
    assert refused.returncode != 0
    told = home.run("prefect", "event", "emit", "exsitu.test", "--resource-id", "exsitu.test.home")
    assert told.returncode == 0, told.stdout + told.stderr
    home.servers.wait(lambda: query(postgres, "prefect", "SELECT event FROM events WHERE event = 'exsitu.test'"))
