"""Of which data release a table is, and whether its stars were ever observed; the columns are in ``exsitu.columns``."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from exsitu.columns import REFERENCE_EPOCHS, RELEASES, nearest
from exsitu.errors import InputError
from exsitu.surveys.stated import stated_facts
from exsitu.tables import TableInfo, frames_of

GAIA = ("gaia_dr2", "gaia_dr3", "gaia_dr4")

_ONLY_IN: Mapping[tuple[str, ...], frozenset[str]] = MappingProxyType(
    {
        ("gaia_dr2",): frozenset({"astrometric_pseudo_colour", "mean_varpi_factor_al", "teff_val", "a_g_val"}),
        ("gaia_dr2", "gaia_dr3"): frozenset(
            {"astrometric_params_solved", "phot_bp_rp_excess_factor", "astrometric_excess_noise_sig"}
        ),
        ("gaia_dr3", "gaia_dr4"): frozenset(
            {"nu_eff_used_in_astrometry", "pseudocolour", "teff_gspphot", "rv_method_used"}
        ),
        # Provisional: of the draft data model of Gaia DR4, before it opens.
        ("gaia_dr4",): frozenset(
            {
                "astrometric_params",
                "tentative_parallax_bias",
                "radial_velocity_single",
                "radial_velocity_sys",
                "has_epoch_astrometry",
            }
        ),
    }
)
"""Columns that ``gaia_source`` has in these releases and in no other."""

_RUWE = ("gaia_dr3", "gaia_dr4")
"""Releases whose ``gaia_source`` has ``ruwe``. Of DR2 it was published apart, and is found joined to it: where anything
else says DR2, it says nothing."""

_NAMED = re.compile(r"gaia[\s_.-]*e?dr[\s_-]*([0-9])", re.IGNORECASE)
_DESIGNATION, _EPOCH = "designation", "ref_epoch"
_RELEASE_KEYS = frozenset({"release", "data_release", "datarel"})
_EPOCH_KEYS = frozenset({"refepoch", "ref_epoch", "reference_epoch"})  # the card EPOCH of old FITS is an equinox
_MOCK_KEYS = frozenset({"generator", "synthetic"})
_REAL_SURVEYS = frozenset({"gaia", "hipparcos2"})
_LOOKED_AT = 200
"""First rows in which designations and epochs are read."""


@dataclass(frozen=True, slots=True)
class Identity:
    """
    What a table says it is of.

    Parameters
    ----------
    evidence : mapping of str to tuple of str
        What says so, and the data releases that it leaves: ``{"designation 'Gaia DR3 …'": ("gaia_dr3",)}``.
    epoch : float or None
        Julian year of the positions, where the file states one.
    mock : str or None
        What says that its stars are mock stars, never observed.
    observed : str or None
        What says that they are real ones.
    """

    evidence: Mapping[str, tuple[str, ...]]
    epoch: float | None = None
    mock: str | None = None
    observed: str | None = None

    @property
    def releases(self) -> tuple[str, ...]:
        """Data releases that all evidence leaves, in order of `RELEASES`; empty where there is none."""
        if not self.evidence:
            return ()
        left = set.intersection(*(set(releases) for releases in self.evidence.values()))
        return tuple(release for release in RELEASES if release in left)


def identify(info: TableInfo) -> Identity:
    """
    Gather what a table says of its data release: its columns, its first rows and its file's own metadata.

    Parameters
    ----------
    info : TableInfo
        The table.

    Returns
    -------
    Identity

    Raises
    ------
    InputError
        If two of them contradict each other; each is named.
    """
    in_file = info.format != "frame"
    facts = stated_facts(info.path, info.format) if in_file else {}
    rows = _first_rows(info) if in_file else {}
    mock = _mock(info, facts)
    evidence = dict([*_of_columns(info), *_of_rows(rows), *_of_facts(facts, mock=mock is not None)])
    found = Identity(evidence, _epoch(rows, facts), mock, None if mock else _observed(rows, facts))
    if evidence and not found.releases:
        said = "; ".join(f"{what} says {' or '.join(releases)}" for what, releases in found.evidence.items())
        raise InputError(
            f"{info.path} contradicts itself on its data release: {said}; ids differ between releases: correct the "
            "file or leave out the wrong column"
        )
    if "ruwe" in {name.lower() for name in info.columns} and (not evidence or set(found.releases) & set(_RUWE)):
        return replace(found, evidence={**evidence, "column ruwe": _RUWE})
    return found


def guess_release(info: TableInfo) -> str | None:
    """
    Say which data release a table comes from.

    Parameters
    ----------
    info : TableInfo
        The table.

    Returns
    -------
    str or None
        A key of ``RELEASES``; None where nothing tells, or several are left.

    Raises
    ------
    InputError
        If the table contradicts itself.
    """
    found = identify(info).releases
    return found[0] if len(found) == 1 else None


def refuse_other_release(info: TableInfo, release: str | None) -> None:
    """
    Refuse a table of one Gaia release that is announced as another: ids do not match across releases.

    Parameters
    ----------
    info : TableInfo
        The table.
    release : str or None
        What the caller says it is.

    Raises
    ------
    InputError
        If the table says that it is of another Gaia release, or contradicts itself.
    """
    if release not in GAIA:
        return
    found = identify(info)
    if found.evidence and release not in found.releases:
        raise InputError(_contradiction(info, found, release))


def released_as(info: TableInfo, found: Identity, announced: str | None) -> str:
    """
    Say of which data release a table is, where a caller may have announced it.

    Parameters
    ----------
    info : TableInfo
        The table.
    found : Identity
        What it says.
    announced : str or None
        What the caller says it is.

    Returns
    -------
    str
        A key of ``RELEASES``.

    Raises
    ------
    InputError
        If nothing decides, the release is unknown, or the table is of another one or its positions of another epoch.
    """
    name = announced or (found.releases[0] if len(found.releases) == 1 else None)
    if name is None:
        left = f" ({', '.join(found.evidence)}: {' or '.join(found.releases)})" if found.releases else ""
        raise InputError(
            f"{info.path} does not say of which data release its ids are{left}; name it with --release, as gaia_dr2"
        )
    if name not in RELEASES:
        raise InputError(f"unknown data release {name!r}{nearest(name, RELEASES)}; known: {', '.join(RELEASES)}")
    if found.evidence and name not in found.releases:
        raise InputError(_contradiction(info, found, name))
    epoch = REFERENCE_EPOCHS.get(name)
    if None not in (found.epoch, epoch) and found.epoch != epoch:
        raise InputError(
            f"{info.path} states positions of epoch J{found.epoch:g}, and {name} has them at J{epoch:g}; give the "
            "positions of the data release itself"
        )
    return name


def _contradiction(info: TableInfo, found: Identity, release: str) -> str:
    """Why a table is not of the release it is announced as."""
    against = [what for what, releases in found.evidence.items() if release not in releases]
    is_of = " or ".join(found.releases)
    return f"{info.path} is of {is_of}, not {release} ({', '.join(against)}); ids differ between releases: name {is_of}"


def _of_columns(info: TableInfo) -> Iterator[tuple[str, tuple[str, ...]]]:
    names = {name.lower(): name for name in info.columns}
    found = {releases: sorted(names[n] for n in only & names.keys()) for releases, only in _ONLY_IN.items()}
    found = {releases: columns for releases, columns in found.items() if columns}
    if found and set.intersection(*map(set, found)):  # else a table joined from two releases
        for releases, columns in found.items():
            yield f"column{'s' * (len(columns) > 1)} {', '.join(columns)}", releases


def _first_rows(info: TableInfo) -> dict[str, list[Any]]:
    """Designations and epochs of the first rows, each once."""
    held = {name.lower(): name for name in info.columns if name.lower() in (_DESIGNATION, _EPOCH)}
    if not held:
        return {}
    frames = frames_of(info, columns=list(held.values()), chunk_rows=_LOOKED_AT)
    first = next(frames)
    return {name: list(dict.fromkeys(first[native].dropna())) for name, native in held.items()}


def _of_rows(rows: Mapping[str, list[Any]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for designation in rows.get(_DESIGNATION, ()):
        for release in _named(str(designation)):
            yield f"designation ('{release.removeprefix('gaia_').upper()}')", (release,)
    for year in rows.get(_EPOCH, ()):
        for release in _of_epoch(year):
            yield f"ref_epoch ({float(year):g})", (release,)


def _of_facts(facts: Mapping[str, str], *, mock: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A mock survey speaks of the releases it imitates; what it is of, it says under a key of its own."""
    for name, text in facts.items():
        if name.lower() in _RELEASE_KEYS and text in RELEASES:
            yield f"metadata {name} ({text})", (text,)
        elif name.lower() in _EPOCH_KEYS and not mock:
            for release in _of_epoch(text):
                yield f"metadata {name} ({text})", (release,)
        elif not mock and len(found := _named(text)) == 1:
            yield f"metadata {name} ({_short(text)})", found


def _named(text: str) -> tuple[str, ...]:
    """Gaia releases that a text names; EDR3 has the ids of DR3."""
    found = {f"gaia_dr{number}" for number in _NAMED.findall(text)}
    return tuple(release for release in GAIA if release in found)


def _of_epoch(year: Any) -> tuple[str, ...]:
    value = _year(year)
    return tuple(release for release in GAIA if value == REFERENCE_EPOCHS[release])


def _year(text: Any) -> float | None:
    try:
        return float(str(text).strip().removeprefix("J"))
    except ValueError:
        return None


def _epoch(rows: Mapping[str, list[Any]], facts: Mapping[str, str]) -> float | None:
    stated = [*rows.get(_EPOCH, ()), *(text for name, text in facts.items() if name.lower() in _EPOCH_KEYS)]
    return next((year for text in stated if (year := _year(text)) is not None), None)


def _mock(info: TableInfo, facts: Mapping[str, str]) -> str | None:
    """What says that no star of the table was ever observed: a statement, or columns of truth that no survey has."""
    for name, text in facts.items():
        if name.lower() in _MOCK_KEYS and text.lower() not in ("false", "f", "0"):
            return f"metadata {name} ({_short(text)})"
    truth = [name for name in info.columns if name.lower() in ("parentid", "px_true", "py_true", "pz_true")]
    return f"column{'s' * (len(truth) > 1)} {', '.join(truth)}" if truth else None


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def _observed(rows: Mapping[str, list[Any]], facts: Mapping[str, str]) -> str | None:
    """What says that the stars were observed: the archive's own designations, or exsitu's note of a real survey."""
    if any(_named(str(designation)) for designation in rows.get(_DESIGNATION, ())):
        return _DESIGNATION
    return f"metadata survey ({facts['survey']})" if facts.get("survey") in _REAL_SURVEYS else None
