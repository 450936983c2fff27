"""Scores of a sample, kept beside the model that gave them, and taken again only where nothing has changed since."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from exsitu.provenance import read_record, sha256_file
from exsitu.tables import read_parquet, write_parquet
from exsitu.tracking import CARD, WEIGHTS

SCORES = "scores.parquet"
"""Beside the model: ``source_id`` and ``score``, in the order of the sample."""


def keep_scores(folder: Path, source_id: "pd.Series[int]", scores: NDArray[np.float32], sample_sha256: str) -> None:
    """
    Write scores beside the model that gave them, with digests of it and of what it scored.

    Parameters
    ----------
    folder : Path
        Of the model, as ``save_model`` wrote it.
    source_id : Series of int, shape (n_stars,)
        Stars of the sample, in its order.
    scores : ndarray of float32, shape (n_stars,)
        Their scores.
    sample_sha256 : str
        Digest of the file of the sample.
    """
    stars = pd.DataFrame({"source_id": source_id, "score": scores})
    write_parquet(folder / SCORES, [stars], metadata=_origin(folder, sample_sha256))


def kept_scores(folder: Path, sample_sha256: str) -> NDArray[np.float32] | None:
    """
    Scores that lie beside a model.

    Parameters
    ----------
    folder : Path
        Of the model.
    sample_sha256 : str
        Digest of the file of the sample.

    Returns
    -------
    ndarray of float32, shape (n_stars,), or None
        In the order of the sample; None if there are none, or none that are proven to be this model's of this sample.
    """
    path = folder / SCORES
    if not path.is_file():
        return None
    told = pq.read_schema(path).metadata or {}
    if any(told.get(key.encode()) != value.encode() for key, value in _origin(folder, sample_sha256).items()):
        return None
    return read_parquet(path, ["score"])["score"].to_numpy(np.float32)


def _origin(folder: Path, sample_sha256: str) -> dict[str, str]:
    """Digests of all that decides the scores."""
    return {
        "sample_sha256": sample_sha256,
        "weights_sha256": sha256_file(folder / WEIGHTS),
        "model_digest": str(read_record(folder / CARD, "digest", made_by="exsitu transfer")["digest"]),
    }
