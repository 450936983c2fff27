"""Where a result came from: digests of files, folders, code and records; the git revision; records that carry their digest."""

import hashlib
import json
import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exsitu.errors import InputError, JsonError
from exsitu.publishing import publish_file

_BLOCK = 1 << 20

log = logging.getLogger(__name__)


def sha256_file(path: Path) -> str:
    """
    SHA-256 of a file's bytes.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def sha256_tree(folder: Path, pattern: str = "**/*") -> str:
    """
    SHA-256 over the names and digests of all files below a folder, in order of their names.

    Parameters
    ----------
    folder : Path
        The folder.
    pattern : str
        Which files count, as a glob relative to `folder`.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.glob(pattern) if p.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256_file(path)}\n".encode())
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """
    SHA-256 of a value written as canonical JSON (sorted keys, no spaces).

    Parameters
    ----------
    value : object
        Anything ``json`` can write.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def code_digest() -> str:
    """
    Digest of the package's own source and shipped tables, so that a result names the code even outside git.

    The copy of the settings that an installed package carries is no code: it is the same outside git as in it.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        if path == folder / "params.yaml":
            continue
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256_file(path)}\n".encode())
    return digest.hexdigest()


_OUTCOMES = ("data.dvc", "**/dvc.lock", "champion.json", "promotions.jsonl")
"""Tracked files that a run of the pipeline itself writes: what they say follows from the rest, or is a decision."""


def git_revision(folder: Path | None = None) -> str:
    """
    Commit of the checkout, with ``-dirty`` where tracked files were changed that decide an outcome.

    Parameters
    ----------
    folder : Path, optional
        Any folder of the checkout; the working directory by default.

    Returns
    -------
    str
        40 hexadecimal digits, perhaps with ``-dirty``; ``"unknown"`` outside a checkout. What a run itself writes
        (``data.dvc``, ``dvc.lock``, ``champion.json``, ``promotions.jsonl``) does not make it dirty.
    """

    def ask(*words: str) -> str:
        command = ["git", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    others = [f":(top,exclude,glob){name}" for name in _OUTCOMES]
    try:
        revision = ask("rev-parse", "HEAD")
        changed = ask("status", "--porcelain", "--untracked-files=no", "--", ":(top)", *others)
    except (OSError, subprocess.CalledProcessError) as error:
        said = str(getattr(error, "stderr", "") or "").strip()
        if said and "not a git repository" not in said:
            log.warning("the revision is recorded as unknown, for git refused: %s", " ".join(said.split()))
        return "unknown"
    return f"{revision}-dirty" if changed else revision


def write_json(path: Path, value: Any) -> None:
    """
    Write a value as indented JSON, atomically; NaN and infinity are refused.

    Parameters
    ----------
    path : Path
        Target file.
    value : object
        Anything ``json`` can write.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with publish_file(path) as staged:
        staged.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """
    Read a JSON file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    object

    Raises
    ------
    JsonError
        If it does not hold JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise JsonError(f"{path} is not JSON ({error}): it is cut off or damaged; make or fetch it again") from None


SEAL = "sha256"
"""Key of a record under which the digest of all its other keys lies."""


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """
    Add to a record the digest of what it says.

    Parameters
    ----------
    record : mapping
        Anything ``json`` can write, without the key ``sha256``.

    Returns
    -------
    dict
        The same keys and ``sha256``, as `unsealed` wants it.
    """
    return {**record, SEAL: sha256_json(dict(record))}


def unsealed(held: Any, where: str) -> dict[str, Any]:
    """
    Check a record against the digest that it carries.

    Parameters
    ----------
    held : object
        What JSON held.
    where : str
        Where it was read, for the message.

    Returns
    -------
    dict
        The record without its digest.

    Raises
    ------
    JsonError
        If it is no record, carries no digest, or says something else than when it was written.
    """
    if not isinstance(held, dict) or SEAL not in held:
        raise JsonError(f"{where} carries no {SEAL} of what it says: damaged, or written by an older exsitu")
    record = {key: value for key, value in held.items() if key != SEAL}
    if (found := sha256_json(record)) != held[SEAL]:
        raise JsonError(
            f"{where} was changed since it was written: it names the digest {held[SEAL]!s:.12}…, has {found:.12}…"
        )
    return record


def write_sealed(path: Path, record: Mapping[str, Any]) -> None:
    """
    Write a record as `write_json` does, with the digest of what it says.

    Parameters
    ----------
    path : Path
        Target file.
    record : mapping
        Anything ``json`` can write.
    """
    write_json(path, sealed(record))


def read_sealed(path: Path, *, remedy: str) -> dict[str, Any]:
    """
    Read a record that `write_sealed` wrote.

    Parameters
    ----------
    path : Path
        The file.
    remedy : str
        What to do if it cannot be used, for the message.

    Returns
    -------
    dict
        The record without its digest.

    Raises
    ------
    InputError
        If it is missing, not JSON, or not as it was written.
    """
    try:
        return unsealed(read_json(path), str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"no {path}: {remedy}") from None
    except JsonError as error:
        raise InputError(f"{str(error).partition(': it is')[0]}; {remedy}") from None


def read_record(path: Path, *keys: str, made_by: str) -> dict[str, Any]:
    """
    Read a JSON file that another command wrote.

    Parameters
    ----------
    path : Path
        The file.
    *keys : str
        What it must hold.
    made_by : str
        The command that writes it, for the message.

    Returns
    -------
    dict

    Raises
    ------
    InputError
        If it is missing, not JSON, no mapping, or lacks a key.
    """
    try:
        held = read_json(path)
    except JsonError as error:
        raise InputError(f"{str(error).partition(': it is')[0]}: run `{made_by}` again") from None
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"no {path}: run `{made_by}` first, or name the folder that it wrote") from None
    lacking = [key for key in keys if key not in held] if isinstance(held, dict) else list(keys) or ["a mapping"]
    if lacking:
        raise InputError(f"{path} lacks {', '.join(lacking)}: damaged, or of another exsitu; run `{made_by}` again")
    return dict(held)
