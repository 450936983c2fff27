"""The command ``score``: any table of stars through the champion, or through a model given by folder."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from exsitu.catalog.score_files import format_of, kept_columns, write_scores
from exsitu.errors import InputError
from exsitu.gates import SurveyGate
from exsitu.partitions import Scoring, count_catalog, is_catalog, require_hats, sample_catalog, score_catalog
from exsitu.phase_space import SolarFrame
from exsitu.provenance import read_record
from exsitu.registry import find_weights, read_champion
from exsitu.settings import Settings
from exsitu.surveys.columnar import Columns, read_columns
from exsitu.surveys.missing import Replaced
from exsitu.surveys.mock_files import stated_sun
from exsitu.surveys.names import registry_names
from exsitu.surveys.stated import stated_facts
from exsitu.tables import ROW_GROUP, TableInfo, describe

log = logging.getLogger(__name__)


def score(
    settings: Settings,
    path: Path,
    *,
    output: Path | None = None,
    keep: str | None = None,
    data_release: str | None = None,
    table: str | None = None,
    model: Path | None = None,
    cut: float | None = None,
    allow_missing_errors: bool = False,
    draws: int = 0,
    seed: int = 0,
    champion_file: Path,
    models: Sequence[Path],
) -> dict[str, Any]:
    """
    Score a file of stars, and say whether it can be what its columns are called.

    Parameters
    ----------
    settings : Settings
        Quality cut, chunk size, tracking.
    path : Path
        Stars in any readable format: ``ra, dec`` or ``l, b``, ``pmra, pmdec, parallax`` and its error; or the folder of
        a HATS catalog of them, or of Parquet files of one table.
    output : Path, optional
        File to write, in the format that its name says: ``row``, ``source_id`` where there is one, ``score``,
        ``flags``, in input order. For a HATS catalog it is needed: folder of another one, with position,
        ``source_id``, ``score``, ``flags``.
    keep : str, optional
        Columns of the input to write too, under their own names: ``"all"``, or names separated by commas.
    data_release : str, optional
        Data release of the file; guessed otherwise.
    table : str, optional
        Name or number of the table, where the file has several; by default the only one that holds stars.
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
        ``rows``, ``scored``, ``selected`` (S > cut), ``cut``, ``flags`` (rows that bear each flag), ``not_physical``
        (of a file: what was no measurement and was taken as missing, ``{column: {value: rows}}``), ``cautions`` (what
        the file itself states against its use), ``warnings`` (why the scores cannot be trusted, a sentence each) and
        ``notes`` (what could not be looked at).

    Raises
    ------
    InputError
        If the file cannot be used as it is.
    """
    if keep is not None and (output is None or is_catalog(path)):
        raise InputError("--keep carries columns of one file into a file of scores: name it with --output")
    if is_catalog(path):
        how = {"release": data_release, "allow_missing_errors": allow_missing_errors, "draws": draws, "seed": seed}
        return _score_catalog(
            settings, path, output, model=model, cut=cut, champion_file=champion_file, models=models, how=how
        )
    info = describe(path, table=table)  # a mistyped path is no reason to load a network
    kept = None
    if output is not None:
        format_of(output)
        ids = registry_names(info, data_release).get("source_id")
        kept = None if keep is None else kept_columns(info, keep, ids)
    scorer, cut_used = load_scorer(
        settings,
        champion_file,
        models,
        model=model,
        cut=cut,
        require_errors=not allow_missing_errors,
        solar=stated_sun(path),
    )
    counts: dict[str, Any] = {"rows": 0, "scored": 0, "selected": 0, "cut": cut_used}
    replaced = Replaced(scorer.columns)
    chunk_rows = _whole_groups(settings.chunk_rows)
    chunks = read_columns(
        path,
        scorer.columns_for(draws),
        optional=(*scorer.optional_for(draws), "ra", "dec"),
        release=data_release,
        table=table,
        chunk_rows=chunk_rows,
        allow_missing_errors=allow_missing_errors,
        replaced=replaced,
    )
    gate = SurveyGate(scorer.card.inputs, settings.quality.max_fractional_parallax_error, scorer.card.learnt_on)
    scores = _scored(chunks, scorer, counts, gate, draws=draws, seed=seed)
    if output is not None:
        metadata = {"weights_sha256": scorer.card.weights_sha256, **_made_by(info)}
        write_scores(output, scores, metadata=metadata, kept=kept, chunk_rows=chunk_rows)
    else:
        for _ in scores:
            pass
    if replaced:
        log.warning("%s: %s", path, replaced.sentence())
    told = {"flags": gate.flagged, "not_physical": replaced.as_dict(), "cautions": list(info.cautions)}
    return counts | told | _said(gate)


def _said(gate: SurveyGate) -> dict[str, list[str]]:
    return {"warnings": gate.doubts(), "notes": gate.notes()}


def _made_by(info: TableInfo) -> dict[str, str]:
    """What made mock stars, so that a file of their scores says that they are such."""
    return {key: text for key, text in stated_facts(info.path, info.format).items() if key == "generator"}


def _score_catalog(
    settings: Settings,
    path: Path,
    output: Path | None,
    *,
    model: Path | None,
    cut: float | None,
    champion_file: Path,
    models: Sequence[Path],
    how: dict[str, Any],
) -> dict[str, Any]:
    if output is None:
        raise InputError(f"{path} is a folder and there is no place for its scores: name a new folder with --output")
    require_hats(path, output)
    require_errors = not how["allow_missing_errors"]
    scorer, cut_used, folder = _opened(settings, champion_file, models, model, cut, require_errors=require_errors)
    limit = settings.quality.max_fractional_parallax_error
    score_catalog(path, Scoring(folder.absolute(), scorer.card.weights_sha256, limit, **how), output)
    counts = count_catalog(output, cut_used)
    gate = SurveyGate(scorer.card.inputs, limit, scorer.card.learnt_on)
    gate.flagged, gate.scored = counts["flags"], counts["scored"]
    for columns in sample_catalog(path, scorer, release=how["release"], require_errors=require_errors):
        gate.columns.add(columns)
    return counts | {"cautions": [], **_said(gate)}


def _whole_groups(rows: int) -> int:
    """Rows of a chunk, such that no row group that is written has to be put together from two chunks."""
    return rows - rows % ROW_GROUP if rows > ROW_GROUP else rows


def _scored(
    chunks: Iterator[Columns], scorer: Any, counts: dict[str, Any], gate: SurveyGate, *, draws: int, seed: int
) -> Iterator[Columns]:
    for chunk in chunks:
        found, flags = scorer.score_columns(chunk)
        gate.add(chunk, found, flags)
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
    cut: float | None = None,
    require_errors: bool = True,
    solar: SolarFrame | None = None,
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
    cut : float, optional
        Score cut to use instead of the recipe's, which a model that was never adapted lacks.
    require_errors : bool
        Whether stars without a parallax error are refused.
    solar : SolarFrame, optional
        From where the stars are seen; the Milky Way's Sun by default.

    Returns
    -------
    scorer : Scorer
        Scores tables.
    cut : float
        The score cut: the given one, else the recipe's.

    Raises
    ------
    InputError
        If there is no champion or model, or its weights are not what they should be.
    """
    scorer, cut, _ = _opened(settings, champion_file, models, model, cut, require_errors=require_errors, solar=solar)
    return scorer, cut


def _opened(
    settings: Settings,
    champion_file: Path,
    models: Sequence[Path],
    model: Path | None,
    cut: float | None,
    *,
    require_errors: bool,
    solar: SolarFrame | None = None,
) -> tuple[Any, float, Path]:
    """The scorer, the recipe's score cut, and the folder of the model."""
    from exsitu.model.loading import open_scorer

    champion, folder = None, model
    if folder is None:
        champion = read_champion(champion_file)
        folder = find_weights(champion, models, settings.tracking)
    scorer = open_scorer(
        folder,
        max_fractional_parallax_error=settings.quality.max_fractional_parallax_error,
        require_errors=require_errors,
        weights_sha256=None if champion is None else champion.weights_sha256,
        solar=solar,
    )
    if cut is None:
        cut = champion.cut if champion is not None else _recipe_cut(folder)
    return scorer, cut, folder


def _recipe_cut(folder: Path) -> float:
    try:
        return float(read_record(folder / "recipe.json", "cut", made_by="exsitu adapt")["cut"])
    except InputError as error:
        raise InputError(f"{error}; or give the score cut with --cut") from None
