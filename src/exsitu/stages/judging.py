"""Judge a candidate by the promotion policy: acceptance, the champion on the same stars, real stars."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from exsitu.errors import InputError, ReleaseError
from exsitu.evaluation.jackknife import Resampled, resampled, sky_groups
from exsitu.provenance import read_record
from exsitu.registry import (
    Champion,
    Criterion,
    Verdict,
    acceptance_criteria,
    comparison_criteria,
    find_weights,
    real_star_criterion,
)
from exsitu.samples import finite_rows
from exsitu.settings import RealStars, Settings
from exsitu.stages.sampled import sample_scores
from exsitu.stages.score import score
from exsitu.tables import read_parquet


def judge(
    settings: Settings,
    folder: Path,
    recipe: Mapping[str, Any],
    *,
    champion: Champion | None,
    samples: Path,
    models: Sequence[Path],
) -> Verdict:
    """
    Hold a candidate against everything the policy names.

    Parameters
    ----------
    settings : Settings
        Acceptance and promotion.
    folder : Path
        The candidate's model.
    recipe : mapping
        Its ``cut`` and what ``evaluation`` said of the recipe it was made by.
    champion : Champion or None
        The champion; None where there is none, which leaves nothing to compare with.
    samples : Path
        What ``prepare`` wrote.
    models : sequence of Path
        Folders where the champion's weights may lie.

    Returns
    -------
    Verdict
        Every criterion, also those that were not checked.

    Raises
    ------
    InputError
        If the held-out mock stars or a file of real stars are missing.
    """
    found = acceptance_criteria(recipe["evaluation"], settings.evaluation.acceptance)
    found += _against_champion(settings, folder, float(recipe["cut"]), champion, samples, models)
    found += [_on_real_stars(settings, name, stars, folder) for name, stars in settings.promotion.real_stars.items()]
    return Verdict(tuple(found))


def _against_champion(
    settings: Settings, folder: Path, cut: float, champion: Champion | None, samples: Path, models: Sequence[Path]
) -> list[Criterion]:
    if champion is None:
        return [Criterion("champion", passed=None, detail="there is none yet; acceptance alone decides")]
    card = read_record(folder / "model.json", "digest", "weights_sha256", made_by="exsitu adapt")
    if (card["digest"], card["weights_sha256"], cut) == champion.identity:
        return [Criterion("champion", passed=None, detail="the candidate is the champion")]
    try:
        theirs = find_weights(champion, models, settings.tracking)
    except ReleaseError as error:
        passed = None if settings.promotion.without_champion == "promote" else False
        return [Criterion("champion", passed=passed, detail=str(error))]
    try:
        stars = _held_out(settings, samples)
        mine, others = _measured(settings, stars, [(folder, cut), (theirs, champion.cut)])
    finally:
        if theirs not in models:
            shutil.rmtree(theirs.parent, ignore_errors=True)  # a copy fetched from MLflow
    return comparison_criteria(mine, others, settings.promotion)


def _held_out(settings: Settings, samples: Path) -> pd.DataFrame:
    path = samples / settings.promotion.sample / "test.parquet"
    if not path.is_file():
        raise InputError(
            f"no {path}, on which candidate and champion are compared: run `exsitu prepare`, or name another "
            "promotion.sample in params.yaml"
        )
    return read_parquet(path)


def _measured(settings: Settings, stars: pd.DataFrame, recipes: Sequence[tuple[Path, float]]) -> list[Resampled]:
    """Measure models, each at its own cut, on the stars that all of them can score."""
    from exsitu.model.network import load_model

    loaded = [(*load_model(folder), cut) for folder, cut in recipes]
    needed = tuple(dict.fromkeys(name for _, card, _ in loaded for name in card.inputs))
    stars = stars[finite_rows(stars, needed)]
    accreted = stars["accreted"].to_numpy()
    velocities = stars[["v_r", "v_phi", "v_z"]].to_numpy(np.float64)
    group = sky_groups(stars["l"], stars["b"], settings.promotion.jackknife_groups, seed=settings.seed)
    bins = settings.evaluation.velocity_bins
    return [
        resampled(sample_scores(network, card, stars), cut, accreted, velocities, bins, group)
        for network, card, cut in loaded
    ]


def _on_real_stars(settings: Settings, name: str, stars: RealStars, folder: Path) -> Criterion:
    if stars.path is None:
        return Criterion(f"real stars: {name}", passed=None, detail=f"promotion.real_stars.{name}.path is null")
    counts = score(
        settings,
        stars.path,
        data_release=stars.release,
        model=folder,
        cut=float(read_record(folder / "recipe.json", "cut", made_by="exsitu adapt")["cut"]),
        allow_missing_errors=stars.allow_missing_errors,
        champion_file=Path(),
        models=(),
    )
    return real_star_criterion(name, stars, counts)
