"""What the readers of all table formats share: how a format is described, errors in one line, compressed files.

``exsitu.tables`` is the way in; the formats themselves stand in ``exsitu.formats``. All of them keep integers exact: an
id never passes through a float, and an integer column with missing values comes as pandas' nullable integers.
"""

import csv
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError

Units = dict[str, str | None]

_DAMAGE = "it may be cut short or damaged: fetch it again and compare its size or checksum"
_INT64_MAX = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Contents:
    """
    What a file states before its rows are read.

    Parameters
    ----------
    columns : dict
        ``{native name: unit}``, the unit None where the file states none; columns of one value a row only.
    rows : int or None
        Number of rows; None where only reading would tell.
    table : str or None
        Number of the table that is read, where the file has several.
    cautions : tuple of str
        What the file itself says against its use, each one sentence.
    truncated : bool
        Whether the file states that rows are missing.
    """

    columns: Units
    rows: int | None
    table: str | None = None
    cautions: tuple[str, ...] = ()
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Format:
    """
    How one file format is read.

    Parameters
    ----------
    describe : callable
        ``(path, table or None) -> Contents``, without reading the rows where the format allows it.
    frames : callable
        ``(path, table or None, names, chunk_rows) -> iterator of frames`` with just these columns in this order.
    """

    describe: Callable[[Path, str | None], Contents]
    frames: Callable[[Path, str | None, Sequence[str], int], Iterator[pd.DataFrame]]


_RAISED = (OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, MemoryError)
_PACKAGE = str(Path(__file__).parent)


def _is_damage(error: Exception) -> bool:
    """Whether the file is to blame: anything that a library raised, and what its content makes of our own code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    raised_here = trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE)
    return not raised_here or isinstance(error, (*_RAISED, csv.Error, zlib.error, ExpatError))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """
    Turn what the format libraries raise on a damaged file into one clear error.

    Parameters
    ----------
    path : Path
        The file being read.

    Yields
    ------
    None

    Raises
    ------
    InputError
        If the block fails with anything a damaged file can cause; warnings of the libraries about the file are dropped.
    """
    from astropy.utils.exceptions import AstropyWarning

    try:
        with warnings.catch_warnings():
            # Published files bend the standards in harmless ways; what would harm is checked on our own account.
            warnings.simplefilter("ignore", AstropyWarning)
            yield
    except InputError:
        raise
    except Exception as error:
        if not _is_damage(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path} cannot be read ({reason[:300]}); {_DAMAGE}") from error


def nullable(values: NDArray[Any], missing: NDArray[np.bool_]) -> Any:
    """
    Give an array its missing values in the way exsitu's tables hold them.

    Parameters
    ----------
    values : ndarray, shape (n_rows,)
        The values; what stands at missing places does not matter.
    missing : ndarray of bool, shape (n_rows,)
        Where there is none.

    Returns
    -------
    ndarray or pandas array, shape (n_rows,)
        Floats with NaN; integers and booleans unchanged, or pandas' nullable ones where any is missing.
    """
    if not missing.any():
        return values
    if values.dtype.kind == "f":
        return np.where(missing, np.nan, values).astype(values.dtype)
    if values.dtype.kind in "iu":
        return pd.arrays.IntegerArray(values.astype(np.int64), missing.copy())
    if values.dtype.kind == "b":
        return pd.arrays.BooleanArray(values, missing.copy())
    text = values.astype(object)
    text[missing] = None
    return pd.array(text, dtype="str")


def _decoded(text: Any) -> NDArray[Any]:
    """Bytes as text: UTF-8 where all are, else Latin-1."""
    try:
        return np.char.decode(text, "utf-8")
    except UnicodeDecodeError:
        return np.char.decode(text, "latin-1")


def native(values: Any, source: str) -> NDArray[Any]:
    """
    Bring an array into what pandas takes.

    Parameters
    ----------
    values : array_like, shape (n_rows,)
        One column.
    source : str
        File and column, for the message.

    Returns
    -------
    ndarray, shape (n_rows,)
        In native byte order (FITS is big-endian), text as str, unsigned 64-bit integers as int64.

    Raises
    ------
    InputError
        If an integer is beyond int64.
    """
    array = np.asarray(values)
    if array.dtype.kind == "S":
        array = _decoded(array)
    if array.dtype.kind == "O":
        array = np.array([_decoded(v).item() if isinstance(v, bytes) else str(v) for v in array], dtype=object)
    if array.dtype.kind == "u" and array.dtype.itemsize == 8:
        if array.size and array.max() > _INT64_MAX:
            raise beyond_int64(source, array.max())
        array = array.astype(np.int64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def beyond_int64(source: str, value: Any) -> InputError:
    """
    Say that an integer is larger than any id.

    Parameters
    ----------
    source : str
        File and column.
    value : int
        The integer.

    Returns
    -------
    InputError
        To be raised.
    """
    return InputError(
        f"{source} goes up to {value}, beyond 2^63 - 1, the largest int64; it cannot hold ids as they are"
    )


def plain_frame(values: Mapping[str, Any]) -> pd.DataFrame:
    """
    Put columns together as a frame, text in pandas' type for it.

    Parameters
    ----------
    values : mapping of str to array, shape (n_rows,)
        The columns.

    Returns
    -------
    DataFrame
    """
    frame = pd.DataFrame(dict(values), copy=False)
    text = [name for name in frame if frame[name].dtype == object]
    return frame.astype(dict.fromkeys(text, "str")) if text else frame


def arrow_frame(batch: Any, source: str = "the table") -> pd.DataFrame:
    """
    Turn an Arrow table or batch into a frame whose integers stay integers where some are missing.

    Parameters
    ----------
    batch : pyarrow.Table or pyarrow.RecordBatch
        The rows.
    source : str
        File they come from, for the message.

    Returns
    -------
    DataFrame

    Raises
    ------
    InputError
        If an integer is beyond int64.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = [(unsigned, bits) for unsigned in ("", "u") for bits in (8, 16, 32, 64)]
    whole = {getattr(pa, f"{u}int{bits}")(): getattr(pd, f"{u.upper()}Int{bits}Dtype")() for u, bits in kinds}
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        if values.type == pa.uint64() and (most := pc.max(values).as_py() or 0) > _INT64_MAX:
            raise beyond_int64(f"{source}: {name}", most)
    holed = {whole.get(c.type) for c in batch.columns if c.null_count and c.type in whole}
    mapper = {**{t: d for t, d in whole.items() if d in holed}, pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = batch.to_pandas(types_mapper=mapper.get, ignore_metadata=True)
    masked = [n for n in frame if isinstance(frame[n].array, pd.arrays.IntegerArray | pd.arrays.BooleanArray)]
    return frame.astype({n: str(frame[n].dtype).lower().removesuffix("ean") for n in masked if frame[n].notna().all()})
