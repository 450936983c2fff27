"""What a person sees: servers, a worker and a browser; pictures of the pages are kept, and are those of the tutorial.

With EXSITU_PICTURES=docs/figures/pages in the environment, the tutorial's pictures are made anew.
"""

import os
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import chromium
import pytest
import yaml
from project import REPOSITORY, copy_project, free_port, run

from exsitu.operations.asking import ask

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not chromium.installed(), reason="Debian's chromium is not installed"),
]

VARIANTS = ["none", "vm_last", "zm_last"]
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A project in which nothing was made yet, its servers up; `refresh-data` is due every minute, nothing else is."""
    root = copy_project(tmp_path_factory.mktemp("house"))
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    params["transfer"]["variants"] = VARIANTS
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    path = root / "prefect.yaml"
    asleep = path.read_text(encoding="utf-8").replace("active: true", "active: false")
    due = asleep.replace('cron: "0 2 * * *", timezone: UTC, active: false', 'cron: "* * * * *", active: true')
    assert due != asleep
    path.write_text(due, encoding="utf-8")
    ports = free_port(), free_port()
    started = run(root, "exsitu", "up", "--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1]))
    assert started.returncode == 0, started.stderr
    prefect, mlflow = (f"http://127.0.0.1:{port}" for port in ports)
    yield SimpleNamespace(root=root, prefect=prefect, api=f"{prefect}/api", mlflow=mlflow)
    run(root, "exsitu", "down")


@pytest.fixture(scope="module")
def page(house: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    """A browser."""
    with chromium.browser(tmp_path_factory.mktemp("browser") / "profile") as found:
        yield found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder to keep pictures in."""
    named = os.environ.get("EXSITU_PICTURES")
    return REPOSITORY / named if named else tmp_path_factory.mktemp("pictures")


def deployment(house: SimpleNamespace, name: str) -> str:
    """Id of a deployment."""
    return next(d["id"] for d in ask(f"{house.api}/deployments/filter", {}) if d["name"] == name)


def ended(house: SimpleNamespace, name: str, patience_s: float = 900.0, **wanted: Any) -> dict[str, Any]:
    """The first run of a deployment that has ended, with some properties."""
    deadline = time.monotonic() + patience_s
    body = {"deployments": {"name": {"any_": [name]}}, "sort": "EXPECTED_START_TIME_ASC"}
    while time.monotonic() < deadline:
        for found in ask(f"{house.api}/flow_runs/filter", body) or []:
            if found["state_type"] in ENDED and all(found[key] == value for key, value in wanted.items()):
                return found
        time.sleep(1)
    raise AssertionError((house.root / ".servers" / "worker.log").read_text(errors="replace")[-3000:])


def keep(page: chromium.Browser, pictures: Path, name: str) -> None:
    """Keep a picture of the page, once it has come to rest."""
    time.sleep(2)
    page.picture(pictures / f"{name}.png")
    assert 5_000 < (pictures / f"{name}.png").stat().st_size < 200_000


def test_a_scheduled_run_starts_by_itself_within_its_minute(house, page, pictures):
    found = ended(house, "refresh-data", auto_scheduled=True)
    ask(f"{house.api}/deployments/{deployment(house, 'refresh-data')}/pause_deployment", {})
    assert found["state_type"] == "COMPLETED", found["state"]["message"]
    due, started = (datetime.fromisoformat(found[key]) for key in ("expected_start_time", "start_time"))
    assert (started - due).total_seconds() < 60
    names = [d["name"] for d in yaml.safe_load((house.root / "prefect.yaml").read_text())["deployments"]]
    page.go(f"{house.prefect}/deployments", *names)
    keep(page, pictures, "deployments")


def test_a_run_from_the_form_takes_the_changed_parameters(house, page, pictures):
    page.go(f"{house.prefect}/deployments/deployment/{deployment(house, 'nightly-train')}/run", "promote (Optional)")
    page.see("Whether to hold the new model against the champion")  # the flow's docstring explains its parameters
    page.click("", "form .p-toggle__control")  # the switch bears no text
    keep(page, pictures, "form")
    page.click("Submit")
    found = ended(house, "nightly-train")
    assert found["state_type"] == "COMPLETED", found["state"]["message"]
    assert found["parameters"] == {"promote": False}
    assert not (house.root / ".exsitu/champion.json").exists()


def test_what_came_out_is_seen_without_a_log(house, page, pictures):
    found = ended(house, "nightly-train")
    page.go(f"{house.prefect}/runs/flow-run/{found['id']}", "Artifacts")
    page.click("Artifacts")
    page.see("transfer-variants", "mlflow-evaluate", "mlflow-compare", "evaluation-roc")
    keep(page, pictures, "run")
    page.click("transfer-variants")
    page.see("sum_chi2", *VARIANTS)
    keep(page, pictures, "variants")


_AXES = "[...document.querySelectorAll('.parcoords .axis-title')].map(title => title.textContent)"


def test_mlflow_compares_the_variants_by_what_they_are_chosen_by_and_keeps_the_report(house, page, pictures):
    (link,) = re.findall(r"\((.*)\)", ask(f"{house.api}/artifacts/mlflow-compare/latest")["data"])
    page.go(link, f"Comparing {len(VARIANTS)} Runs", *(f"transfer {name}" for name in VARIANTS))
    page.wait(lambda: page.run(_AXES) == ["variant", "sum_chi2"], "a plot of Σχ² by variant")
    page.click("Close", "button")  # MLflow's chat, which is not set up
    keep(page, pictures, "mlflow-compare")
    (link,) = re.findall(r"\((http.*?)\)", ask(f"{house.api}/artifacts/mlflow-evaluate/latest")["data"])
    page.go(link, "Made by the Prefect")
    keep(page, pictures, "mlflow-run")


def test_a_promotion_from_the_form_starts_the_release(house, page, pictures):
    page.go(f"{house.prefect}/deployments/deployment/{deployment(house, 'promote')}/run", "Submit")
    page.click("Submit")
    promoted = ended(house, "promote")
    assert promoted["state_type"] == "COMPLETED", promoted["state"]["message"]
    assert (house.root / ".exsitu/champion.json").exists()
    released = ended(house, "release")
    assert released["state_type"] == "COMPLETED", released["state"]["message"]
    page.go(f"{house.prefect}/runs/flow-run/{released['id']}", "Completed")
    page.click("Artifacts")
    page.see("release-standin", "verify-standin-1")
    keep(page, pictures, "release")
