"""Why ``data.dvc`` and ``dvc.lock`` of the work tree are not those of the commit: settings, code, or the machine."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from exsitu.stages.data_record import MAKERS

DATA, LOCK = "data.dvc", "dvc.lock"

_MACHINE = "of the same settings and code: made on another kind of machine than the commit's (docs/collaboration.md)"


def differences(root: Path) -> list[str]:
    """
    Say in a line each why the two records differ from those of the commit.

    Parameters
    ----------
    root : Path
        The checkout.

    Returns
    -------
    list of str
        Empty where neither differs, or nothing can be compared: outside git, or before the first record.
    """
    told = []
    if (pair := _both(root, DATA)) and (was := _size(pair[0])) != (now := _size(pair[1])):
        told.append(f"{DATA}: {now} here, {was} in the commit; {_why_data(root)}")
    if (pair := _both(root, LOCK)) and (changed := _first_change(*pair)):
        told.append(f"{LOCK}: {changed}")
    return told


def data_on_record(root: Path) -> str | None:
    """
    Say whether the data at hand are the bytes that ``data.dvc`` records, and if not, why.

    Parameters
    ----------
    root : Path
        The checkout.

    Returns
    -------
    str or None
        None where there is no record, or DVC cannot be asked.
    """
    if not (root / DATA).is_file():
        return None
    try:
        changed = stale_in_dvc(root, DATA)
    except (OSError, ValueError):
        return None
    if not changed:
        return f"the same bytes as {DATA} records"
    return f"other bytes than {DATA} records; {_why_data(root)}"


def stale_in_dvc(root: Path, *targets: str) -> dict[str, Any]:
    """
    Ask DVC what is not as it recorded it.

    Parameters
    ----------
    root : Path
        The checkout.
    *targets : str
        ``dvc.yaml`` and ``.dvc`` files.

    Returns
    -------
    dict
        What changed, by stage or target, as ``dvc status --json`` has it; empty where all is current.

    Raises
    ------
    OSError
        If there is no command ``dvc``.
    ValueError
        With DVC's own last words, if it does not say.
    """
    asked = ["dvc", "status", "--json", *targets]
    said = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(said.stdout)
    except json.JSONDecodeError:
        raise ValueError((said.stderr.strip().splitlines() or [""])[-1]) from None
    return found


def _git(root: Path, *words: str) -> str | None:
    try:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _both(root: Path, name: str) -> tuple[Any, Any] | None:
    """A record as the commit has it, and as the work tree has it."""
    committed = _git(root, "show", f"HEAD:./{name}")
    if committed is None or not (root / name).is_file():
        return None
    try:
        return yaml.safe_load(committed), yaml.safe_load((root / name).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None


def _size(record: Any) -> str:
    out = record["outs"][0]
    return f"{out.get('size', 0):,} bytes ({out['md5'][:8]}…)"


def _why_data(root: Path) -> str:
    """Whether settings or code changed: in the work tree, or in git since the record was committed."""
    settings, code = ("params.yaml",), tuple(f"src/exsitu/{pattern}" for pattern in MAKERS)
    recorded = (_git(root, "log", "-1", "--format=%H", "--", DATA) or "HEAD").strip() or "HEAD"
    for what, paths in (("params.yaml was changed", settings), ("the code that makes them was changed", code)):
        if _git(root, "diff", "--quiet", "HEAD", "--", *paths) is None:
            return f"{what} in this checkout"
        if _git(root, "diff", "--quiet", recorded, "HEAD", "--", *paths) is None:
            return f"{what} in git since {DATA} was committed"
    return _MACHINE


def _first_change(was: Any, now: Any) -> str | None:
    """The first stage, in the order of the pipeline, that is not as in the commit, and what of it; the rest follows."""
    before, after = was.get("stages", {}), now.get("stages", {})
    changed = [name for name in after if after[name] != before.get(name)]
    if not changed:
        return None
    name = changed[0]
    causes = _causes(before.get(name, {}), after[name])
    more = f", and {len(changed) - 1} stages that follow" if len(changed) > 1 else ""
    return f"{name}{more}: {', '.join(causes) if causes else _MACHINE}"


def _causes(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    if not was:
        return ["the commit does not have it"]
    md5 = {dep["path"]: dep.get("md5") for dep in was.get("deps", ())}
    deps = [dep["path"] for dep in now.get("deps", ()) if md5.get(dep["path"]) != dep.get("md5")]
    asked = was.get("params", {}).get("params.yaml", {})
    params = [key for key, value in now.get("params", {}).get("params.yaml", {}).items() if asked.get(key) != value]
    return [f"{what} differs" for what in (*deps, *(f"params.yaml {key}" for key in params))]
