"""E11: what draws of the errors in training do to the scores of single stars (paper, App. B, Fig. SB.1)."""

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.evaluation.estimates import Metric, estimates
from exsitu.experiments.bench import Bench
from exsitu.experiments.common import Judged, Mask, minus, table_of
from exsitu.experiments.e17_noise import noises
from exsitu.experiments.experiment import Claim, Experiment, Measured, Tables, above, cell
from exsitu.experiments.samples import particle_blocks
from exsitu.experiments.trial import Trial
from exsitu.model.inputs import input_columns, values_from_frame
from exsitu.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

_TAUGHT: Mapping[str, str] = {"without sampling": "none", "with sampling": "errors"}
"""As Fig. SB.1 has them: solid and dashed."""
_LOOKS = {name: 8 * i for i, name in enumerate(_TAUGHT)}
_KINDS = ("in situ", "accreted")
_DRAWS = 200
_MOST = 1000
"""Stars of each kind that are drawn."""
_UNSURE = (0.1, 0.9)
"""Between these the mean of both networks' scores lies: a choice that favours neither."""
_ENDS: Mapping[str, str] = {"in situ": "S > 0.9", "accreted": "S < 0.1"}
"""Where a star of a kind has no business to be."""
_COLUMNS = ("width", "far_end")
_EDGES = np.linspace(0.0, 1.0, 26)


def _survey(settings: Settings) -> str:
    return settings.data.pretraining.surveys[0]


def _trials(settings: Settings) -> Mapping[str, Trial]:
    found = noises(settings)
    return {name: found[noise] for name, noise in _TAUGHT.items()}


def _unsure(bench: Bench) -> pd.DataFrame:
    """Test stars that the networks are not sure of, some of each kind."""
    survey = _survey(bench.settings)
    stars = bench.test(survey)
    mean = np.mean([score for label in bench.trials for score in bench.scores(label, survey)], axis=0)
    between = (mean > _UNSURE[0]) & (mean < _UNSURE[1])
    rng = np.random.default_rng(bench.settings.seed)
    chosen = [rng.permutation(np.flatnonzero(between & kind))[:_MOST] for kind in _masks(stars).values()]
    if not all(len(rows) for rows in chosen):
        counts = " and ".join(f"{len(rows)} {kind}" for kind, rows in zip(_KINDS, chosen, strict=True))
        raise InputError(
            f"the networks are unsure of {counts} test stars of {survey}; E11 looks at some of both: raise "
            "experiments.test_share or the number of stars in params.yaml"
        )
    return stars.iloc[np.sort(np.concatenate(chosen))].reset_index(drop=True)


def _masks(stars: pd.DataFrame) -> dict[str, Mask]:
    accreted = stars["accreted"].to_numpy()
    return dict(zip(_KINDS, (~accreted, accreted), strict=True))


def _drawn_scores(bench: Bench, stars: pd.DataFrame) -> dict[str, list[Floats]]:
    """Scores of draws of the stars' errors by each network and seed, shape (n_stars, n_draws)."""
    from exsitu.model.spread import drawn_inputs, errors_of

    columns = input_columns("5D")
    errors = errors_of({n: stars[n].to_numpy() for n in stars.columns}, columns, np.arange(len(stars)))
    keys = stars["source_id"].to_numpy(np.int64, copy=True)
    values = values_from_frame(stars, columns)
    drawn = drawn_inputs(values, errors, columns, keys, draws=_DRAWS, seed=bench.settings.seed)
    table = pd.DataFrame(drawn.reshape(-1, len(columns)), columns=list(columns))
    return {
        name: [
            s.reshape(len(stars), _DRAWS).astype(np.float64)
            for s in bench.scores_of(name, _survey(bench.settings), table)
        ]
        for name in bench.trials
    }


def _spread(scores: Floats, kind: str) -> Metric:
    """Of some stars of a kind: the mean width of their scores, and how many draws lie at the far end."""
    width, far = _width(scores), (scores > 0.9 if kind == "in situ" else scores < 0.1).mean(axis=1)

    def metric(counted: Mask) -> dict[str, float]:
        if not counted.any():
            return dict.fromkeys(_COLUMNS, np.nan)
        return {"width": float(width[counted].mean()), "far_end": float(far[counted].mean())}

    return metric


def _judged(bench: Bench, stars: pd.DataFrame, scores: Mapping[str, list[Floats]]) -> dict[str, dict[str, Judged]]:
    """By kind of star and network."""
    blocks = bench.settings.experiments.jackknife_blocks
    return {
        kind: {
            name: estimates(
                [_spread(found[own], kind) for found in seeds],
                particle_blocks(stars["parentid"].to_numpy()[own], blocks),
            )
            for name, seeds in scores.items()
        }
        for kind, own in _masks(stars).items()
    }


def _examples(stars: pd.DataFrame, scores: Mapping[str, list[Floats]]) -> pd.DataFrame:
    """Three stars, chosen by both networks together; the distributions of their scores, each of unit area."""
    first = {name: found[0] for name, found in scores.items()}
    width, mean = (np.mean([of(found) for found in first.values()], axis=0) for of in (_width, _mean))
    accreted, rows = stars["accreted"].to_numpy(), []
    for place, says in (
        (int(np.argmax(np.where(accreted, -1.0, width))), "widest"),
        (int(np.argmin(np.abs(mean - 0.5))), "nearest to 0.5"),
        (int(np.argmax(np.where(accreted, width, -1.0))), "widest"),
    ):
        title = f"{_KINDS[int(accreted[place])]}, {says}"
        for name, found in first.items():
            density, _ = np.histogram(found[place], _EDGES, density=True)
            curve = {"star": title, "name": name, "low": _EDGES[:-1], "high": _EDGES[1:], "density": density}
            rows.append(pd.DataFrame(curve))
    return pd.concat(rows, ignore_index=True)


def _width(scores: Floats) -> Floats:
    found: Floats = scores.std(axis=1)
    return found


def _mean(scores: Floats) -> Floats:
    found: Floats = scores.mean(axis=1)
    return found


def _widths(stars: pd.DataFrame, scores: Mapping[str, list[Floats]]) -> pd.DataFrame:
    """Histograms of the widths of the scores of all the stars, each of unit area; of seed 0."""
    found, rows = {name: _width(of[0]) for name, of in scores.items()}, []
    edges = np.linspace(0.0, max(float(width.max()) for width in found.values()), 21)
    for (kind, own), (name, width) in product(_masks(stars).items(), found.items()):
        density, _ = np.histogram(width[own], edges, density=True)
        rows.append(
            pd.DataFrame({"kind": kind, "name": name, "low": edges[:-1], "high": edges[1:], "density": density})
        )
    return pd.concat(rows, ignore_index=True)


def _measure(bench: Bench) -> Measured:
    stars = _unsure(bench)
    scores = _drawn_scores(bench, stars)
    judged = _judged(bench, stars, scores)
    rows = {f"{kind}, {name}": found for kind, by_name in judged.items() for name, found in by_name.items()}
    without, sampled = _TAUGHT
    gained = {kind: minus(found[without], found[sampled]) for kind, found in judged.items()}
    tables = {
        "spread": table_of(rows, _COLUMNS).assign(group=[row.split(", ")[1] for row in rows]),
        "narrowed": table_of(gained, _COLUMNS),
        "examples": _examples(stars, scores),
        "widths": _widths(stars, scores),
        "sizes": bench.sizes(),
    }
    counts = ", ".join(f"{int(own.sum()):,} {kind}" for kind, own in _masks(stars).items())
    low, high = _UNSURE
    note = (
        f"{counts} test stars of {_survey(bench.settings)} for which the mean of both networks' scores lies between "
        f"{low} and {high}; {_DRAWS} draws of each; width is the standard deviation of a star's scores, the far end "
        + " and ".join(f"{end} of {kind} stars" for kind, end in _ENDS.items())
    )
    return Measured(tables, {}, (note,))


def _draw(measured: Measured, _: Settings) -> "Mapping[str, Figure]":
    from exsitu.evaluation.panels import distributions_figure, numbers_figure

    def panels(table: pd.DataFrame, column: str) -> dict[str, dict[str, pd.DataFrame]]:
        return {
            str(title): {str(name): curve for name, curve in members.groupby("name", sort=False)}
            for title, members in table.groupby(column, sort=False)
        }

    shown = {"width": "width of a star's scores", "far_end": "share of draws at the far end"}
    kinds = measured.tables["spread"].assign(name=[str(n).split(", ")[0] for n in measured.tables["spread"]["name"]])
    examples, widths = (panels(measured.tables[t], c) for t, c in (("examples", "star"), ("widths", "kind")))
    return {
        "stars": distributions_figure({r"network score  $S$": examples}, _LOOKS, beside="density of draws"),
        "widths": distributions_figure({"width of a star's scores": widths}, _LOOKS),
        "spread": numbers_figure(kinds, shown, tuple(_TAUGHT)),
    }


def _claims(tables: Tables) -> list[Claim]:
    narrowed = tables["narrowed"]
    said = {"in situ": "no support left at scores as high as 1", "accreted": "shifted to even larger scores"}
    return [
        *(above(f"error sampling narrows the scores of {kind} stars", *cell(narrowed, kind, "width"),
                paper="narrower", unit="in width, without less with") for kind in _KINDS),
        *(above(f"it takes {kind} stars away from {_ENDS[kind]}", *cell(narrowed, kind, "far_end"), paper=said[kind],
                unit="of the draws, without less with") for kind in _KINDS),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="E11",
    title="Error sampling",
    source="App. B, Fig. SB.1",
    finding=(
        "Of single stars in 200 draws of their errors the scores spread less, and lose false support at the far end, "
        "where the network was taught with draws of the errors."
    ),
    trials=_trials,
    measure=_measure,
    draw=_draw,
    claims=_claims,
)
