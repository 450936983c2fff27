"""Models to hold side by side: found by folder, variant or MLflow run, put together where only seeds differ."""

import contextlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exsitu import tracking
from exsitu.columns import nearest
from exsitu.errors import InputError
from exsitu.provenance import read_json, read_record
from exsitu.settings import Settings
from exsitu.tracking import CARD, MODEL_FILES, TrackedRun

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_EXPERIMENTS = ("transfer", "pretraining")
_TRAINING = ("training.", "transfer.", "epochs.", "labels.", "quality.")
"""Parameters of a run that decide its weights; with the profile and the seed, and what the card says."""


@dataclass(frozen=True)
class Contender:
    """
    A model on disk, and what is on record of its training.

    Parameters
    ----------
    folder : Path
        With ``weights.npz`` and ``model.json``; a copy where it came from MLflow.
    card : dict
        ``model.json``.
    cut : float
        Its score cut, as its stage chose it.
    run : TrackedRun or None
        The MLflow run it was made by; None where none is on record here.
    """

    folder: Path
    card: dict[str, Any]
    cut: float
    run: TrackedRun | None

    @property
    def name(self) -> str:
        """The variant of a transferred model; the stage, and the variant, of another."""
        made = self.card["provenance"]
        stage, variant = made.get("stage", "model"), made.get("variant", "")
        return str(variant) if stage == "transfer" else f"{stage} {variant}".strip()

    @property
    def identity(self) -> tuple[str, str]:
        """Name and what decides its scores."""
        return self.name, str(self.card["digest"])

    @property
    def seed(self) -> int | None:
        """Seed it was trained by."""
        found = self.card["provenance"].get("seed")
        return None if found is None else int(found)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What models have in common that differ in their seed alone."""
        card, params = self.card, self.run.params if self.run else {}
        told = sorted((name, value) for name, value in params.items() if name.startswith((*_TRAINING, "profile")))
        representation = repr(sorted(card["representation"].items()))
        return self.name, tuple(card["inputs"]), representation, tuple(card["hidden"]), tuple(told)


@contextlib.contextmanager
def contenders(settings: Settings, runs: Sequence[str], variants: Path) -> Iterator[list[Contender]]:
    """
    Find models.

    Parameters
    ----------
    settings : Settings
        Where runs are tracked, and the variants there are.
    runs : sequence of str
        Each a folder, a variant of `variants`, an MLflow run's id, or the name of one, of which the latest finished
        is taken. None: all variants there are.
    variants : Path
        Folder with one folder a variant, as ``transfer`` wrote them.

    Yields
    ------
    list of Contender
        In the order given, each once. Copies from MLflow are removed at the end.

    Raises
    ------
    InputError
        If there is no such model.
    """
    asked = runs or [name for name in settings.transfer.variants if (variants / name / CARD).is_file()]
    if not asked:
        raise InputError(f"no model in {variants}: run `exsitu transfer VARIANT` first, or name runs")
    with contextlib.ExitStack() as copies:
        found = [_find(settings, run, variants, copies) for run in asked]
        yield list({contender.identity: contender for contender in found}.values())


def grouped(found: Sequence[Contender]) -> dict[str, list[Contender]]:
    """
    Put models together that differ in their seed alone.

    Parameters
    ----------
    found : sequence of Contender
        In any order.

    Returns
    -------
    dict of str to list of Contender
        By name; names that would stand twice carry the start of their weights' digest.
    """
    kinds: dict[tuple[Any, ...], list[Contender]] = {}
    for contender in found:
        kinds.setdefault(contender.kind, []).append(contender)
    groups = [
        part
        for members in kinds.values()
        for part in ([members] if _differ_in_seed(members) else [[member] for member in members])
    ]
    names = [members[0].name for members in groups]
    return {
        name if names.count(name) == 1 else f"{name} ({members[0].card['weights_sha256'][:8]})": members
        for name, members in zip(names, groups, strict=True)
    }


def _differ_in_seed(members: Sequence[Contender]) -> bool:
    seeds = {member.seed for member in members}
    return len(members) == 1 or (len(seeds) == len(members) and None not in seeds)


def _find(settings: Settings, run: str, variants: Path, copies: contextlib.ExitStack) -> Contender:
    for folder in (Path(run), variants / run):
        if (folder / CARD).is_file():
            card = read_record(folder / CARD, "digest", "weights_sha256", made_by="exsitu transfer")
            return Contender(folder, card, _cut(folder), _run_of(settings, card))
    tracked = tracking.find_run(settings.tracking, run if _RUN_ID.fullmatch(run) else _latest(settings, run, variants))
    folder = tracking.download(settings.tracking, tracked.run_id, MODEL_FILES)
    copies.callback(shutil.rmtree, folder.parent, ignore_errors=True)
    card = read_record(folder / CARD, "digest", "weights_sha256", made_by="exsitu transfer")
    if "cut" not in tracked.metrics:
        raise InputError(f"run {tracked.run_id} ({tracked.name}) recorded no score cut: it did not get to its end")
    if card["weights_sha256"] != tracked.tags.get("weights_sha256"):
        raise InputError(f"the card among the artefacts of run {tracked.run_id} is not that of the weights it recorded")
    return Contender(folder, card, float(tracked.metrics["cut"]), tracked)


def _cut(folder: Path) -> float:
    metrics = read_json(folder / "metrics.json") if (folder / "metrics.json").is_file() else {}
    if "cut" not in metrics:
        raise InputError(f"{folder} has a model but no score cut (metrics.json); name a folder that a stage wrote")
    return float(metrics["cut"])


def _recorded(settings: Settings) -> list[Any]:
    """Finished runs of models, the latest of each experiment first; none where nothing was tracked here."""
    rows = []
    for experiment in _EXPERIMENTS:
        with contextlib.suppress(InputError):  # no store, or no such experiment: a collaborator's clone
            rows += tracking.runs(settings.tracking, experiment).to_dict("records")
    return [row for row in rows if row["status"] == "FINISHED"]


def _run_of(settings: Settings, card: dict[str, Any]) -> TrackedRun | None:
    """The run that made a model: of its weights, stage and variant, since a transfer may leave weights as they are."""
    wanted = {"tags.weights_sha256": card["weights_sha256"]}
    made = card["provenance"]
    wanted |= {f"tags.{name}": made[name] for name in ("stage", "variant") if name in made}
    for row in _recorded(settings):
        if all(row.get(name) == value for name, value in wanted.items()):
            return tracking.find_run(settings.tracking, row["run_id"])
    return None


def _latest(settings: Settings, name: str, variants: Path) -> str:
    recorded = _recorded(settings)
    for row in recorded:
        if row["name"] == name and isinstance(row.get("tags.weights_sha256"), str):
            return str(row["run_id"])
    on_disk = [folder.name for folder in sorted(variants.glob("*")) if (folder / CARD).is_file()]
    known = list(dict.fromkeys([*on_disk, *(str(row["name"]) for row in recorded)]))
    raise InputError(
        f"no model {name!r}{nearest(name, known)}: it is no folder with a {CARD}, and no finished run of that name; "
        f"known: {', '.join(known) or 'none yet'}"
    )
