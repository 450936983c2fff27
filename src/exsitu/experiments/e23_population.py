"""E23: pretraining on a population of galaxies against one galaxy, with as many stars in all."""

import dataclasses
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import pandas as pd

from exsitu.experiments.bench import Bench
from exsitu.experiments.common import NETWORK_COLUMNS, Judged, minus, pretrained, table_of, transferred
from exsitu.experiments.e06_transfer import LAYERS
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell, near
from exsitu.experiments.recipe import REPRESENTATIONS
from exsitu.experiments.samples import POPULATION
from exsitu.experiments.trial import Sample, Trial
from exsitu.pages import measured
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CARRIED = ("no transfer", "ZM last")
_FIRST = 1
"""Galaxy 0 is watched in E22: it teaches nobody."""
_SURE = 0.8
"""Of the stars a drawn galaxy is expected to have for learning, so many are there whatever the draw."""
_AT = "efficiency_accreted_at_1pct"
_CLOSE = 0.1e-2
"""Sums of chi2 this near count as equal, as in E20."""
_ALIKE = 0.03
"""Accreted efficiencies this near count as equal: what the prototypes gained by eight galaxies."""
_PAPER = {"measured": "0.03 with 8 galaxies", "rest_frame": "0.01 with 8 galaxies"}
"""Of the prototypes, trained on 1.5 million stars; in accreted efficiency at 1 %."""


def _teaching(settings: Settings) -> int:
    """Stars that teach each network: as many as a single galaxy of the population has."""
    sizes = settings.experiments
    share = 1.0 - sizes.validation_share - sizes.test_share
    return min(sizes.training_stars, int(_SURE * share * sizes.population_stars))


def _one(settings: Settings) -> str:
    return settings.data.pretraining.galaxy


def _many(number: int) -> str:
    return f"{number} drawn"


def _samples(settings: Settings) -> dict[str, Sample]:
    """What networks are pretrained on, by name: the paper's galaxy, and more and more of the population."""
    stars = _teaching(settings)
    found = {_one(settings): Sample(surveys=settings.data.pretraining.surveys[:1], stars=stars)}
    for number in settings.experiments.population_galaxies:
        galaxies = range(_FIRST, _FIRST + number)
        surveys = tuple(f"{POPULATION}/{galaxy}/lsr0" for galaxy in galaxies)
        found[_many(number)] = Sample(surveys=surveys, stars=max(1, stars // number))
    return found


def _every(settings: Settings) -> str:
    """The network of E6 and E22, of all stars and viewpoints: what more stars of one galaxy are worth."""
    return f"{_one(settings)}, all stars"


def _trials(settings: Settings) -> Mapping[str, Trial]:
    found: dict[str, Trial] = {}
    for representation in REPRESENTATIONS:
        start = pretrained(settings, representation=representation)
        starts = {n: dataclasses.replace(start, sample=s) for n, s in _samples(settings).items()}
        for name, begun in {**starts, _every(settings): start}.items():
            found[f"{representation}: {name}, no transfer"] = begun
            found[f"{representation}: {name}, ZM last"] = transferred(begun, settings, "label_zm", LAYERS["last"])
    return found


def _surveys(settings: Settings) -> tuple[str, ...]:
    return settings.data.target.surveys[:2]


def _differences(judged: Mapping[str, Judged], settings: Settings, survey: str) -> dict[str, Judged]:
    """On the same stars: of galaxies, of transfer, of representations."""
    numbers = [_many(number) for number in settings.experiments.population_galaxies]
    least, most, one = numbers[0], numbers[-1], _one(settings)
    found: dict[str, Judged] = {}
    for r, carried in product(REPRESENTATIONS, _CARRIED):
        for name in numbers:
            found[f"{r}, {carried}: {name} less {one}"] = minus(
                judged[f"{r}: {name}, {carried}"], judged[f"{r}: {one}, {carried}"]
            )
        for other in (least, _every(settings)):
            found[f"{r}, {carried}: {most} less {other}"] = minus(
                judged[f"{r}: {most}, {carried}"], judged[f"{r}: {other}, {carried}"]
            )
    for r, name in product(REPRESENTATIONS, (one, *numbers)):
        found[f"{r}, {name}: ZM last less no transfer"] = minus(
            judged[f"{r}: {name}, ZM last"], judged[f"{r}: {name}, no transfer"]
        )
    for name in (one, *numbers):
        found[f"{name}: rest_frame less measured"] = minus(
            judged[f"rest_frame: {name}, no transfer"], judged[f"measured: {name}, no transfer"]
        )
    return {f"{name}, on {survey}": difference for name, difference in found.items()}


def _measure(bench: Bench) -> Measured:
    settings, networks = bench.settings, []
    differences: dict[str, Judged] = {}
    numbers = {_many(number): number for number in settings.experiments.population_galaxies}
    for survey in _surveys(settings):
        judged = {label: bench.judge(label, survey) for label in bench.trials}
        table = table_of(judged, NETWORK_COLUMNS)
        parts = table["name"].str.extract(r"^(?P<representation>.*?): (?P<taught>.*), (?P<carried>.*?)$")
        networks.append(table.assign(**parts, galaxies=parts["taught"].map(numbers), survey=survey))
        differences |= _differences(judged, settings, survey)
    every = pd.concat(networks, ignore_index=True)
    tables = {
        "networks": every.assign(row=every["name"] + ", on " + every["survey"])[["row", *every.columns]],
        "differences": table_of(differences, NETWORK_COLUMNS),
        "sizes": bench.sizes(),
    }
    return Measured(tables, {}, _notes(tables["sizes"], settings))


def _notes(sizes: pd.DataFrame, settings: Settings) -> tuple[str, ...]:
    said = ", ".join(
        f"{cell(sizes, f'measured: {name}, no transfer', 'training_stars')[0]:,.0f} ({name})"
        for name in _samples(settings)
    )
    family = "galaxies are drawn from the same priors that the built-in test galaxy comes from"
    return (f"stars that taught: {said}, each of one viewpoint", f"{family}: other simulations are still to be seen")


def _draw(measured: Measured, settings: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import lines_figure

    table = measured.tables["networks"]
    named = table.assign(group=table["representation"] + ", " + table["carried"])
    single = named[named["taught"] == _one(settings)]
    drawn = named[named["galaxies"].notna()]
    shown = {_AT: r"$\varepsilon_A$ at $\varepsilon_I$ = 1 %", "sum_chi2": r"least $\Sigma\chi^2$"}
    figures = {}
    for survey, (column, label) in product(_surveys(settings), shown.items()):
        level = single[single["survey"] == survey]
        figures[f"{column}_{survey.replace('/', '_')}"] = lines_figure(
            drawn[drawn["survey"] == survey],
            {"galaxies": f"galaxies drawn  (dotted: {_one(settings)})"},
            column,
            f"{label}, {survey}",
            levels=dict(zip(level["group"], level[column], strict=True)),
        )
    return figures


def _claims(tables: Tables) -> list[Claim]:
    found = tables["differences"]
    names = found["name"].astype(str)
    pairs = names.str.extract(
        r"^measured, no transfer: (?P<most>\d+ drawn) less (?P<other>.*), on (?P<survey>.*)$"
    ).dropna()
    every = pairs["other"].str.endswith("all stars")
    unit, claims = "in ε_A at ε_I = 1 %", []
    for survey in dict.fromkeys(pairs["survey"]):
        here, whole = (pairs[(pairs["survey"] == survey) & chosen] for chosen in (~every, every))
        most, least = here["most"].iloc[-1], here["other"].iloc[-1]
        one, all_stars = here["other"].iloc[0], whole["other"].iloc[0]
        for r in REPRESENTATIONS:
            said = f"{r}, no transfer: {most} less"
            claims += [
                above(f"{r}: {most} teach better than {one} on {survey}",
                      *cell(found, f"{said} {one}, on {survey}", _AT), paper=f"prototypes: {_PAPER[r]}", unit=unit),
                above(f"{r}: {most} teach better than {least} on {survey}",
                      *cell(found, f"{said} {least}, on {survey}", _AT), paper="expected", unit=unit),
                near(f"{r}: {most} teach as well as {all_stars} on {survey}",
                     *cell(found, f"{said} {all_stars}, on {survey}", _AT), paper="beyond the paper", within=_ALIKE,
                     unit=unit),
            ]  # fmt: skip
        claims.append(
            above(f"taught by {most}, rest-frame inputs do better than measured ones on {survey}",
                  *cell(found, f"{most}: rest_frame less measured, on {survey}", _AT), paper="prototypes: 0.03",
                  unit=unit)
        )  # fmt: skip
        for r in REPRESENTATIONS:
            row = f"{r}, {most}: ZM last less no transfer, on {survey}"
            value, error = cell(found, row, "sum_chi2")
            claims.append(
                near(f"{r}: transfer adds little to what {most} taught on {survey}", 100 * value, 100 * error,
                     paper="prototypes: 0 to -0.04", within=100 * _CLOSE, unit="×10⁻² in Σχ²",
                     why=f"it changes {unit.removeprefix('in ')} by {measured(*cell(found, row, _AT))}")
            )  # fmt: skip
    return claims


EXPERIMENT = Experiment(
    name="E23",
    title="A population to pretrain on",
    source="beyond the paper",
    finding=(
        "The paper had two simulated galaxies. A network taught by many learns what accreted stars have in common "
        "instead of what one galaxy's mergers look like, and does better on a galaxy it has not seen."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
    surveys=_surveys,
)
