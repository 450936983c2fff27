"""The command ``watch``: releases still verify, data are what they were, new stars look like those learnt on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exsitu.catalog.verify import verify_release
from exsitu.columns import nearest
from exsitu.errors import ExsituError, InputError, SettingsError
from exsitu.evaluation.drift import Drift, drifts
from exsitu.provenance import write_json
from exsitu.quality import passes_parallax_cut
from exsitu.settings import Settings, Survey
from exsitu.stages.data_record import verify_data
from exsitu.surveys.columnar import read_columns
from exsitu.tables import read_parquet

_ERROR = "parallax_error"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was looked at.

    Parameters
    ----------
    what : str
        Such as ``"release standin-1"`` or ``"standin: pmra"``.
    holds : bool
        Whether it is as it should be.
    detail : str
        In words, with the numbers.
    figures : dict of str to float
        The numbers.
    """

    what: str
    holds: bool
    detail: str
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watch:
    """
    What came of a watch.

    Parameters
    ----------
    releases, data, drift : list of Finding
        What was looked at.
    """

    releases: list[Finding]
    data: list[Finding]
    drift: list[Finding]

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return all(found.holds for found in (*self.releases, *self.data, *self.drift))

    def as_dict(self) -> dict[str, Any]:
        """
        Turn the outcome into what JSON can hold.

        Returns
        -------
        dict
        """
        return {"passed": self.passed, **asdict(self)}

    def text(self) -> str:
        """
        Turn the outcome into text for people.

        Returns
        -------
        str
            A line a finding.
        """
        every = (*self.releases, *self.data, *self.drift)
        return "\n".join(f"{'holds' if found.holds else 'FAILS'}  {found.what}: {found.detail}" for found in every)


def watch(
    settings: Settings,
    *,
    inputs: Sequence[Path] = (),
    data: Path,
    samples: Path,
    releases: Path,
    suites: Path,
    output: Path,
) -> Watch:
    """
    Look at releases, data and the drift of what is scored, and leave what was found in a file.

    Parameters
    ----------
    settings : Settings
        Surveys to watch, limits of drift, quality cut, the network's inputs.
    inputs : sequence of Path
        Files of new stars to hold against the training stars, beside the surveys of the settings.
    data : Path
        What ``data`` wrote.
    samples : Path
        What ``prepare`` wrote; drift is measured from ``pretraining/training``.
    releases : Path
        Folder of releases.
    suites : Path
        Folder of the expectation suites.
    output : Path
        Folder to write: ``watch.json``.

    Returns
    -------
    Watch

    Raises
    ------
    SettingsError
        If a survey to watch is not one of the settings' surveys.
    InputError
        If the training stars or a file are missing or cannot be used.
    """
    found = Watch(_releases(releases, suites), [_data(settings, data)], _drift(settings, inputs, samples))
    write_json(output / "watch.json", found.as_dict())
    return found


def _releases(releases: Path, suites: Path) -> list[Finding]:
    folders = sorted(path for path in releases.glob("*") if path.is_dir() and not path.name.startswith("."))
    return [_release(folder, suites) for folder in folders]


def _release(folder: Path, suites: Path) -> Finding:
    checks = verify_release(folder, suites=suites)
    failed = [f"{check.name}: {check.detail}" for check in checks if not check.passed]
    detail = "; ".join(failed) or f"{len(checks)} checks pass"
    return Finding(f"release {folder.name}", holds=not failed, detail=detail)


def _data(settings: Settings, data: Path) -> Finding:
    try:
        return Finding("data", holds=True, detail=f"as they were made, digest {verify_data(data, settings)[:12]}…")
    except ExsituError as error:
        return Finding("data", holds=False, detail=str(error))


def _drift(settings: Settings, inputs: Sequence[Path], samples: Path) -> list[Finding]:
    sources = {name: _survey(settings, name) for name in settings.watch.surveys}
    sources |= {path.name: Survey(path=path, release="") for path in inputs}
    if not sources:
        return []
    from exsitu.model.inputs import input_columns

    names = input_columns(settings.network.input_set)
    reference = _learnt_on(samples, names)
    return [
        _limited(settings, title, drift)
        for title, survey in sources.items()
        for drift in drifts(reference, _scored(settings, survey, names))
    ]


def _survey(settings: Settings, name: str) -> Survey:
    if name not in settings.surveys:
        known = settings.surveys
        raise SettingsError(f"watch.surveys: unknown survey {name!r}{nearest(name, known)}; known: {', '.join(known)}")
    return settings.surveys[name]


def _learnt_on(samples: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    path = samples / "pretraining" / "training.parquet"
    if not path.is_file():
        raise InputError(f"no {path}, which drift is measured from: run `exsitu prepare`")
    frame = read_parquet(path, columns=list(names))
    return {name: frame[name].to_numpy() for name in names}


def _scored(settings: Settings, survey: Survey, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Inputs of the stars that pass the quality cut, as the network would see them."""
    wanted = tuple(dict.fromkeys((*names, "parallax", _ERROR)))
    kept: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    limit = settings.quality.max_fractional_parallax_error
    for chunk in read_columns(survey.path, wanted, release=survey.release or None, chunk_rows=settings.chunk_rows):
        good = passes_parallax_cut(chunk["parallax"], chunk[_ERROR], limit)
        for name in names:
            good &= np.isfinite(chunk[name])
        for name in names:
            kept[name].append(chunk[name][good])
    found = {name: np.concatenate(pieces) if pieces else np.empty(0) for name, pieces in kept.items()}
    if not found[names[0]].size:
        raise InputError(f"no star of {survey.path} passes the quality cut and has every input; nothing to compare")
    return found


def _limited(settings: Settings, title: str, drift: Drift) -> Finding:
    limits = settings.watch
    holds = drift.psi <= limits.max_psi and drift.ks <= limits.max_ks
    detail = (
        f"PSI {drift.psi:.3g} (at most {limits.max_psi:g}), KS {drift.ks:.3g} (at most {limits.max_ks:g}), "
        f"{drift.outside:.2g} of the stars outside the range learnt on"
    )
    figures = {"psi": drift.psi, "ks": drift.ks, "outside": drift.outside}
    return Finding(f"{title}: {drift.name}", holds=holds, detail=detail, figures=figures)
