"""Trials: what is trained, as data. Two experiments that ask for the same trial share one network."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from exsitu.errors import InputError
from exsitu.provenance import sha256_json
from exsitu.settings import Settings

_FORMAT = 1
"""Raised when the code changes what a trial's data mean, so that no old network is taken for a new one."""

KEPT_SETTINGS: Mapping[str, Any] = {
    "seed": True,
    "quality": True,
    "labels": True,
    "training": {  # all but what draws are made from, which is the trial's
        "draws_per_star", "accreted_per_batch", "accreted_weight", "learning_rate", "plateau", "stop_patience",
    },
    "transfer": {"learning_rate"},
    "network": {"hidden"},
    "experiments": {
        "validation_share", "test_share", "training_stars", "transfer_stars", "validation_stars", "epochs",
        "draws_per_epoch", "plateau_patience", "stop_patience",
    },
}  # fmt: skip
"""What of the settings decides a trained network; `transfer_epochs` too, where it goes on from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    Stars to learn from, as a recipe.

    Parameters
    ----------
    surveys : tuple of str
        Names such as ``"m12i/lsr0"`` or, of a galaxy drawn from the priors, ``"population/3/lsr0"``.
    filters : tuple of str
        Keys of `exsitu.experiments.samples.FILTERS`; a star must pass all.
    stars : int, optional
        At most so many of each survey; the settings' limit by default. Smaller samples are part of larger ones.
    split : str
        A key of `exsitu.experiments.samples.SPLITS`: what is kept apart between training, validation and test.
    """

    surveys: tuple[str, ...]
    filters: tuple[str, ...] = ()
    stars: int | None = None
    split: str = "star"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """
    One training.

    Parameters
    ----------
    sample : Sample
        What is learnt from.
    input_set : str
        A key of ``INPUT_SETS``.
    representation : str
        A key of ``REPRESENTATIONS``.
    label : str
        Column that says which stars count as accreted: ``accreted``, ``label_vm``, ``label_zm``.
    planing : str
        Variable whose distribution is planed away in training; none by default.
    noise : str
        Draws of the measurements: none, from the errors, or from the whole covariance.
    hidden : tuple of int
        Widths of the hidden layers; the settings' by default.
    seed : int
        Number of the network among its like; the settings' seed comes on top.
    start : Trial, optional
        Network to go on from.
    layers : tuple of str
        Layers that learn, of a network that goes on; all by default.
    validation : Sample, optional
        Where to stop, on at most its `stars` of each survey; stars set aside of `sample` by default.
    validation_label : str
        Labels of the stars that stop it; those of `label` by default.
    kind : str
        A key of `exsitu.experiments.training.TRAINERS`.
    flipped : float
        Share of the labels that are flipped, in the stars that teach and in those that stop the training.
    stays : bool
        Leave a network that goes on as it was where the stars show one class alone; such stars are refused by default.
    """

    sample: Sample
    input_set: str = "5D"
    representation: str = "measured"
    label: str = "accreted"
    planing: str = ""
    noise: Literal["none", "errors", "covariance"] = "errors"
    hidden: tuple[int, ...] = ()
    seed: int = 0
    start: "Trial | None" = None
    layers: tuple[str, ...] = ()
    validation: Sample | None = None
    validation_label: str = ""
    kind: str = "network"
    flipped: float = 0.0
    stays: bool = False

    def __post_init__(self) -> None:
        """Hold a transferred network against the one it goes on from."""
        before = self.start
        if before and (before.input_set, before.representation) != (self.input_set, self.representation):
            raise InputError(
                f"a trial of {self.input_set} {self.representation} cannot go on from one of {before.input_set} "
                f"{before.representation}; give both the same inputs"
            )

    @property
    def stopping(self) -> Sample:
        """The sample whose validation stars stop the training."""
        return self.validation or self.sample

    @property
    def surveys(self) -> tuple[str, ...]:
        """Every survey the training reads, not those of the network it goes on from."""
        return tuple(dict.fromkeys((*self.sample.surveys, *self.stopping.surveys)))

    @property
    def says(self) -> str:
        """What it is, for progress bars and run names."""
        galaxies = "+".join(name.replace("/", "-") for name in self.sample.surveys)
        shown = galaxies if len(self.sample.surveys) < 4 else f"{len(self.sample.surveys)} surveys"
        marks = [self.label.removeprefix("label_")] if self.label != "accreted" else []
        marks += ["-".join(self.layers)] if self.layers else []
        marks += [f"planed {self.planing}"] if self.planing else []
        marks += [f"{self.flipped:g} flipped"] if self.flipped else []
        marks += ["-".join(map(str, self.hidden))] if self.hidden else []
        marks += [self.representation] if self.representation != "measured" else []
        return " ".join((self.input_set, shown, *self.sample.filters, *marks, f"seed {self.seed}")).replace(
            "<", " below "
        )

    def with_seed(self, seed: int) -> "Trial":
        """
        The same trial by another seed, and so the one it goes on from.

        Parameters
        ----------
        seed : int
            From 0.

        Returns
        -------
        Trial
        """
        start = self.start.with_seed(seed) if self.start else None
        return dataclasses.replace(self, seed=seed, start=start)

    def to_json(self) -> dict[str, Any]:
        """
        Turn the trial into what JSON can hold, without what is as by default.

        Returns
        -------
        dict
            A field that is added to the class later changes nothing of it.
        """
        told: dict[str, Any] = _told(self)
        return told

    def lineage(self) -> Iterator["Trial"]:
        """
        Go back to where the network began.

        Yields
        ------
        Trial
            The first trial of all, then those that go on from it, this one last.
        """
        if self.start:
            yield from self.start.lineage()
        yield self


def _told(thing: Any) -> Any:
    if not dataclasses.is_dataclass(thing):
        return list(thing) if isinstance(thing, tuple) else thing
    held = ((field, getattr(thing, field.name)) for field in dataclasses.fields(thing))
    return {field.name: _told(value) for field, value in held if value != field.default}


def trial_key(trial: Trial, settings: Settings, digests: Mapping[str, str]) -> str:
    """
    What names a trained network: the trial, the data it read, the settings it depends on.

    Parameters
    ----------
    trial : Trial
        The trial.
    settings : Settings
        All settings; those of `KEPT_SETTINGS` count.
    digests : mapping of str to str
        SHA-256 of each survey of the trial and of those it goes on from.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    surveys = sorted({name for t in trial.lineage() for name in t.surveys})
    kept = settings.model_dump(mode="json", include=dict(KEPT_SETTINGS))
    if trial.start:
        kept["experiments"]["transfer_epochs"] = settings.experiments.transfer_epochs
    return sha256_json(
        {
            "format": _FORMAT,
            "trial": trial.to_json(),
            "data": {name: digests[name] for name in surveys},
            "settings": kept,
        }
    )


def in_order(trials: Iterable[Trial]) -> list[list[Trial]]:
    """
    Put trials into rounds: what others go on from comes first.

    Parameters
    ----------
    trials : iterable of Trial
        Asked for; repeats count once.

    Returns
    -------
    list of list of Trial
        The trials and all they go on from; those of a round can be trained side by side.
    """
    rounds: dict[int, dict[Trial, None]] = {}
    for trial in trials:
        for number, step in enumerate(trial.lineage()):
            rounds.setdefault(number, {})[step] = None
    return [list(rounds[number]) for number in sorted(rounds)]
