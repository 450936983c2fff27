"""Models side by side on the same test stars, each at its own cut, with errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.evaluation.checks import VELOCITIES, Booleans, Floats
from exsitu.evaluation.estimates import Estimate, Metric, estimates, ranked
from exsitu.evaluation.jackknife import METRICS, jackknife_error, resampled, sky_groups
from exsitu.evaluation.metrics import Ranking
from exsitu.pages import measured
from exsitu.provenance import sha256_file
from exsitu.samples import finite_rows
from exsitu.settings import Settings
from exsitu.stages.contenders import Contender, contenders, grouped
from exsitu.stages.kept_scores import kept_scores
from exsitu.stages.sampled import sample_scores
from exsitu.tables import read_parquet

_RANKING = ("auc", "efficiency_accreted_at_1pct")
"""Numbers that need no cut."""

_SIGMAS = 2.0
"""Differences below so many standard errors are called none."""


@dataclass(frozen=True)
class Comparison:
    """
    Models measured on the same stars.

    Parameters
    ----------
    settings : Settings
        Bins, cuts, jackknife.
    stars : DataFrame
        Test stars that all models can score.
    about : str
        Where the stars are from.
    groups : mapping of str to list of Contender
        Models that differ in their seed alone, by name.
    scores : mapping of str to list of ndarray, shape (n_stars,)
        Scores of each of them.
    """

    settings: Settings
    stars: pd.DataFrame
    about: str
    groups: Mapping[str, list[Contender]]
    scores: Mapping[str, list[NDArray[np.float32]]]

    @property
    def accreted(self) -> Booleans:
        """The truth, shape (n_stars,)."""
        return self.stars["accreted"].to_numpy()

    @property
    def velocities(self) -> Floats:
        """True v_R, v_phi, v_z, shape (n_stars, 3), km/s."""
        return self.stars[list(VELOCITIES)].to_numpy(np.float64)

    @property
    def weight(self) -> float:
        """Weight of an accreted star in a training on stars like these, of an in situ one 1."""
        fraction = float(self.accreted.mean())
        return self.settings.training.accreted_weight * (1.0 - fraction) / fraction

    def selected(self, name: str) -> Booleans:
        """
        Stars that the first of the seeds selects at its cut.

        Parameters
        ----------
        name : str
            Of the group.

        Returns
        -------
        ndarray of bool, shape (n_stars,)
        """
        return np.asarray(self.scores[name][0] > self.groups[name][0].cut)

    def judged(self) -> dict[str, dict[str, Estimate]]:
        """
        Measure every model at its own cut, with the errors that promotion takes, over cells of the sky.

        Returns
        -------
        dict of str to dict of str to Estimate
            `exsitu.evaluation.jackknife.METRICS`, ``auc`` and ``efficiency_accreted_at_1pct`` of each model.
        """
        groups, truth, velocities = self.settings.promotion.jackknife_groups, self.accreted, self.velocities
        cells = sky_groups(self.stars["l"], self.stars["b"], groups, seed=self.settings.seed)
        bins = self.settings.evaluation.velocity_bins
        judged = {}
        for name, scores in self.scores.items():
            members = zip(scores, self.groups[name], strict=True)
            found = [resampled(score, member.cut, truth, velocities, bins, cells) for score, member in members]
            judged[name] = {
                metric: Estimate(
                    np.array([f.whole[metric] for f in found]), np.stack([f.without[metric] for f in found])
                )
                for metric in METRICS
            } | estimates([_ranked(score, truth) for score in scores], cells)
        return judged


def _ranked(score: NDArray[np.float32], truth: Booleans) -> Metric:
    ranking = Ranking(score, truth)
    return lambda chosen: ranked(ranking.curve(chosen))


def compare(settings: Settings, runs: Sequence[str], *, samples: Path, sample: str, variants: Path) -> Comparison:
    """
    Score the same test stars by several models.

    Parameters
    ----------
    settings : Settings
        All settings.
    runs : sequence of str
        As for `exsitu.stages.contenders.contenders`.
    samples : Path
        What ``prepare`` wrote.
    sample : str
        Whose test stars: ``target`` chose the cuts, ``holdout`` took no part.
    variants : Path
        What ``transfer`` wrote.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If a model or the test stars are missing.
    """
    path = samples / sample / "test.parquet"
    if not path.is_file():
        raise InputError(f"no {path}, by which models are compared: run `exsitu prepare`, or name another --sample")
    stars, digest = read_parquet(path), sha256_file(path)
    with contenders(settings, runs, variants) as found:
        rows = finite_rows(stars, tuple(dict.fromkeys(n for c in found for n in c.card["inputs"])))
        scores: dict[str, list[NDArray[np.float32]]] = {}
        groups = grouped(found)
        for name, members in groups.items():
            scores[name] = [_scores(member, stars, digest, rows) for member in members]
    about = f"test stars of the sample “{sample}”, SHA-256 {digest}"
    return Comparison(settings, stars[rows], about, groups, scores)


def _scores(member: Contender, stars: pd.DataFrame, digest: str, rows: Booleans) -> NDArray[np.float32]:
    """Scores of some rows of a sample: those kept beside the model, else made anew."""
    from exsitu.model.network import load_model

    kept = kept_scores(member.folder, digest)
    if kept is not None:
        return kept[rows]
    return sample_scores(*load_model(member.folder, weights_sha256=member.card["weights_sha256"]), stars[rows])


def numbers(comparison: Comparison) -> pd.DataFrame:
    """
    What the models are worth, with errors.

    Parameters
    ----------
    comparison : Comparison
        The models.

    Returns
    -------
    DataFrame
        A row a model: ``name``, ``seeds``, ``cut`` (mean over seeds), each number with ``<number>_spread`` and
        ``<number>_error``, and ``behind`` with ``behind_error``: its sum of chi2 minus the least one.
    """
    judged = comparison.judged()
    order = (*_RANKING, "purity", "efficiency_accreted", "efficiency_in_situ", "sum_chi2")
    best = min(judged, key=lambda name: judged[name]["sum_chi2"].value)
    rows = []
    for name, found in judged.items():
        behind = _behind(found["sum_chi2"], judged[best]["sum_chi2"])
        cells = {key: value for number in order for key, value in found[number].row(number).items()}
        cut = float(np.mean([member.cut for member in comparison.groups[name]]))
        rows.append({"name": name, "seeds": len(comparison.groups[name]), "cut": cut, **cells, **behind})
    return pd.DataFrame(rows)


def _behind(found: Estimate, best: Estimate) -> dict[str, float]:
    """Difference of means over seeds and its error: of what differs on the same stars, and of the seeds of both."""
    stars = jackknife_error(found.replicas.mean(axis=0) - best.replicas.mean(axis=0))
    seeds = [e.spread / np.sqrt(len(e.values)) for e in (found, best) if len(e.values) > 1 and found is not best]
    return {"behind": found.value - best.value, "behind_error": float(np.hypot.reduce([stars, *seeds]))}


def verdict(table: pd.DataFrame) -> str:
    """
    Say which model is the best, and which are not told apart from it.

    Parameters
    ----------
    table : DataFrame
        As `numbers` gives it.

    Returns
    -------
    str
        A sentence or two.
    """
    best = table.iloc[int(table["sum_chi2"].to_numpy().argmin())]
    others = table[table["name"] != best["name"]]
    close = others[others["behind"] <= _SIGMAS * others["behind_error"]]["name"]
    told = f"{best['name']} has the least Σχ², {measured(best['sum_chi2'], best['sum_chi2_error'])}."
    if close.empty:
        return told
    return f"{told} By less than {_SIGMAS:g} standard errors of the difference behind it: {', '.join(close)}."
