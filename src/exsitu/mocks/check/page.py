"""The page of a checked mock galaxy, for a sceptical galactic dynamicist; and the same table for a terminal."""

import dataclasses
import importlib
import inspect
import itertools
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from exsitu import mocks
from exsitu.mocks.check.captions import PICTURES
from exsitu.mocks.check.claims import GROUPS, Verdict
from exsitu.mocks.check.measure import Measured
from exsitu.mocks.galaxies import GalaxyModel

_ABOUT = {
    "generator": "generator",
    "galaxy": "galaxy",
    "seed": "seed",
    "error_profile": "error profile",
    "particle_mass_msun": "mass of a particle born in the galaxy, Msun",
    "accreted_particle_mass_msun": "mass of a particle from outside, Msun",
    "sampling_fraction": "share of the galaxy's stars in the file",
}

_LIMITS = (
    "The potential is smooth, axisymmetric and constant; the bar and the arms only displace the stars of the disc.",
    "Dynamical friction is a formula, and stars do not act on each other.",
    "Ages, metallicities and motions are drawn from distributions, not from gas that cools and forms stars.",
    "There are no abundances besides [Fe/H].",
    "Satellites are Plummer spheres without gradients of metallicity, and a rule strips their stars.",
    "Dust is a smooth disc: no clouds, so no patchy extinction.",
    "Stars of one particle share its age and [Fe/H] and lie within a Gaussian kernel: nothing smaller is structure.",
)


def verdict_text(verdicts: Sequence[Verdict]) -> str:
    """
    Paper against mock as text for people; what falls short is named below the table.

    Parameters
    ----------
    verdicts : sequence of Verdict
        What was found.

    Returns
    -------
    str
        Several lines.
    """
    others = max((len(v.others) for v in verdicts), default=0)
    heads = ["number", "paper", "here", "±", *(f"other {n}" for n in range(1, others + 1)), "factor", "asks", "holds"]
    heads += ["alike"] if others else []
    rows = [[v.claim.name, *_cells(v, others)] for v in verdicts]
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in (heads, *rows)]
    missing = [f"falls short: {_shortfall(v)}" for v in verdicts if v.holds is False]
    unlike = [f"differs between the mocks: {v.claim.says}" for v in verdicts if v.agree is False]
    judged = [v for v in verdicts if v.holds is not None]
    held = sum(v.holds is True for v in judged)
    return "\n".join([*lines, *missing, *unlike, f"{held} of {len(judged)} judged numbers hold"])


def _padded(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.ljust(width) if number == 0 else cell.rjust(width)


def _cells(verdict: Verdict, others: int) -> list[str]:
    more = [_number(reading.value, absent="") for reading in verdict.others] + [""] * (others - len(verdict.others))
    found = [_number(verdict.found.value), _number(verdict.found.error, absent="", digits=2)]
    cells = [_number(verdict.claim.paper, absent=""), *found, *more, _number(verdict.factor, absent="")]
    return [*cells, verdict.claim.asks, _yes(verdict.holds), *([_yes(verdict.agree)] if others else [])]


def _number(value: float | None, absent: str = "n/a", digits: int = 3) -> str:
    return absent if value is None else f"{value:.{digits}g}"


def _yes(value: bool | None) -> str:  # noqa: FBT001 - it is what is written
    return "" if value is None else "yes" if value else "no"


def _shortfall(verdict: Verdict) -> str:
    claim = verdict.claim
    asked = f"paper {_number(claim.paper)}, {claim.asks}" if claim.paper is not None else claim.asks
    said = f"{claim.says}: {_number(verdict.found.value)} ({asked})"
    return f"{said}. {claim.reason}" if claim.reason else said


def page(
    measured: Measured,
    viewpoint: int,
    verdicts: Sequence[Verdict],
    pictures: Iterable[str],
    model: GalaxyModel | None,
    remake: str,
) -> str:
    """
    Write the page of a checked mock galaxy.

    Parameters
    ----------
    measured : Measured
        From `exsitu.mocks.check.measure`.
    viewpoint : int
        Number of the viewpoint.
    verdicts : sequence of Verdict
        What was found.
    pictures : iterable of str
        Names of the pictures that lie beside the page.
    model : GalaxyModel or None
        What the galaxy was made from; None for an imported one.
    remake : str
        Command that makes the page again.

    Returns
    -------
    str
        Markdown.
    """
    parts = [_opening(measured, viewpoint, model, remake), _table(verdicts), _gallery(set(pictures)), _short(verdicts)]
    if model is not None:
        parts += [_limits(), _parameters(model), _equations()]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _opening(measured: Measured, viewpoint: int, model: GalaxyModel | None, remake: str) -> Iterator[str]:
    galaxy = measured.about["galaxy"]
    made = "made by exsitu's built-in generator" if model is not None else "imported from ananke's files"
    yield f"# {galaxy}, viewpoint {viewpoint}: a mock galaxy against the paper"
    yield ""
    yield f"A mock Gaia survey, {made}. `{remake}` makes this page and its figures again."
    yield ""
    yield (
        "The paper is Ostdiek, Necib et al. (2020, A&A 636, A75). Its numbers are those of the ananke mocks of FIRE-2 "
        "m12i and m12f; of other galaxies it says nothing, and theirs are shown alone."
    )
    yield ""
    yield from _markdown(
        ("made of", ""), [(label, measured.about[k]) for k, label in _ABOUT.items() if k in measured.about]
    )
    yield from _markdown(("rests on", "number"), [(name, f"{count:,}") for name, count in measured.counts.items()])


def _table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    others = max((len(v.others) for v in verdicts), default=0)
    heads = ("what", "paper", "here", "±", *(f"other {n}" for n in range(1, others + 1)), "factor", "asks", "holds")
    heads += ("alike",) if others else ()
    yield "## Paper and here"
    yield ""
    yield (
        "*asks* is what it takes to hold: at most that factor off, within ± that of the paper's value, or below or "
        "above a limit. Numbers without it are shown and not judged. *±* is the standard error from the numbers of "
        "stars and of the particles they come from."
    )
    yield ""
    found = {v.claim.name: v for v in verdicts}
    for title, claims in GROUPS.items():
        yield f"### {title}"
        yield ""
        group = [found[claim.name] for claim in claims if claim.name in found]
        rows = [(v.claim.says, *_cells(v, others), v.claim.where) for v in group]
        yield from _markdown((*heads, "in the paper"), rows)


def _gallery(drawn: set[str]) -> Iterator[str]:
    yield "## Pictures"
    yield ""
    for name, picture in PICTURES.items():
        if name in drawn:
            yield f"### {picture.title}"
            yield ""
            yield f"![{picture.title}]({name}.png)"
            yield ""
            yield picture.look_for
            yield ""


def _short(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield "## What falls short"
    yield ""
    short = [f"- {_shortfall(v)}" for v in verdicts if v.holds is False]
    yield from short or ["Nothing that is judged."]
    unknown = [v.claim.says for v in verdicts if v.found.value is None and v.claim.paper is not None]
    if unknown:
        yield ""
        yield f"Not available here: {'; '.join(unknown)}."
    yield ""


def _limits() -> Iterator[str]:
    yield "## What such a galaxy is not"
    yield ""
    yield from (f"- {limit}" for limit in _LIMITS)
    yield ""


def _parameters(model: GalaxyModel) -> Iterator[str]:
    yield "## What the galaxy is made of"
    yield ""
    yield f"Numbers: {model.source}."
    yield ""
    for field in dataclasses.fields(model):
        part = getattr(model, field.name)
        if dataclasses.is_dataclass(part) and not isinstance(part, type):
            meanings = _meanings(type(part))
            rows = [(f.name, _value(getattr(part, f.name)), meanings.get(f.name, "")) for f in dataclasses.fields(part)]
            yield f"### {_heading(type(part))}"
            yield ""
            yield from _markdown(("parameter", "value", "meaning"), rows)
        elif isinstance(part, tuple) and part and dataclasses.is_dataclass(part[0]):
            yield f"### {field.name}"
            yield ""
            items = [_flat(item) for item in part]
            yield from _markdown(tuple(items[0]), [tuple(item.values()) for item in items])
            yield from _explained(part[0])


def _heading(part: type) -> str:
    return (inspect.getdoc(part) or part.__name__).splitlines()[0].rstrip(".").replace("``", "`")


def _flat(part: Any) -> dict[str, str]:
    """Fields of a part and of the parts within it."""
    found: dict[str, str] = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        found |= _flat(value) if dataclasses.is_dataclass(value) else {field.name: _value(value)}
    return found


def _explained(part: Any) -> Iterator[str]:
    """What the columns of a table of parts mean; names that share a meaning share a line."""
    for meaning, pairs in itertools.groupby(_all_meanings(part), key=lambda pair: pair[1]):
        yield f"- {', '.join(f'`{name}`' for name, _ in pairs)}: {meaning}"
    yield ""


def _all_meanings(part: Any) -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            yield from _all_meanings(value)
        else:
            yield field.name, _meanings(type(part)).get(field.name, "")


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(_value(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _meanings(part: type) -> dict[str, str]:
    """What each parameter of a dataclass means, from its docstring."""
    found: dict[str, str] = {}
    names: list[str] = []
    _, _, body = (inspect.getdoc(part) or "").partition("Parameters\n----------\n")
    for line in body.splitlines():
        if line.startswith("    "):
            found |= {name: f"{found.get(name, '')} {line.strip()}".strip() for name in names}
        else:
            names = line.partition(" : ")[0].split(", ")
    return found


def _equations() -> Iterator[str]:
    yield "## Equations and algorithms, and where they come from"
    yield ""
    for module in sorted(m.name for m in pkgutil.iter_modules(mocks.__path__) if not m.ispkg):
        loaded = importlib.import_module(f"{mocks.__name__}.{module}")
        for name, thing in vars(loaded).items():
            own = getattr(thing, "__module__", None) == loaded.__name__ and not name.startswith("_")
            notes = _notes(thing) if own and (inspect.isfunction(thing) or inspect.isclass(thing)) else ""
            if notes:
                yield f"- `{module}.{name}`: {notes}"
    yield ""


def _notes(thing: Any) -> str:
    """The section Notes of a docstring, in one line."""
    _, _, notes = (inspect.getdoc(thing) or "").partition("Notes\n-----\n")
    return " ".join(notes.split()).replace("|", r"\|")


def _markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table and an empty line."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""
