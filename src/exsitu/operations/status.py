"""What is current and what is stale, who is champion, whether the last releases are as written, what is up."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exsitu.catalog.manifest import read_manifest, release_files
from exsitu.errors import ExsituError
from exsitu.operations.record import differences, stale_in_dvc
from exsitu.operations.servers import State, states
from exsitu.registry import Champion, Entry, champion_source, find_champion, log_file, read_log
from exsitu.settings import Settings
from exsitu.stages.data_record import RECORD, differing_settings, is_current


@dataclass(frozen=True)
class Stages:
    """
    What DVC says of the pipeline.

    Parameters
    ----------
    known : bool
        Whether DVC could be asked.
    stale : mapping of str to list of str
        What changed, by stage; ``data.dvc`` counts as one. Empty where all is current.
    detail : str
        Why DVC could not be asked, if it could not.
    """

    known: bool
    stale: Mapping[str, list[str]]
    detail: str = ""

    def text(self) -> str:
        """
        Turn the answer into text for people.

        Returns
        -------
        str
        """
        if not self.known:
            return f"stages    unknown: {self.detail}"
        if not self.stale:
            return "stages    all current"
        lines = [f"stages    {len(self.stale)} stale; `dvc repro` or `make catalog` brings them up to date"]
        return "\n".join([*lines, *(f"  {stage}: {', '.join(changes)}" for stage, changes in self.stale.items())])


@dataclass(frozen=True)
class LastRelease:
    """
    The newest release of a survey.

    Parameters
    ----------
    version : str
        Such as ``"standin-2"``.
    verifies : bool
        Whether every file has the digest that the manifest says.
    of_champion : bool
        Whether it was made with the champion there is now.
    detail : str
        In words.
    """

    version: str
    verifies: bool
    of_champion: bool
    detail: str


@dataclass(frozen=True)
class Status:
    """
    State of a checkout.

    Parameters
    ----------
    stages : Stages
        What DVC says.
    data : str
        Whether the data are of the settings and the code there are now, in words.
    differing : list of str
        Why ``data.dvc`` and ``dvc.lock`` are not those of the commit, where they are not.
    champion : Champion or None
        The champion.
    champion_detail : str
        In words; also where ``champion.json`` cannot be read.
    last_promotion : Entry or None
        Last line of the log of promotions.
    releases : list of LastRelease
        The newest of each survey.
    servers : list of State
        Prefect, MLflow, worker.
    """

    stages: Stages
    data: str
    differing: list[str]
    champion: Champion | None
    champion_detail: str
    last_promotion: Entry | None
    releases: list[LastRelease]
    servers: list[State]

    def as_dict(self) -> dict[str, Any]:
        """
        Turn the status into what JSON can hold.

        Returns
        -------
        dict
        """
        return asdict(self)

    def text(self) -> str:
        """
        Turn the status into text for people.

        Returns
        -------
        str
        """
        agree = ("data.dvc and dvc.lock are those of the commit, as far as there is one",)
        lines = [f"data      {self.data}", self.stages.text(), *(f"record    {w}" for w in self.differing or agree)]
        lines.append(f"champion  {self.champion_detail}")
        if self.last_promotion is not None:
            lines.append(f"          {self.last_promotion.text()}")
        lines += [f"release   {release.version}: {release.detail}" for release in self.releases]
        if not self.releases:
            lines.append("release   none yet; `exsitu release SURVEY` makes one")
        return "\n".join([*lines, *(f"server    {state.text()}" for state in self.servers)])


def status(root: Path, settings: Settings, *, champion_file: Path, data: Path, releases: Path) -> Status:
    """
    Look at a checkout; nothing is changed.

    Parameters
    ----------
    root : Path
        The checkout.
    settings : Settings
        By which the data should have been made.
    champion_file : Path
        File that names the champion.
    data : Path
        What the stage ``data`` made.
    releases : Path
        Folder of releases.

    Returns
    -------
    Status
    """
    champion, detail, last = _champion(champion_file)
    return Status(
        stages=stages_of(root),
        data=data_state(data, settings),
        differing=differences(root),
        champion=champion,
        champion_detail=detail,
        last_promotion=last,
        releases=last_releases(releases, champion),
        servers=states(root),
    )


def data_state(folder: Path, settings: Settings) -> str:
    """
    Say whether data are of the settings and the code there are now.

    Parameters
    ----------
    folder : Path
        What the stage ``data`` made.
    settings : Settings
        The settings.

    Returns
    -------
    str
        In words, with what to run where they are not.
    """
    remake = f"`exsitu data` and `dvc add {folder}` make them anew"
    if not (folder / RECORD).is_file():
        return f"none in {folder}; {remake} (minutes), `dvc pull` fetches them where there is a remote"
    try:
        differing = differing_settings(folder, settings)
    except ExsituError as error:
        return str(error)
    if differing:
        return f"stale: {'; '.join(differing)}; {remake}"
    if not is_current(folder, settings):
        return f"of these settings, but made by other code; {remake}"
    return "of these settings and this code"


def stages_of(root: Path) -> Stages:
    """
    Ask DVC which stages are stale.

    Parameters
    ----------
    root : Path
        The checkout.

    Returns
    -------
    Stages

    Notes
    -----
    Not inside a stage: DVC holds its locks there, and what it would say of the stage that runs means nothing.
    """
    if "DVC_STAGE" in os.environ:
        return Stages(known=False, stale={}, detail="DVC is not asked inside a stage")
    way = [name for name in ("dvc.yaml", "data.dvc") if (root / name).is_file()]  # experiments are run when asked for
    try:
        found = stale_in_dvc(root, *way)
    except OSError:
        return Stages(known=False, stale={}, detail="the command dvc is not found; run `make install`")
    except ValueError as error:
        return Stages(known=False, stale={}, detail=str(error))
    return Stages(known=True, stale={stage: _changes(changes) for stage, changes in found.items()})


def _changes(changes: Any) -> list[str]:
    """``[{"changed deps": {"data": "modified"}}, "always changed"]`` in words."""
    told = []
    for change in changes:
        if not isinstance(change, dict):
            told.append(str(change))
            continue
        for what in change.values():
            parts = what.items() if isinstance(what, dict) else [(str(what), "changed")]
            told += [f"{name} {_how(how)}" for name, how in parts]
    return told


def _how(how: Any) -> str:
    return ", ".join(f"{key} {value}" for key, value in how.items()) if isinstance(how, dict) else str(how)


def _champion(file: Path) -> tuple[Champion | None, str, Entry | None]:
    try:
        source, champion = champion_source(file), find_champion(file)
        entries = read_log(log_file(source))
    except ExsituError as error:
        return None, str(error), None
    if champion is None:
        return None, "none yet; `exsitu promote` makes one", None
    where = "" if source == file else f", promoted in this checkout alone; `exsitu promote --commit` writes {file}"
    return champion, f"{champion}{where}", entries[-1] if entries else None


def last_releases(releases: Path, champion: Champion | None) -> list[LastRelease]:
    """
    Look at the newest release of each survey, by digest alone.

    Parameters
    ----------
    releases : Path
        Folder of releases.
    champion : Champion or None
        The champion there is now.

    Returns
    -------
    list of LastRelease
        By survey.
    """
    newest: dict[str, Path] = {}
    for path in releases.glob("*-*"):
        survey, _, number = path.name.rpartition("-")
        if path.is_dir() and number.isdecimal() and not path.name.startswith("."):
            held = newest.get(survey)
            if held is None or int(held.name.rpartition("-")[2]) < int(number):
                newest[survey] = path
    return [_looked_at(path, champion) for _, path in sorted(newest.items())]


def _looked_at(path: Path, champion: Champion | None) -> LastRelease:
    try:
        manifest = read_manifest(path)
        found = release_files(path)
    except (ExsituError, OSError) as error:
        return LastRelease(path.name, verifies=False, of_champion=False, detail=str(error))
    written = manifest["files"]
    wrong = sorted(name for name in {*written, *found} if written.get(name) != found.get(name))
    weights = manifest.get("model", {}).get("weights_sha256")
    own = champion is not None and weights == champion.weights_sha256
    whole = f"NOT as written: {', '.join(wrong)}" if wrong else f"{len(written)} files as written"
    detail = f"{whole}; made with {'the champion' if own else 'another model than the champion'}"
    return LastRelease(path.name, verifies=not wrong, of_champion=own, detail=detail)
