"""What the command line says of an exception: a line a user can act on, or where the traceback of a fault lies."""

import errno
import os
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from exsitu.errors import ExsituError

DEBUG = "EXSITU_DEBUG"
"""Variable that, like ``--debug``, lets every unexpected error end in its traceback."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def explain(error: BaseException) -> str | None:
    """
    Put an error into words, where a user can do something about it.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    str or None
        One line with the next step; None for what only the authors of exsitu can mend.
    """
    import sqlite3

    for cause in _chain(error):
        if isinstance(cause, ExsituError):
            return str(cause)
        if isinstance(cause, sqlite3.OperationalError) or type(cause) is sqlite3.DatabaseError:
            return f"the tracking database cannot be used: {cause}; see tracking.uri in params.yaml, and the disk"
        if isinstance(cause, MemoryError):
            return "not enough memory: make chunk_rows or the samples of params.yaml smaller, or take a larger machine"
        if isinstance(cause, OSError):
            return _of_system(cause)
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those it was raised from: libraries wrap what the system said."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _of_system(error: OSError) -> str:
    """What the operating system refused, with the file and what to do."""
    place = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    where = place or "a file"
    if error.errno in _FULL:
        return f"no space is left on the disk of {place or Path.cwd()}: make room (`make clean`), then run it again"
    if error.errno in _FORBIDDEN:
        reason = os.strerror(error.errno or 0)
        return f"{where} may not be read or written ({reason}): chown or chmod it, or name another place"
    if isinstance(error, FileNotFoundError) and place:
        return f"no {place}; name another file, or run what makes it (`exsitu --help` has the order)"
    if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
        return f"{where} is in the way ({os.strerror(error.errno or 0)}): move it, or name another place"
    return f"{place}: {_said(error)}" if place else _said(error)


def _said(error: OSError) -> str:
    return error.strerror or " ".join(str(error).split()) or type(error).__name__


def keep_traceback(error: BaseException) -> str:
    """
    Put the traceback of an unexpected error into a file.

    Parameters
    ----------
    error : BaseException
        What was raised.

    Returns
    -------
    str
        One line: what it was, where the traceback is, how to see it at once.
    """
    text = "".join(traceback.format_exception(error))
    what = " ".join(f"{type(error).__name__}: {error}".split())
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="replace", prefix="exsitu-", suffix=".log", delete=False
        ) as file:
            file.write(text)
    except OSError:
        return f"{text}exsitu (unexpected): {what}"
    return (
        f"exsitu (unexpected): {what}. This is a fault of exsitu: report it with {file.name}, which holds the "
        f"traceback; --debug or {DEBUG}=1 shows it at once"
    )
