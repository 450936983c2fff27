"""What exsitu needs of the environment that a user, a notebook or a read-only machine may have set otherwise.

`prepare` runs when exsitu is imported and fills gaps alone; `prepare_command` runs for the command line, which shares
its process with nobody and may overrule.
"""

import hashlib
import os
import stat
from collections.abc import MutableMapping
from pathlib import Path

_PACKAGE = Path(__file__).parent
_COMPILED = ("coordinates.py", "draws.py", "elementary.py", "mocks/orbits.py")

COMMAND = {"MPLBACKEND": "agg", "KERAS_BACKEND": "tensorflow"}
"""Variables that every command sets: a notebook passes its drawing backend on, and a user of Keras another engine."""


def prepare(environ: MutableMapping[str, str] = os.environ) -> None:
    """
    Give what numba compiles a place of its own for every version of the code, where one can write.

    numba takes a compiled function for current as long as its own file is; what it calls in other files may be of
    another version then.

    Parameters
    ----------
    environ : mapping
        Variables to look at and to fill.
    """
    usual = _PACKAGE / "__pycache__"
    cache = Path(environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "")) / ".cache") / "exsitu"
    named = environ.get("NUMBA_CACHE_DIR")
    base = Path(named) if named else next((place for place in (usual, cache) if is_writable(place)), None)
    version = f"numba-{_compiled_code()[:16]}"
    if named and Path(named).name == version:
        return
    environ["NUMBA_CACHE_DIR"] = str((base or _own_folder()) / version)


def _compiled_code() -> str:
    """Digest of the modules that numba compiles."""
    digest = hashlib.sha256()
    for name in _COMPILED:
        digest.update((_PACKAGE / name).read_bytes())
    return digest.hexdigest()


def prepare_command(environ: MutableMapping[str, str] = os.environ) -> None:
    """
    Set what a command needs whatever the caller's shell or notebook had.

    Parameters
    ----------
    environ : mapping
        Variables to change.
    """
    environ.update(COMMAND)
    home = Path(environ.get("HOME", ""))
    for name, usual in (("MPLCONFIGDIR", ".config"), ("XDG_CACHE_HOME", ".cache"), ("XDG_CONFIG_HOME", ".config")):
        if name not in environ and not is_writable(home / usual):
            folder = _own_folder() / name.lower()
            folder.mkdir(mode=0o700, exist_ok=True)
            environ[name] = str(folder)


def is_writable(folder: Path) -> bool:
    """
    Say whether something could be written into a folder, which need not exist yet.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    bool
    """
    nearest = next((place for place in (folder, *folder.parents) if place.exists()), Path())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _own_folder() -> Path:
    """Folder for temporary caches that no other user can write: what is cached there is run."""
    import tempfile

    shared = Path(tempfile.gettempdir()) / f"exsitu-{os.getuid()}"
    try:
        shared.mkdir(mode=0o700, exist_ok=True)
        found = shared.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    except OSError:
        ours = False
    return shared if ours else Path(tempfile.mkdtemp(prefix="exsitu-"))
