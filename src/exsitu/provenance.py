"""Where a result came from, and how it reaches the disk whole: digests, git revision, atomic publication."""

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exsitu.errors import InputError, JsonError

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


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the target in an error of a full disk, which the system raises without any file."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            error.filename = str(path)
        raise


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def publish_file(path: Path) -> Iterator[Path]:
    """
    Write a file beside its target and rename it into place when the block ends well.

    Parameters
    ----------
    path : Path
        The target; its folder is made.

    Yields
    ------
    Path
        Where to write. If the block raises, the target is left as it was and the partial file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    staged = Path(name)
    try:
        with _naming(path):
            yield staged
            staged.chmod(0o644)
            _sync(staged)
            staged.replace(path)
            _sync(path.parent)
    finally:
        staged.unlink(missing_ok=True)


@contextlib.contextmanager
def publish_folder(path: Path, *, replace: bool) -> Iterator[Path]:
    """
    Fill a folder beside its target and rename it into place when the block ends well.

    Parameters
    ----------
    path : Path
        The target folder; its parent is made.
    replace : bool
        Whether a target that exists already is replaced; otherwise it is an error.

    Yields
    ------
    Path
        Where to write. If the block raises, the target is left as it was and the partial folder is removed; what a
        killed process left beside the target is removed by the next one.

    Raises
    ------
    FileExistsError
        If the target exists and may not be replaced.
    """
    if path.exists() and not replace:
        raise FileExistsError(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(path)
    staged = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    with _naming(path), _held(staged):
        try:
            yield staged
            staged.chmod(0o755)
            for written in staged.rglob("*"):
                _sync(written)
            _swap(staged, path, replace=replace)
            _sync(path.parent)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a lock on a folder; the system drops it when the process dies, however it dies."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _clear_leftovers(path: Path) -> None:
    """Remove what killed writers of a folder left beside it; what another one still holds stays."""
    for left in path.parent.glob(f".{path.name}-*"):
        if left.is_dir() and not left.is_symlink():
            with contextlib.suppress(BlockingIOError), _held(left):
                shutil.rmtree(left)


def _swap(staged: Path, path: Path, *, replace: bool) -> None:
    """Rename onto the target; an old one is moved aside first, because a folder cannot be renamed onto a full one."""
    if replace and path.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
        path.rename(old / path.name)
        staged.rename(path)
        shutil.rmtree(old)
    else:
        staged.rename(path)


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
