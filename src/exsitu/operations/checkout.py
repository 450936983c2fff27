"""How the checkout was got: by git, whole, with the line ends of its author; without that a run dies late or lies."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from exsitu.errors import InputError
from exsitu.operations.finding import Finding

_DECIDING = ("params.yaml", "dvc.yaml", "requirements.lock", "src/exsitu/__init__.py")
"""Files whose bytes decide what is current; a line end more makes all of them differ."""
_PATIENCE_S = 5.0


def checkout_findings(root: Path) -> Iterator[Finding]:
    """
    Look at git, DVC, line ends, names of folders and the Prefect server that the environment names.

    Parameters
    ----------
    root : Path
        The checkout.

    Yields
    ------
    Finding
        One each.
    """
    yield _repository(root)
    yield _dvc(root)
    yield _line_ends(root)
    yield _file_names(root)
    yield prefect_server()


def require_checkout(root: Path) -> None:
    """
    Refuse to start a run that would die after minutes because of how the checkout was got.

    Parameters
    ----------
    root : Path
        The checkout.

    Raises
    ------
    InputError
        With what is wrong and its remedy.
    """
    wrong = [finding for finding in checkout_findings(root) if not finding.fine]
    if wrong:
        raise InputError("; ".join(f"{finding.name}: {finding.detail}" for finding in wrong))


def _repository(root: Path) -> Finding:
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "--show-toplevel"], cwd=root, capture_output=True, text=True, check=False
        )
    except OSError:
        return Finding("git checkout", fine=False, detail="the command git is not found: install it")
    place, said = root.resolve(), " ".join(asked.stderr.split())
    make = f"clone it, or make a repository of it with `git init {place} && git add -A && git commit -m exsitu`"
    if "dubious ownership" in said:
        remedy = f"`git config --global --add safe.directory {place}`, or chown it"
        return Finding("git checkout", fine=False, detail=f"git refuses {place}, which another user owns: {remedy}")
    if asked.returncode:
        why = "is no git repository (an archive without .git?)" if "not a git repository" in said else f"says: {said}"
        return Finding("git checkout", fine=False, detail=f"{place} {why}; DVC and revisions need one: {make}")
    top = Path(asked.stdout.strip())
    if top.resolve() != place:
        return Finding("git checkout", fine=False, detail=f"{place} lies in another repository, {top}: {make}")
    head = subprocess.run(["git", "rev-parse", "-q", "--verify", "HEAD"], cwd=root, capture_output=True, check=False)
    if head.returncode:
        return Finding(
            "git checkout", fine=False, detail=f"{place} has no commit: `git add -A && git commit -m exsitu`"
        )
    return Finding("git checkout", fine=True, detail=str(place))


def _dvc(root: Path) -> Finding:
    fine = (root / ".dvc" / "config").is_file()
    remedy = "" if fine else " is missing: `git checkout -- .dvc`, or fetch the whole repository"
    return Finding("dvc repository", fine=fine, detail=f"{root.resolve() / '.dvc'}{remedy}")


def _line_ends(root: Path) -> Finding:
    wrong = [name for name in _DECIDING if (root / name).is_file() and b"\r\n" in (root / name).read_bytes()]
    remedy = "`git config core.autocrlf false`, then `git rm -rq --cached . && git reset --hard -q`"
    detail = f"{', '.join(wrong)} got Windows' line ends (core.autocrlf?), so every digest differs: {remedy}"
    return Finding("line ends", fine=not wrong, detail=detail if wrong else "as committed")


def _file_names(root: Path) -> Finding:
    place, encoding = str(root.resolve()), sys.getfilesystemencoding()
    if place.isascii() or encoding.lower().replace("-", "") == "utf8":
        return Finding("file names", fine=True, detail=f"read as {encoding}")
    detail = f"{place!r} is not ASCII, and names are read as {encoding}: export LC_ALL=C.UTF-8"
    return Finding("file names", fine=False, detail=detail)


def prefect_server(url: str | None = None) -> Finding:
    """
    Look whether the Prefect server that is named can be reached.

    Parameters
    ----------
    url : str, optional
        Address of its API; by default what the environment names.

    Returns
    -------
    Finding
        Fine where none is named, or a proxy stands between.
    """
    url = os.environ.get("PREFECT_API_URL", "") if url is None else url
    if not url:
        return Finding("prefect api", fine=True, detail="no server is named; a run starts its own")
    fine = _reached(urlsplit(url))
    remedy = "cannot be reached: start that server, or `unset PREFECT_API_URL` and a run starts its own"
    return Finding("prefect api", fine=fine, detail=url if fine else f"PREFECT_API_URL={url} {remedy}")


def _reached(url: SplitResult) -> bool:
    """Whether somebody listens; a server of a team asks for a password before it answers anything."""
    try:
        host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        if url.scheme in getproxies() and not proxy_bypass(host):
            return True
        with socket.create_connection((host, port), timeout=_PATIENCE_S):
            return True
    except (OSError, ValueError):
        return False
