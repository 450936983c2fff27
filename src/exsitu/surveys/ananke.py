"""ananke mock surveys (Sanderson et al. 2020): flat HDF5 files, and lists of the accreted star particles in them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.columns import column
from exsitu.errors import InputError
from exsitu.labels.histories import refuse_mask
from exsitu.provenance import publish_file
from exsitu.surveys.missing import Replaced
from exsitu.surveys.reader import UniqueIds, read_survey
from exsitu.tables import read_frames

_REQUIRED = ("parentid", "parallax_error", *(f"{kind}{axis}_true" for kind in "pv" for axis in "xyz"))
_SINGLE = frozenset({"logg", "logteff"})
"""Columns of the registry that ananke holds in 32-bit floats; all its other floats have 64."""
_PARTICLES = "id_stars"
_CHUNK = 1 << 16
"""Rows that lie together in a written file."""


def read_ananke(
    files: Sequence[Path], *, chunk_rows: int = 200_000, unique_ids: bool = True, replaced: Replaced | None = None
) -> Iterator[pd.DataFrame]:
    """
    Read the radial slices of one mock survey as one table.

    Parameters
    ----------
    files : sequence of Path
        Slices of one viewpoint; the paper stacks slices 0 and 1.
    chunk_rows : int
        Most rows of one frame.
    unique_ids : bool
        Refuse a ``source_id`` that comes twice; 8 bytes a row are held for it.
    replaced : Replaced, optional
        As of `read_survey`: counts what is no measurement and was taken as missing.

    Yields
    ------
    DataFrame
        The registry's columns. Where the files have no ``source_id`` (the DR3 generation), stars are numbered from 0
        through the files in their order.

    Raises
    ------
    InputError
        If there is no file, one cannot be read or lacks a column, or two slices share ids: they are then not slices of
        one survey.
    """
    if not files:
        raise InputError("no ananke file was given; give the slices of one viewpoint (lsr-N-rslice-0 and -1)")
    ids, rows = UniqueIds(f"{files[0]} and {len(files) - 1} more" if len(files) > 1 else str(files[0])), 0
    for path in files:
        for frame in read_survey(
            path, release="ananke", required=_REQUIRED, chunk_rows=chunk_rows, unique_ids=False, replaced=replaced
        ):
            numbers = np.arange(rows, rows + len(frame), dtype=np.int64)
            whole = frame if "source_id" in frame else pd.concat([pd.Series(numbers, name="source_id"), frame], axis=1)
            rows += len(frame)
            if unique_ids:
                ids.add(whole["source_id"].to_numpy())
            yield whole
    ids.refuse_repeats()


def read_particle_ids(path: Path) -> NDArray[np.int64]:
    """
    Read a list of star particles, such as those born in other galaxies (Necib et al. 2019).

    Parameters
    ----------
    path : Path
        A ``.npy`` array of integers, or a CSV with the column ``id_stars``.

    Returns
    -------
    ndarray of int64, shape (n_particles,)

    Raises
    ------
    InputError
        If the file cannot be read, is empty, or holds no integers; or if it holds a mask, True (or 1) where a particle
        is listed.
    """
    path = Path(path)
    ids = _load_array(path) if path.suffix == ".npy" else _load_column(path)
    refuse_mask(str(path), ids)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise InputError(
            f"{path} holds {ids.ndim}-D {ids.dtype}, not a list of integers; save it with .astype('int64')"
        )
    if not ids.size:
        raise InputError(f"{path} holds no particle id; at least one is needed")
    return ids.astype(np.int64)


def _load_array(path: Path) -> NDArray[np.int64]:
    if not path.is_file():
        raise InputError(f"no file {path}; check the path")
    try:
        loaded: NDArray[np.int64] = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is no NumPy array of numbers ({error}); save the ids with numpy.save") from error
    return loaded


def _load_column(path: Path) -> NDArray[np.int64]:
    return np.concatenate([frame[_PARTICLES].to_numpy() for frame in read_frames(path, columns=[_PARTICLES])])


def write_ananke(path: Path, frames: pd.DataFrame | Iterable[pd.DataFrame]) -> None:
    """
    Write a table as ananke does: one flat dataset a column at the root of an HDF5 file.

    Parameters
    ----------
    path : Path
        Target file; it appears whole or not at all.
    frames : DataFrame or iterable of DataFrame
        Columns of the registry that ananke has; chunks have the same ones and are written as they come.

    Raises
    ------
    InputError
        If ananke has no such column, chunks differ in their columns, or there are no rows.
    """
    import h5py

    rows, names = 0, list[str]()
    with publish_file(Path(path)) as staged, h5py.File(staged, "w") as file:
        for frame in [frames] if isinstance(frames, pd.DataFrame) else frames:
            names = names or _create(file, frame, path)
            if (held := sorted(map(str, frame))) != sorted(names):
                raise InputError(f"{path}: a chunk has columns {held}, the first had {sorted(names)}")
            for name in names:
                dataset = file[column(name).name_in("ananke")]
                dataset.resize((rows + len(frame),))
                dataset[rows:] = frame[name].to_numpy(dataset.dtype)
            rows += len(frame)
        if not rows:
            raise InputError(f"nothing to write to {path}: 0 rows; at least one row is needed")


def _create(file: Any, frame: pd.DataFrame, path: Path) -> list[str]:
    """Empty datasets, each of ananke's type, for the columns of a frame; their names in the registry."""
    names = [str(name) for name in frame]
    for name in names:
        native = column(name).name_in("ananke")
        if native is None:
            raise InputError(f"ananke files have no column {name!r}; drop it before writing {path}")
        kind = "i8" if column(name).dtype == "int64" else "f4" if name in _SINGLE else "f8"
        file.create_dataset(native, shape=(0,), maxshape=(None,), chunks=(_CHUNK,), dtype=kind)
    return names
