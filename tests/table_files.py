"""The same stars as a file of every format that exsitu reads, each written by the format's own library."""

import bz2
import gzip
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

FIRST_ID = 2**62 + 1
"""Above 2^53 neighbouring ids fall onto one float64."""

UNITS = {"ra": "deg", "dec": "deg", "parallax": "mas"}


def stars(n_stars: int = 40, seed: int = 1) -> pd.DataFrame:
    """Stars with ids, positions, parallaxes of which some are missing, and names."""
    rng = np.random.default_rng(seed)
    parallax = rng.normal(1.0, 0.5, n_stars)
    parallax[::7] = np.nan
    return pd.DataFrame(
        {
            "source_id": FIRST_ID + np.arange(n_stars),
            "ra": rng.uniform(0.0, 360.0, n_stars),
            "dec": rng.uniform(-90.0, 90.0, n_stars),
            "parallax": parallax,
            "original_ext_source_id": pd.Series([f"Gaia DR3 {i:04d}" for i in range(n_stars)], dtype="str"),
        }
    )


def _astropy(frame: pd.DataFrame):
    from astropy.table import Table

    table = Table({n: frame[n].to_numpy().astype("U") if frame[n].dtype == "str" else frame[n] for n in frame})
    for name, unit in UNITS.items():
        table[name].unit = unit
    return table


def _fits(frame, path):
    from astropy.io import fits

    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(_astropy(frame))]).writeto(path, checksum=True)


def _votable(tabledata_format):
    def write(frame, path):
        from astropy.io.votable import from_table, writeto

        writeto(from_table(_astropy(frame)), str(path), tabledata_format=tabledata_format)

    return write


def _text(form):
    def write(frame, path):
        from astropy.table import MaskedColumn

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = _astropy(frame)
            table["parallax"] = MaskedColumn(table["parallax"], mask=frame["parallax"].isna().to_numpy())
            table.write(path, format=form)

    return write


def _csv(**how):
    def write(frame, path):
        frame.to_csv(path, index=False, **how)

    return write


def _packed(module, write):
    def pack(frame, path):
        plain = path.with_name("plain" + path.suffixes[0])
        write(frame, plain)
        path.write_bytes(module.compress(plain.read_bytes()))
        plain.unlink()

    return pack


def _parquet(frame, path):
    from exsitu.tables import write_parquet

    write_parquet(path, [frame])


def _hdf5(**how):
    def write(frame, path):
        import h5py

        with h5py.File(path, "w") as file:
            for name in frame:
                values = frame[name].to_numpy()
                node = file.create_dataset(name, data=values.astype("S") if values.dtype == object else values, **how)
                node.attrs["units"] = UNITS.get(name, "")

    return write


def _hdf5_astropy(frame, path):
    _astropy(frame).write(path, path="stars", serialize_meta=True)


WRITERS = {
    "fits": _fits,
    "fits.gz": _packed(gzip, _fits),
    "fits.bz2": _packed(bz2, _fits),
    "tabledata.vot": _votable("tabledata"),
    "binary2.vot": _votable("binary2"),
    "vot.gz": _packed(gzip, _votable("tabledata")),
    "parquet": _parquet,
    "hdf5": _hdf5(),
    "fletcher.hdf5": _hdf5(fletcher32=True, chunks=True),
    "astropy.hdf5": _hdf5_astropy,
    "csv": _csv(),
    "csv.gz": _packed(gzip, _csv()),
    "csv.bz2": _packed(bz2, _csv()),
    "semicolon.csv": _csv(sep=";", decimal=","),
    "tsv": _csv(sep="\t"),
    "ecsv": _text("ascii.ecsv"),
    "ipac": _text("ascii.ipac"),
    "txt": _text("ascii.commented_header"),
    "mrt": _text("ascii.mrt"),
}


def write_stars(form: str, folder: Path, frame: pd.DataFrame | None = None) -> Path:
    """
    Write stars as a file of a format.

    Parameters
    ----------
    form : str
        A key of `WRITERS`.
    folder : Path
        Where to write it.
    frame : DataFrame, optional
        Stars to write; those of `stars` by default.

    Returns
    -------
    Path
        The file.
    """
    path = folder / f"stars.{form}"
    WRITERS[form](stars() if frame is None else frame, path)
    return path
