"""What each file format needs to be read in chunks: FITS, VOTable, HDF5 and Parquet into pandas frames.

``exsitu.tables`` is the way in; here stand only the formats themselves, each as a `Format` of two functions. All of
them keep integers exact: an id never passes through a float, and an integer column with missing values comes as
pandas' nullable integers.
"""

import gzip
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError

Units = dict[str, str | None]

# TFORM of one value a row, in binary and in ASCII tables: text, logical, integer, float; no vectors, bits or pointers.
_SCALAR = re.compile(r"\d*A|1?[LBIJKED]|[AIFED]\d+(\.\d+)?")
_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
_DAMAGE = "it may be cut short or damaged: fetch it again and compare its size or checksum"


@dataclass(frozen=True, slots=True)
class Format:
    """
    How one file format is read.

    Parameters
    ----------
    describe : callable
        ``path -> ({native name: unit or None}, rows or None)``, without reading the rows where the format allows it.
    frames : callable
        ``(path, names, chunk_rows) -> iterator of frames`` with just these columns in this order.
    """

    describe: Callable[[Path], tuple[Units, int | None]]
    frames: Callable[[Path, Sequence[str], int], Iterator[pd.DataFrame]]


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
    import pyarrow as pa
    from astropy.utils.exceptions import AstropyWarning

    try:
        with warnings.catch_warnings():
            # Published files bend the standards in harmless ways; what would harm is checked on our own account.
            warnings.simplefilter("ignore", AstropyWarning)
            yield
    except InputError:
        raise
    except (OSError, EOFError, ValueError, TypeError, KeyError, IndexError, OverflowError, pa.ArrowException) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path} cannot be read ({reason}); {_DAMAGE}") from error


def is_gzipped(path: Path) -> bool:
    """
    Say whether a file is compressed by gzip, by its first bytes.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bool
    """
    with path.open("rb") as stream:
        return stream.read(2) == _GZIP


def opened(path: Path) -> IO[bytes]:
    """
    Open a file for reading, through gzip where its first bytes say so.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    file object of bytes
    """
    return cast("IO[bytes]", gzip.open(path, "rb")) if is_gzipped(path) else path.open("rb")


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


def _native(values: Any) -> NDArray[Any]:
    """Native byte order (FITS is big-endian, which pandas refuses), text as str, unsigned 64-bit ids as int64."""
    array = np.asarray(values)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind == "O":
        array = np.array([v.decode() if isinstance(v, bytes) else str(v) for v in array], dtype=object)
    if array.dtype.kind == "u" and array.dtype.itemsize == 8 and (not array.size or array.max() <= np.iinfo("i8").max):
        array = array.astype(np.int64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _frame(values: Mapping[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(dict(values), copy=False)
    text = [name for name in frame if frame[name].dtype == object]
    return frame.astype(dict.fromkeys(text, "str")) if text else frame


# --- FITS ------------------------------------------------------------------------------------------------------------


def _fits_table(path: Path, hdus: Any) -> Any:
    """First table of the file, after a look whether the file holds all bytes its header promises."""
    from astropy.io import fits

    for hdu in hdus:
        if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
            place = hdu.fileinfo()
            promised, size = place["datLoc"] + hdu.size, path.stat().st_size
            if size < promised and not is_gzipped(path):
                raise InputError(f"{path} is cut short: {size} of {promised} bytes; fetch it again")
            return hdu
    raise InputError(f"{path} holds no FITS table; give the file of the table extension")


def _fits_columns(hdu: Any) -> dict[str, Any]:
    return {c.name: c for c in hdu.columns if _SCALAR.fullmatch(str(c.format))}


def _describe_fits(path: Path) -> tuple[Units, int | None]:
    from astropy.io import fits

    with reading(path), opened(path) as stream:
        # astropy takes a gzip stream that breaks off for the end of the file; reading it through finds its checksum.
        while is_gzipped(path) and stream.read(_BLOCK):
            pass
    with reading(path), fits.open(path, memmap=True) as hdus:
        hdu = _fits_table(path, hdus)
        return {name: c.unit or None for name, c in _fits_columns(hdu).items()}, int(hdu.header["NAXIS2"])


def _fits_frames(path: Path, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    from astropy.io import fits

    with reading(path), fits.open(path, memmap=True) as hdus:
        hdu = _fits_table(path, hdus)
        nulls = {name: c.null for name, c in _fits_columns(hdu).items()}
        for start in range(0, int(hdu.header["NAXIS2"]), chunk_rows):
            rows = hdu.data[start : start + chunk_rows]
            values = {name: _native(rows.field(name)) for name in names}
            yield _frame(
                {name: v if nulls[name] in (None, "") else nullable(v, v == nulls[name]) for name, v in values.items()}
            )


# --- VOTable ---------------------------------------------------------------------------------------------------------


def _votable(path: Path) -> Any:
    """The first table of a VOTable; the standard's serialisations are read whole, then handed out in chunks."""
    from astropy.io.votable import parse

    return parse(str(path)).get_first_table().to_table(use_names_over_ids=True)


def _describe_votable(path: Path) -> tuple[Units, int | None]:
    with reading(path):
        table = _votable(path)
        return {n: str(table[n].unit) if table[n].unit else None for n in table.colnames if table[n].ndim == 1}, len(
            table
        )


def _votable_frames(path: Path, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    with reading(path):
        table = _votable(path)
        for start in range(0, len(table), chunk_rows):
            rows = table[list(names)][start : start + chunk_rows]
            yield _frame({n: nullable(_native(_data(rows[n])), np.ma.getmaskarray(_data(rows[n]))) for n in names})


def _data(values: Any) -> Any:
    return values.data if hasattr(values, "mask") else np.asarray(values)


# --- HDF5 ------------------------------------------------------------------------------------------------------------


def _flat(path: Path, file: Any) -> tuple[dict[str, Any], int]:
    """Flat datasets at the root of the file, all of one length, as ananke writes them."""
    import h5py

    found = {name: node for name, node in file.items() if isinstance(node, h5py.Dataset) and node.ndim == 1}
    lengths = {node.shape[0] for node in found.values()}
    if len(lengths) != 1:
        raise InputError(f"{path} has datasets of lengths {sorted(lengths)} at its root; all columns need one length")
    return found, lengths.pop()


def _stated(unit: Any) -> str | None:
    return (unit.decode() if isinstance(unit, bytes) else str(unit)) if unit is not None else None


def _describe_hdf5(path: Path) -> tuple[Units, int | None]:
    import h5py

    with reading(path), h5py.File(path, "r") as file:
        found, rows = _flat(path, file)
        return {name: _stated(node.attrs.get("unit")) for name, node in found.items()}, rows


def _hdf5_frames(path: Path, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    import h5py

    with reading(path), h5py.File(path, "r") as file:
        found, rows = _flat(path, file)
        for start in range(0, rows, chunk_rows):
            yield _frame({name: _native(found[name][start : start + chunk_rows]) for name in names})


# --- Parquet ---------------------------------------------------------------------------------------------------------


def _parquet_units(schema: Any) -> Units:
    """Units from the fields' own metadata, or from the header astropy leaves when it writes Parquet."""
    stated = {f.name: (f.metadata or {}).get(b"unit") for f in schema}
    units = {name: unit.decode() if unit else None for name, unit in stated.items()}
    left = (schema.metadata or {}).get(b"table_meta_yaml")
    if left is not None:
        from astropy.table.meta import get_header_from_yaml

        columns = get_header_from_yaml(left.decode().splitlines())["datatype"]
        units |= {c["name"]: str(c["unit"]) for c in columns if c.get("unit") and c["name"] in units}
    return units


def _describe_parquet(path: Path) -> tuple[Units, int | None]:
    import pyarrow.parquet as pq

    with reading(path), pq.ParquetFile(path) as file:
        return _parquet_units(file.schema_arrow), file.metadata.num_rows


def arrow_frame(batch: Any) -> pd.DataFrame:
    """
    Turn an Arrow table or batch into a frame whose integers stay integers where some are missing.

    Parameters
    ----------
    batch : pyarrow.Table or pyarrow.RecordBatch
        The rows.

    Returns
    -------
    DataFrame
    """
    import pyarrow as pa

    kinds = [(unsigned, bits) for unsigned in ("", "u") for bits in (8, 16, 32, 64)]
    whole = {getattr(pa, f"{u}int{bits}")(): getattr(pd, f"{u.upper()}Int{bits}Dtype")() for u, bits in kinds}
    holed = {whole.get(c.type) for c in batch.columns if c.null_count and c.type in whole}
    mapper = {**{t: d for t, d in whole.items() if d in holed}, pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = batch.to_pandas(types_mapper=mapper.get, ignore_metadata=True)
    masked = [n for n in frame if isinstance(frame[n].array, pd.arrays.IntegerArray | pd.arrays.BooleanArray)]
    return frame.astype({n: str(frame[n].dtype).lower().removesuffix("ean") for n in masked if frame[n].notna().all()})


def _parquet_frames(path: Path, names: Sequence[str], chunk_rows: int) -> Iterator[pd.DataFrame]:
    import pyarrow.parquet as pq

    # With pre_buffer, pyarrow's default, the memory grows with the file.
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=chunk_rows, columns=list(names), use_threads=False):
            yield arrow_frame(batch)[list(names)]


BINARY_FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "fits": Format(_describe_fits, _fits_frames),
        "votable": Format(_describe_votable, _votable_frames),
        "parquet": Format(_describe_parquet, _parquet_frames),
        "hdf5": Format(_describe_hdf5, _hdf5_frames),
    }
)
"""Formats whose columns carry their types."""
