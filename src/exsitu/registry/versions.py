"""Model versions in MLflow's registry: found by alias or number, registered once."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exsitu.errors import InputError, PromotionError
from exsitu.provenance import sha256_file
from exsitu.registry.champion import Champion, champion_of
from exsitu.settings import Tracking
from exsitu.tracking import CARD, MODEL_FILES, WEIGHTS, Client, connect

CANDIDATE, CHAMPION, PREVIOUS = "candidate", "champion", "previous"
"""Aliases: the model judged last, the one releases are made with, the one before it."""


def registered_champion(tracking: Tracking) -> Champion | None:
    """
    What the registry says is champion.

    Parameters
    ----------
    tracking : Tracking
        Settings.

    Returns
    -------
    Champion or None
        None where no model carries the alias.

    Raises
    ------
    InputError
        If there is no tracking store, or the version under the alias was not made by `promote`.
    """
    return aliased_champion(connect(tracking, create=False), tracking.model_name)


def aliased_champion(client: Client, name: str) -> Champion | None:
    """
    What an open registry says is champion.

    Parameters
    ----------
    client : Client
        The open store.
    name : str
        Registered model.

    Returns
    -------
    Champion or None
        None where no model carries the alias.

    Raises
    ------
    InputError
        If the version under the alias was not made by `promote`.
    """
    for model in client.search_registered_models(f"name = '{name}'"):
        if CHAMPION in model.aliases:
            return champion_of_version(client.get_model_version(name, model.aliases[CHAMPION]))
    return None


def champion_of_version(version: Any) -> Champion:
    """
    What a registered version would be as champion.

    Parameters
    ----------
    version : object
        MLflow's model version.

    Returns
    -------
    Champion

    Raises
    ------
    InputError
        If it was not registered by exsitu.
    """
    where = f"registry entry {version.name} version {version.version}"
    try:
        held = json.loads(version.tags["champion"])
    except (KeyError, ValueError):
        raise InputError(f"{where} carries no record of its promotion; move the alias with `exsitu promote`") from None
    return champion_of({**held, "version": str(version.version)}, where)


def past_champion(client: Client, name: str, version: str) -> Champion:
    """
    A version that was champion once.

    Parameters
    ----------
    client : Client
        The open store.
    name : str
        Registered model.
    version : str
        Its number.

    Returns
    -------
    Champion

    Raises
    ------
    InputError
        If there is no such version.
    PromotionError
        If it never was champion.
    """
    found = {str(v.version): v for v in client.search_model_versions(f"name = '{name}'")}
    once = sorted((n for n, v in found.items() if "promoted_over" in v.tags), key=int)
    known = f"versions that were champion: {', '.join(once) or 'none'}"
    if version not in found:
        raise InputError(f"{name} has no version {version!r}; {known}")
    if version not in once:
        raise PromotionError(
            f"{name} version {version} was never champion, so there is nothing to go back to; {known}. To have it "
            f"judged: `exsitu promote --run {found[version].run_id}`"
        )
    return champion_of_version(found[version])


def register(tracking: Tracking, entry: Champion, model_folder: Path) -> str:
    """
    Register a model version, unless the same model with the same cut is registered already.

    Parameters
    ----------
    tracking : Tracking
        Settings.
    entry : Champion
        What to say of the version; its ``version`` is not looked at.
    model_folder : Path
        Folder with the two model files; kept among the run's artefacts if they are not yet.

    Returns
    -------
    str
        The version.

    Raises
    ------
    PromotionError
        If the weights in the folder are not the entry's.
    """
    require_weights(model_folder, entry.weights_sha256)
    return registered_version(connect(tracking, create=True), entry, model_folder)


def require_weights(folder: Path, sha256: str) -> None:
    """
    Check the weights in a folder.

    Parameters
    ----------
    folder : Path
        With ``weights.npz``.
    sha256 : str
        What their digest must be.

    Raises
    ------
    PromotionError
        If it is another.
    """
    found = sha256_file(folder / WEIGHTS)
    if found != sha256:
        raise PromotionError(f"{folder / WEIGHTS} has SHA-256 {found}, expected {sha256}; the file was changed")


def registered_version(client: Client, entry: Champion, folder: Path) -> str:
    """
    Register a model in an open registry, unless it is there already.

    Parameters
    ----------
    client : Client
        The open store.
    entry : Champion
        What to say of the version; its ``version`` is not looked at.
    folder : Path
        Folder with the two model files.

    Returns
    -------
    str
        The version.
    """
    if not client.search_registered_models(f"name = '{entry.name}'"):
        client.create_registered_model(entry.name, description="exsitu: scores stars as accreted (1) or in situ (0)")
    for found in client.search_model_versions(f"name = '{entry.name}' and run_id = '{entry.run_id}'"):
        if "champion" in found.tags and champion_of_version(found).identity == entry.identity:
            return str(found.version)
    if not {f.path for f in client.list_artifacts(entry.run_id, MODEL_FILES)} >= _artefacts():
        for name in (WEIGHTS, CARD):
            client.log_artifact(entry.run_id, str(folder / name), MODEL_FILES)
    source = f"{client.get_run(entry.run_id).info.artifact_uri}/{MODEL_FILES}"
    tags = {
        "weights_sha256": entry.weights_sha256,
        "model_digest": entry.model_digest,
        "data_digest": entry.data_digest,
        "cut": repr(entry.cut),
        "variant": entry.variant,
        "champion": json.dumps(asdict(entry), allow_nan=False),
    }
    made = client.create_model_version(entry.name, source, run_id=entry.run_id, tags=tags)
    return str(made.version)


def _artefacts() -> set[str]:
    return {f"{MODEL_FILES}/{name}" for name in (WEIGHTS, CARD)}
