"""A survey that lies in partitions: one function of one partition, for Dask and LSDB, and whole HATS catalogs by it."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from exsitu.errors import InputError
from exsitu.formats.parquet import HATS_PROPERTIES, parquet_parts, parquet_units
from exsitu.provenance import publish_folder
from exsitu.surveys.columnar import Columns, frame_columns, native_columns
from exsitu.surveys.missing import Replaced
from exsitu.table_formats import arrow_frame

_EXTRA = "hats"
_LOOKED_AT = 64
"""Partitions that are looked at, at most, to see whether a catalog's columns are what they are called."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """
    All that decides the scores of a partition; small, so that it travels to every worker.

    Parameters
    ----------
    model : Path
        Folder of the model, where every worker can read it.
    weights_sha256 : str
        Digest its weights must have.
    max_fractional_parallax_error : float
        A star is scored if 0 < parallax_error / parallax < this.
    release : str or None
        A key of ``exsitu.columns.RELEASES``; every known spelling of a column counts otherwise.
    allow_missing_errors : bool
        Score stars without a parallax error, and flag them.
    draws : int
        Draws of the measurement errors for the spread; they need a ``source_id``.
    seed : int
        Seed of the draws.
    """

    model: Path
    weights_sha256: str
    max_fractional_parallax_error: float
    release: str | None = None
    allow_missing_errors: bool = False
    draws: int = 0
    seed: int = 0


def score_partition(
    frame: pd.DataFrame, scoring: Scoring, *, keep: tuple[str, ...] = (), units: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """
    Score one partition of a survey: what ``dask.dataframe.map_partitions`` and LSDB's ``Catalog.map_partitions`` call.

    Parameters
    ----------
    frame : DataFrame
        Stars under the survey's own column names; it may have no rows.
    scoring : Scoring
        Model and cut. A process loads the model at its first partition.
    keep : tuple of str
        Columns to hand on as they are, beside the scores; LSDB asks for those of the position.
    units : mapping of str to str, optional
        Units by the survey's own column names, where they are not the registry's.

    Returns
    -------
    DataFrame
        With the index of `frame`: `keep`, ``source_id`` where there is one, ``score`` (float32; NaN where there is
        none), with draws ``score_mean``, ``score_p16``, ``score_p84``, and ``flags`` (int32).

    Raises
    ------
    InputError
        If the model is not the one named, a column is missing or not of its type, or draws lack a ``source_id``.
    """
    scorer = _scorer(scoring)
    replaced = Replaced(scorer.columns)
    columns = frame_columns(
        frame,
        scorer.columns_for(scoring.draws),
        optional=scorer.optional_for(scoring.draws),
        release=scoring.release,
        units=units,
        allow_missing_errors=scoring.allow_missing_errors,
        replaced=replaced,
    )
    score, flags = scorer.score_columns(columns)
    ids = {"source_id": columns["source_id"]} if "source_id" in columns else {}
    spread = {}
    if scoring.draws:
        if not ids:
            raise InputError("the partitions have no column 'source_id', by which a star's draws are named; add one")
        spread = scorer.spread_columns(columns, score, ids["source_id"], draws=scoring.draws, seed=scoring.seed)
    return frame[list(keep)].assign(**ids, score=score, **spread, flags=flags)


def is_catalog(path: Path) -> bool:
    """
    Say whether a path is to be taken for a HATS catalog rather than for a table.

    Parameters
    ----------
    path : Path
        File or folder.

    Returns
    -------
    bool
        True for any folder but one that holds nothing except Parquet files of one table.
    """
    return path.is_dir() and (_has_properties(path) or not parquet_parts(path))


def _has_properties(path: Path) -> bool:
    return any((path / name).is_file() for name in HATS_PROPERTIES)


def require_hats(path: Path, output: Path) -> None:
    """
    Refuse what `score_catalog` could not do, before anything is loaded for it.

    Parameters
    ----------
    path : Path
        Folder of the catalog.
    output : Path
        Folder to write.

    Raises
    ------
    InputError
        If `path` is no HATS catalog, `output` exists, or LSDB is not installed.
    """
    if not _has_properties(path):
        raise InputError(f"{path} is a folder without {' or '.join(HATS_PROPERTIES)}: give a HATS catalog, or one file")
    if output.exists():
        raise InputError(f"{output} exists; name a folder that does not, for the catalog of scores")
    _lsdb()


def score_catalog(path: Path, scoring: Scoring, output: Path) -> None:
    """
    Score a HATS catalog, partition by partition, into another one.

    Parameters
    ----------
    path : Path
        Folder of the catalog.
    scoring : Scoring
        Model and cut.
    output : Path
        Folder to write: a HATS catalog of position, ``source_id``, scores and flags. It appears whole or not at all.
        Partitions are scored by the Dask client in use, or by threads of this process.

    Raises
    ------
    InputError
        As `require_hats` does, or if a partition is damaged or cannot be scored.
    """
    require_hats(path, output)
    try:
        with warnings.catch_warnings(), publish_folder(output, replace=False) as staged:
            warnings.simplefilter("ignore", DeprecationWarning)  # LSDB 0.11 calls pandas 3 in ways of pandas 2
            catalog, keep = _opened(path, scoring)
            scored = catalog.map_partitions(score_partition, scoring, keep=keep, units=_units(catalog))
            scored.write_catalog(
                staged,
                catalog_name=output.name,
                as_collection=False,
                overwrite=True,
                progress_bar=False,
                addl_hats_properties={"exsitu_weights_sha256": scoring.weights_sha256},
                write_table_kwargs={"compression": "zstd", "write_page_checksum": True},
            )
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path} was not scored ({error}); where a file of it is damaged, fetch it again") from error


def sample_catalog(path: Path, scorer: Any, *, release: str | None, require_errors: bool) -> Iterator[Columns]:
    """
    Read partitions that lie evenly in a catalog, for a look at its columns.

    Parameters
    ----------
    path : Path
        Folder of the catalog.
    scorer : Scorer
        Says which columns are needed.
    release : str or None
        As in `Scoring`.
    require_errors : bool
        Whether stars without a parallax error are refused.

    Yields
    ------
    dict of str to ndarray, shape (n_stars,)
        Columns of one partition under the registry's names, at most sixty-four of all partitions.
    """
    parts = sorted(part for part in path.rglob("*.parquet") if any("Npix=" in name for name in part.parts))
    for part in parts[:: 1 + (len(parts) - 1) // _LOOKED_AT]:
        schema = pq.read_schema(part)
        how: dict[str, Any] = {"release": release, "allow_missing_errors": not require_errors}
        needed = native_columns(schema.names, scorer.columns, optional=("ra", "dec"), **how)
        rows = pq.ParquetFile(part, page_checksum_verification=True).read(columns=list(dict.fromkeys(needed)))
        if rows.num_rows:
            units = {name: unit for name, unit in parquet_units(schema, part).items() if unit}
            said = Replaced(scorer.columns)  # what is no measurement is said where the partition is scored
            frame = arrow_frame(rows)
            yield frame_columns(frame, scorer.columns, optional=("ra", "dec"), units=units, replaced=said, **how)


def count_catalog(path: Path, cut: float) -> dict[str, Any]:
    """
    Count what `score_catalog` wrote.

    Parameters
    ----------
    path : Path
        The catalog of scores.
    cut : float
        Score cut.

    Returns
    -------
    dict
        ``rows``, ``scored``, ``selected`` (S > cut), ``cut``, ``flags`` (rows that bear each flag).
    """
    from exsitu.model.scoring import Flag

    counts = {"rows": 0, "scored": 0, "selected": 0}
    flags = {flag.name.lower(): 0 for flag in Flag if flag.name}
    for part in sorted((path / "dataset").glob("Norder=*/**/*.parquet")):
        table = pq.read_table(part, columns=["score", "flags"], page_checksum_verification=True)
        score, borne = table["score"].to_numpy(), table["flags"].to_numpy()
        for name in flags:
            flags[name] += int(np.count_nonzero(borne & np.int32(Flag[name.upper()])))
        counts["rows"] += len(score)
        counts["scored"] += int(np.count_nonzero(np.isfinite(score)))
        counts["selected"] += int(np.count_nonzero(score > cut))
    return {**counts, "cut": cut, "flags": flags}


def _lsdb() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it sets an option that pandas 3 calls deprecated
            import lsdb
    except ImportError as error:
        raise InputError(
            f"HATS catalogs need {error.name}, which is not installed: pip install 'exsitu[{_EXTRA}]', or give one file"
        ) from None
    return lsdb


def _scorer(scoring: Scoring) -> Any:
    from exsitu.model.loading import open_scorer

    return open_scorer(
        scoring.model,
        max_fractional_parallax_error=scoring.max_fractional_parallax_error,
        require_errors=not scoring.allow_missing_errors,
        weights_sha256=scoring.weights_sha256,
    )


def _opened(path: Path, scoring: Scoring) -> tuple[Any, tuple[str, str]]:
    """The catalog with the columns that are needed alone, and the two of its position."""
    lsdb, scorer = _lsdb(), _scorer(scoring)
    told = lsdb.open_catalog(path, columns="all").hc_structure  # a catalog may show a few columns by default
    keep = (str(told.catalog_info.ra_column), str(told.catalog_info.dec_column))
    needed = native_columns(
        told.schema.names,
        scorer.columns_for(scoring.draws),
        optional=scorer.optional_for(scoring.draws),
        release=scoring.release,
        allow_missing_errors=scoring.allow_missing_errors,
    )
    columns = list(dict.fromkeys((*keep, *needed)))
    return lsdb.open_catalog(path, columns=columns, page_checksum_verification=True), keep


def _units(catalog: Any) -> dict[str, str]:
    """Units that the catalog's schema states."""
    stated = parquet_units(catalog.hc_structure.schema, Path(catalog.hc_structure.catalog_path))
    return {name: unit for name, unit in stated.items() if unit}
