"""What can be wrong with a machine or a checkout before anything is run: a list of checks, each with its remedy."""

import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from exsitu import SILENCE
from exsitu.errors import ExsituError
from exsitu.operations.checkout import checkout_findings
from exsitu.operations.finding import Finding
from exsitu.operations.processes import require_free
from exsitu.operations.servers import MLFLOW, PREFECT, states
from exsitu.settings import Servers

_DISK_GIB = 5.0
"""Free space below which the profile quick may not fit: data 0.5 GB, runs and releases of a few nights."""

_WRITTEN = ("build", "data", "releases", "mlruns", ".prefect", ".servers")


def doctor(root: Path, servers: Servers) -> list[Finding]:
    """
    Look at the checkout, Python, packages, telemetry, disk, permissions and ports.

    Parameters
    ----------
    root : Path
        The checkout.
    servers : Servers
        Ports that ``make up`` wants.

    Returns
    -------
    list of Finding
    """
    if not (root / "pyproject.toml").is_file():
        detail = f"{root.resolve()} is not the folder of the repository: cd there, then run exsitu doctor again"
        return [Finding("checkout", fine=False, detail=detail)]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [
        *checkout_findings(root),
        _python(project["requires-python"]),
        *versions(project["dependencies"]),
        *_commands(),
        _telemetry(),
        _disk(root),
        *_permissions(root),
        *_ports(root, servers),
    ]


def _python(wanted: str) -> Finding:
    version = sys.version.split()[0]
    fine = SpecifierSet(wanted).contains(version, prereleases=True)
    remedy = "" if fine else f", needs {wanted}: `make install PYTHON=…` with one of those"
    return Finding("python", fine, f"{version} at {sys.executable}{remedy}")


def versions(dependencies: list[str]) -> Iterator[Finding]:
    """
    Hold installed packages against the pins of the project.

    Parameters
    ----------
    dependencies : list of str
        Requirements, as in ``pyproject.toml``.

    Yields
    ------
    Finding
        One a package that is missing or not as pinned; one for all the others together.
    """
    good = 0
    meant = [(text, Requirement(text)) for text in dependencies]
    here = [(text, wanted) for text, wanted in meant if wanted.marker is None or wanted.marker.evaluate()]
    for text, requirement in here:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Finding(requirement.name, fine=False, detail=f"not installed, needs {text}: `make install`")
            continue
        if requirement.specifier.contains(version, prereleases=True):
            good += 1
        else:
            yield Finding(requirement.name, fine=False, detail=f"{version}, needs {text}: `make install`")
    yield Finding("packages", fine=good > 0, detail=f"{good} of {len(here)} as pinned in pyproject.toml")


def _commands() -> Iterator[Finding]:
    for name in ("git", "dvc"):
        path = shutil.which(name)
        yield Finding(name, path is not None, path or "not found; install git, or run `make install` for dvc")


def _telemetry() -> Finding:
    loose = [f"{name}={os.environ.get(name)}" for name, value in SILENCE.items() if os.environ.get(name) != value]
    wanted = " ".join(f"{name}={value}" for name, value in SILENCE.items())
    remedy = f"on by {', '.join(loose)}: unset, or export {wanted}"
    return Finding("telemetry", fine=not loose, detail=remedy if loose else "off in every package that has one")


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free / 2**30
    remedy = "" if free >= _DISK_GIB else f", less than {_DISK_GIB:g} GiB: make room, or `make clean`"
    return Finding("disk", free >= _DISK_GIB, f"{free:.1f} GiB free{remedy}")


def _permissions(root: Path) -> Iterator[Finding]:
    for name in _WRITTEN:
        path = root / name
        nearest = path if path.exists() else root
        if not os.access(nearest, os.W_OK):
            yield Finding(f"write {name}", fine=False, detail=f"{nearest} cannot be written: chown or chmod it")
            return
    yield Finding("write", fine=True, detail=f"{root.resolve()} and what is made below it can be written")


def _ports(root: Path, servers: Servers) -> Iterator[Finding]:
    running = {state.name: state for state in states(root)}
    for name, port in ((PREFECT, servers.prefect_port), (MLFLOW, servers.mlflow_port)):
        if running[name].pid is not None:
            yield Finding(f"{name} server", running[name].up, running[name].detail)
            continue
        try:
            require_free(port, name)
        except ExsituError as error:
            yield Finding(f"{name} port", fine=False, detail=re.sub(r"\s+", " ", str(error)))
        else:
            yield Finding(f"{name} port", fine=True, detail=f"{port} is free")
