"""How a result reaches the disk whole: written in a folder of its own beside the target, synced, renamed into place.

Whatever kills a writer, a reader sees the old target or the new one. What a killed writer left behind has a name that
exsitu alone gives (``.exsitu-part-…``), and the next writer of the same target clears it.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from exsitu.errors import InputError

PART = ".exsitu-part-"
"""How the names of all folders begin in which something is written that is not published yet."""

_OLD = ".exsitu-old-"
"""Likewise, of a folder moved aside for a new one."""

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}
"""What kernels and file systems answer that cannot exchange two names."""


@contextlib.contextmanager
def publish_file(path: Path) -> Iterator[Path]:
    """
    Write a file beside its target and rename it into place when the block ends well.

    Parameters
    ----------
    path : Path
        The target; its folder is made. Through a symbolic link the file that it names is written.

    Yields
    ------
    Path
        Where to write; there is no such file yet. If the block raises, the target is left as it was and the partial
        file is removed; what a killed process left beside the target is removed by the next one.

    Raises
    ------
    InputError
        If the target is a folder, a device, a pipe or a socket.
    """
    target = _target(path)
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "a device, a pipe or a socket"
        raise InputError(f"{path} is {kind}, not a file that can be replaced; name a file")
    with _part(target) as folder, _naming(path):
        staged = folder / target.name
        yield staged
        _sync(staged)
        staged.replace(target)
        _sync(target.parent)


@contextlib.contextmanager
def publish_folder(path: Path, *, replace: bool) -> Iterator[Path]:
    """
    Fill a folder beside its target and rename it into place when the block ends well.

    Parameters
    ----------
    path : Path
        The target folder; its parent is made. Through a symbolic link the folder that it names is written.
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
    InputError
        If the target is no folder.

    Notes
    -----
    Old and new change places in one step where kernel and file system can (Linux's ``renameat2``). Elsewhere the old one
    is moved aside first: a process killed between the two renames leaves no target, and the next writer puts the old one
    back before anything else.
    """
    target = _target(path)
    if target.exists() and not target.is_dir():
        raise InputError(f"{path} is a file, not a folder; remove it or name another folder")
    if target.exists() and not replace:
        raise FileExistsError(path)
    with _part(target) as staged, _naming(path):
        yield staged
        for written in [*staged.rglob("*"), staged]:
            _sync(written)
        with _held(target.parent):
            _swap(staged, target, replace=replace)
        _sync(target.parent)


def clear_leftovers(path: Path) -> None:
    """
    Remove what killed writers of a target left beside it; what another process still writes stays.

    Parameters
    ----------
    path : Path
        The target. Where a writer was killed after it moved the old target aside, that is put back.
    """
    for old in path.parent.glob(f"{_OLD}{_escaped(path.name)}"):
        shutil.rmtree(old) if path.exists() else old.rename(path)
    for left in path.parent.glob(f"{PART}{'?' * 8}-{_escaped(path.name)}"):
        if left.is_dir() and not left.is_symlink():
            with contextlib.suppress(BlockingIOError, FileNotFoundError), _held(left, fcntl.LOCK_NB):
                _remove(left)


def _remove(folder: Path) -> None:
    """Remove a folder, even one that was made read-only just before it was to be published."""
    folder.chmod(0o700)
    shutil.rmtree(folder)


def _escaped(name: str) -> str:
    """A name as a pattern of itself alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _target(path: Path) -> Path:
    """The file or folder itself, if a link names it; a link to nothing names what will be there."""
    return path.resolve() if path.is_symlink() else path


@contextlib.contextmanager
def _part(target: Path) -> Iterator[Path]:
    """A new folder beside the target, locked as long as this process lives; what is there at the end is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.with_name(f"{PART}{secrets.token_hex(4)}-{target.name}")
    with contextlib.ExitStack() as lock:
        with _held(target.parent):  # or another writer could clear the folder before it is locked
            clear_leftovers(target)
            folder.mkdir()
            lock.enter_context(_held(folder))
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):
                _remove(folder)


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
def _held(folder: Path, how: int = 0) -> Iterator[None]:
    """Hold a lock on a folder; the system drops it when the process dies, however it dies."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(handle)


def _swap(staged: Path, target: Path, *, replace: bool) -> None:
    """Put the new folder in the place of the old one; a folder cannot be renamed onto a full one."""
    if not (replace and target.exists()):
        staged.rename(target)
    elif not _exchange(staged, target):
        old = target.with_name(f"{_OLD}{target.name}")
        target.rename(old)
        try:
            staged.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old)


def _exchange(one: Path, other: Path) -> bool:
    """Let two names change places in one step; False where kernel or file system cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(other))
