"""How far a score moves when all is made again: what ``scripts/remakings.py`` measured, for whoever reads a score."""

import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

RECORD = "remakings.json"

_KINDS = {
    "other trainings": "With other seeds of splits and training on the same mock data",
    "other galaxies": "With other mock galaxies as well",
}
_SURVEY = "standin"


def remakings() -> dict[str, Any]:
    """
    Read what was measured.

    Returns
    -------
    dict
        As ``scripts/remakings.py`` writes it.
    """
    text = resources.files("exsitu.catalog").joinpath(RECORD).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def remakings_sentences() -> str:
    """
    Say how far scores of stars move from one making to the next.

    Returns
    -------
    str
        One paragraph.
    """
    return " ".join(_sentences(remakings()))


def _sentences(found: Mapping[str, Any]) -> Iterator[str]:
    yield "A score moves from one making of the whole to the next."
    for kind, said in _KINDS.items():
        measured = found[kind][_SURVEY]
        spread = [(name, part["median"]) for name, part in measured["std"].items() if part["stars"]]
        listed = ", ".join(f"{median:.2f} (S {name})" for name, median in spread)
        yield (
            f"{said}, {len(measured['cuts'])} makings: the standard deviation of a stand-in star's score, by its mean "
            f"score, is {listed} in the median; {_count(measured['selected_by_any'])} stars are selected by any, "
            f"{_count(measured['selected_by_all'])} by all, {_some(measured['selected'])} by each; the variants chosen "
            f"were {', '.join(measured['variants'])}."
        )
    yield f"Measured with the profile `{found['profile']}` at commit {found['revision']}."


def _count(number: int) -> str:
    return f"{number:,}"


def _some(numbers: list[int]) -> str:
    return f"{min(numbers):,} to {max(numbers):,}"
