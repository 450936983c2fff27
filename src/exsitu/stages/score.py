"""The command ``score``: any table of stars through the champion, or through a model given by folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exsitu.registry import find_weights, read_champion
from exsitu.settings import Settings
from exsitu.surveys.columnar import Columns, read_columns
from exsitu.tables import recognise, write_parquet


def score(
    settings: Settings,
    path: Path,
    *,
    output: Path | None = None,
    data_release: str | None = None,
    model: Path | None = None,
    cut: float | None = None,
    allow_missing_errors: bool = False,
    draws: int = 0,
    seed: int = 0,
    champion_file: Path,
    models: Sequence[Path],
) -> dict[str, Any]:
    """
    Score a file of stars.

    Parameters
    ----------
    settings : Settings
        Quality cut, chunk size, tracking.
    path : Path
        Stars in any readable format: ``ra, dec`` or ``l, b``, ``pmra, pmdec, parallax`` and its error.
    output : Path, optional
        Parquet file to write: ``row``, ``source_id`` where there is one, ``score``, ``flags``, in input order.
    data_release : str, optional
        Data release of the file; guessed otherwise.
    model : Path, optional
        Model folder to use instead of the champion.
    cut : float, optional
        Score cut to count with; the model's recipe's otherwise.
    allow_missing_errors : bool
        Score stars without a parallax error: the cut cannot be applied to them, and they are flagged.
    draws : int
        Draws of the measurement errors; with any, ``score_mean``, ``score_p16`` and ``score_p84`` are written too.
    seed : int
        Seed of the draws; a star's depend on it and on its ``source_id`` (its ``row`` where there is none).
    champion_file : Path
        File that names the champion.
    models : sequence of Path
        Folders where its weights may lie.

    Returns
    -------
    dict
        ``rows``, ``scored``, ``selected`` (S > cut), ``cut``.

    Raises
    ------
    InputError
        If the file cannot be used as it is.
    """
    recognise(path)  # a mistyped path is no reason to load a network
    scorer, recipe_cut = load_scorer(
        settings, champion_file, models, model=model, require_errors=not allow_missing_errors
    )
    counts = {"rows": 0, "scored": 0, "selected": 0, "cut": recipe_cut if cut is None else cut}
    chunks = read_columns(
        path,
        scorer.columns_for(draws),
        optional=scorer.optional_for(draws),
        release=data_release,
        chunk_rows=settings.chunk_rows,
        allow_missing_errors=allow_missing_errors,
    )
    scores = _scored(chunks, scorer, counts, draws=draws, seed=seed)
    if output is not None:
        write_parquet(output, scores, metadata={"weights_sha256": scorer.card.weights_sha256}, complete=True)
    else:
        for _ in scores:
            pass
    return counts


def _scored(
    chunks: Iterator[Columns], scorer: Any, counts: dict[str, Any], *, draws: int, seed: int
) -> Iterator[Columns]:
    for chunk in chunks:
        found, flags = scorer.score_columns(chunk)
        rows = np.arange(counts["rows"], counts["rows"] + len(found), dtype=np.int64)
        ids = {"source_id": chunk["source_id"]} if "source_id" in chunk else {}
        spread = (
            scorer.spread_columns(chunk, found, ids.get("source_id", rows), draws=draws, seed=seed) if draws else {}
        )
        counts["rows"] += len(found)
        counts["scored"] += int(np.count_nonzero(np.isfinite(found)))
        counts["selected"] += int(np.count_nonzero(found > counts["cut"]))
        yield {"row": rows, **ids, "score": found, **spread, "flags": flags}


def load_scorer(
    settings: Settings,
    champion_file: Path,
    models: Sequence[Path],
    *,
    model: Path | None = None,
    require_errors: bool = True,
) -> tuple[Any, float]:
    """
    Load the champion, or another model, ready to score.

    Parameters
    ----------
    settings : Settings
        Quality cut and tracking.
    champion_file : Path
        File that names the champion.
    models : sequence of Path
        Folders where its weights may lie.
    model : Path, optional
        Model folder to use instead.
    require_errors : bool
        Whether stars without a parallax error are refused.

    Returns
    -------
    scorer : Scorer
        Scores tables.
    cut : float
        The recipe's score cut.

    Raises
    ------
    InputError
        If there is no champion or model, or its weights are not what they should be.
    """
    from exsitu.model.loading import open_scorer
    from exsitu.provenance import read_json

    limit = settings.quality.max_fractional_parallax_error
    if model is not None:
        scorer = open_scorer(model, max_fractional_parallax_error=limit, require_errors=require_errors)
        return scorer, float(read_json(model / "recipe.json")["cut"])
    champion = read_champion(champion_file)
    scorer = open_scorer(
        find_weights(champion, models, settings.tracking),
        max_fractional_parallax_error=limit,
        require_errors=require_errors,
        weights_sha256=champion.weights_sha256,
    )
    return scorer, champion.cut
