"""What ``data.json`` records of the data, and whether they are as they were made and of the settings."""

import logging
from pathlib import Path
from typing import Any

from exsitu.errors import InputError
from exsitu.provenance import read_record, sha256_file, sha256_json, sha256_tree
from exsitu.settings import Settings
from exsitu.tracking import flat

log = logging.getLogger(__name__)

RECORD = "data.json"

_REMAKE = "exsitu data"
_PACKAGE = Path(__file__).parents[1]
MAKERS = (
    "mocks/*.py",
    "mocks/*.npz",
    "surveys/*.py",
    "formats/*.py",
    "table_formats.py",
    "tables.py",
    "columns.py",
    "phase_space.py",
    "draws.py",
    "elementary.py",
    "quality.py",
)
"""Files of the package that decide what the data are."""

_SHOWN = 4
"""Differing settings named in a message."""


def data_settings(settings: Settings) -> dict[str, Any]:
    """
    Give the settings that decide what the data are.

    Parameters
    ----------
    settings : Settings
        All settings.

    Returns
    -------
    dict
        Ready for JSON.
    """
    return settings.model_dump(mode="json", include={"data", "quality", "mocks", "milky_way"})


def data_identity(settings: Settings) -> str:
    """
    Digest of all that decides what the data are: the settings that matter and the code that makes them.

    Parameters
    ----------
    settings : Settings
        The settings.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    code = [sha256_tree(_PACKAGE, pattern) for pattern in MAKERS]
    return sha256_json({"settings": data_settings(settings), "code": code})


def record_of(folder: Path, settings: Settings) -> dict[str, Any]:
    """
    Give what is to be recorded of data that were just made.

    Parameters
    ----------
    folder : Path
        Folder of the data.
    settings : Settings
        By which they were made.

    Returns
    -------
    dict
        ``identity``, ``settings``, and ``sha256`` by file.
    """
    return {"identity": data_identity(settings), "settings": data_settings(settings), "sha256": _digests(folder)}


def is_current(folder: Path, settings: Settings) -> bool:
    """
    Say whether data were made by these settings and by this code.

    Parameters
    ----------
    folder : Path
        Folder of the data.
    settings : Settings
        The settings.

    Returns
    -------
    bool
        Also False where there are no data, or their record cannot be read.
    """
    if not (folder / RECORD).is_file():
        return False
    try:
        return _read(folder).get("identity") == data_identity(settings)
    except InputError as error:
        log.info("%s", error)
        return False


def differing_settings(folder: Path, settings: Settings) -> list[str]:
    """
    Name the settings by which data were not made.

    Parameters
    ----------
    folder : Path
        Folder of the data.
    settings : Settings
        The settings there are now.

    Returns
    -------
    list of str
        Such as ``"data.galaxy_seed = 12, made with 11"``; empty where none differs.

    Raises
    ------
    InputError
        If there are no data, or their record cannot be read.
    """
    found = _read(folder)
    if found.get("identity") == data_identity(settings):
        return []
    if not isinstance(found.get("settings"), dict):
        return ["the data do not state by which settings they were made"]
    now, then = flat(data_settings(settings)), flat(found["settings"])
    return [
        f"{name} = {now.get(name)}, made with {then.get(name)}"
        for name in dict.fromkeys((*now, *then))
        if now.get(name) != then.get(name)
    ]


def require_settings(folder: Path, settings: Settings) -> None:
    """
    Refuse data that are not those of the settings; say where only the code that makes them has changed since.

    Parameters
    ----------
    folder : Path
        Folder of the data.
    settings : Settings
        The settings.

    Raises
    ------
    InputError
        If there are no data, their record cannot be read, or they were made by other settings.
    """
    differing = differing_settings(folder, settings)
    if differing:
        more = f"; and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        raise InputError(
            f"{folder} is not of these settings: {'; '.join(differing[:_SHOWN])}{more}. Make the data anew with "
            f"`{_REMAKE}` and `dvc add {folder}`, or put params.yaml and --profile back"
        )
    if not is_current(folder, settings):
        log.warning("%s was made by other code than there is now; `%s` makes it anew", folder, _REMAKE)


def verify_data(folder: Path, settings: Settings) -> str:
    """
    Hold data against the settings, re-hash them, and compare with what was written when they were made.

    Parameters
    ----------
    folder : Path
        The folder of data.
    settings : Settings
        By which they must have been made.

    Returns
    -------
    str
        Digest of the data as a whole, 64 hexadecimal digits.

    Raises
    ------
    InputError
        If there are no data, they are of other settings, or a file is not what was written; DVC says "up to date" of a
        corrupted cache, so every stage that reads data asks this first.
    """
    written = _read(folder)["sha256"]
    require_settings(folder, settings)
    found = _digests(folder)
    wrong = sorted(name for name in {*written, *found} if found.get(name) != written.get(name))
    if wrong:
        raise InputError(f"{folder}: {', '.join(wrong)} not as when the data were made; remove {folder} and remake it")
    return sha256_json(written)


def verified_digest(path: Path, settings: Settings) -> str:
    """
    Hash a file; where it is one of the data, compare with what was written when they were made.

    Parameters
    ----------
    path : Path
        A survey, of the data or from elsewhere.
    settings : Settings
        By which the data must have been made.

    Returns
    -------
    str
        Its SHA-256, 64 hexadecimal digits.

    Raises
    ------
    InputError
        If it is missing, or one of the data and not what was written or of other settings.
    """
    if not path.is_file():
        raise InputError(f"no file {path}; of the data, `{_REMAKE}` or `dvc pull` brings it")
    found = sha256_file(path)
    for folder in path.parents:
        if (folder / RECORD).is_file():
            require_settings(folder, settings)
            if _read(folder)["sha256"].get(path.relative_to(folder).as_posix(), found) != found:
                raise InputError(f"{path} is not as when the data were made; remove {folder} and remake it")
            break
    return found


def _read(folder: Path) -> dict[str, Any]:
    if not (folder / RECORD).is_file():
        raise InputError(f"no data in {folder}: run `{_REMAKE}`, or `dvc pull` where there is a remote")
    return read_record(folder / RECORD, "sha256", made_by=_REMAKE)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != RECORD)
    return {p.relative_to(folder).as_posix(): sha256_file(p) for p in files}
