"""Real ananke surveys as the pipeline's own files: the parallax cut on the way, the scaler's numbers, the labels."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.labels.histories import accreted_from_particles
from exsitu.phase_space import frame as solar_frame
from exsitu.quality import passes_parallax_cut
from exsitu.surveys.ananke import read_ananke, read_particle_ids
from exsitu.surveys.missing import Replaced
from exsitu.surveys.mock_files import (
    FAINTEST_G,
    Moments,
    describe_view,
    uncut_path,
    write_particle_ids,
    write_uncut,
)
from exsitu.surveys.reader import UniqueIds
from exsitu.tables import describe, write_parquet


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """
    What came in with a mock survey.

    Parameters
    ----------
    read : int
        Stars in the slices.
    bright : int
        Of these, those with G < 21: what the paper's scaler was measured on.
    kept : int
        Of those read, those that pass the parallax cut.
    accreted, in_situ : int
        Of those kept, those whose star particle was and was not born in another galaxy.
    accreted_with_rv, in_situ_with_rv : int
        Of these, those with a radial velocity.
    not_physical : str
        What was no measurement and was taken as missing, as `Replaced.sentence` says it; empty where nothing was.
    """

    read: int
    bright: int
    kept: int
    accreted: int
    in_situ: int
    accreted_with_rv: int
    in_situ_with_rv: int
    not_physical: str = ""


def import_mock(
    folder: Path,
    slices: Sequence[Path],
    ids_file: Path,
    *,
    survey: str,
    max_fractional_parallax_error: float,
    chunk_rows: int = 200_000,
    progress: bool = False,
) -> ImportCounts:
    """
    Bring one ananke survey into the layout of the built-in mocks.

    Parameters
    ----------
    folder : Path
        Folder of the galaxy.
    slices : sequence of Path
        Radial slices of one viewpoint; the paper stacks slices 0 and 1.
    ids_file : Path
        List of the accreted star particles, ``.npy`` or CSV with the column ``id_stars``.
    survey : str
        Name of the survey, ``<galaxy>/lsr<N>``.
    max_fractional_parallax_error : float
        Only stars with 0 < parallax_error / parallax below this are written.
    chunk_rows : int
        Stars read at a time.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    ImportCounts
        After ``lsr<N>.parquet``, ``lsr<N>.uncut.json`` and ``accreted_particle_ids.npy`` were written to `folder`.

    Raises
    ------
    InputError
        If a file cannot be read or lacks a column, the survey has no known Sun, two slices share stars, or no star
        within the cut comes from a particle of the list; nothing is then written.
    """
    # Minutes of reading follow: what can be wrong already is found first.
    ids, metadata = read_particle_ids(ids_file), _describe(survey, slices, max_fractional_parallax_error)
    path = folder / f"{survey.rpartition('/')[2]}.parquet"
    tally = _Tally(ids, max_fractional_parallax_error, UniqueIds(", ".join(str(one) for one in slices)))
    # Of the hundred million stars of a slice the ids of those kept are enough to tell slices of two surveys.
    frames = read_ananke(slices, chunk_rows=chunk_rows, unique_ids=False, replaced=tally.replaced)
    frames = _with_bar(frames, slices, survey, progress=progress)
    write_parquet(path, tally.cut(frames, ids_file), metadata=metadata)
    write_uncut(uncut_path(path), survey, tally.uncut.rows, tally.uncut)
    write_particle_ids(folder, ids)
    return tally.counts


def _describe(survey: str, slices: Sequence[Path], limit: float) -> dict[str, str]:
    galaxy, _, viewpoint = survey.partition("/lsr")
    if not viewpoint.isdecimal():
        raise InputError(f"{survey!r} is no name of a mock survey; give <galaxy>/lsr<N>, such as m12i/lsr0")
    return describe_view(galaxy, int(viewpoint), solar_frame(survey)) | {
        "generator": "ananke (Sanderson et al. 2020)",
        "slices": json.dumps([Path(path).name for path in slices]),
        "max_fractional_parallax_error": repr(limit),
    }


def _with_bar(
    frames: Iterator[pd.DataFrame], slices: Sequence[Path], survey: str, *, progress: bool
) -> Iterator[pd.DataFrame]:
    from tqdm import tqdm

    rows = sum(describe(path).rows or 0 for path in slices)
    with tqdm(total=rows, desc=survey, unit="star", unit_scale=True, disable=not progress, leave=False) as bar:
        for frame in frames:
            yield frame
            bar.update(len(frame))


class _Tally:
    """Counts and the scaler's numbers, taken while the stars pass."""

    def __init__(self, ids: NDArray[np.int64], limit: float, seen: UniqueIds) -> None:
        self.ids, self.limit, self.seen = ids, limit, seen
        self.uncut, self.read, self.replaced = Moments(), 0, Replaced()
        self.stars = np.zeros((2, 2), np.int64)
        """Stars kept: (in situ, accreted), (without, with a radial velocity)."""

    def cut(self, frames: Iterator[pd.DataFrame], ids_file: Path) -> Iterator[pd.DataFrame]:
        """The stars within the parallax cut."""
        for frame in frames:
            self.read += len(frame)
            if "phot_g_mean_mag" in frame:
                self.uncut.add(frame[frame["phot_g_mean_mag"].to_numpy() < FAINTEST_G])
            kept = frame[passes_parallax_cut(frame["parallax"], frame["parallax_error"], self.limit)]
            self._count(kept)
            self.seen.add(kept["source_id"].to_numpy(copy=True))
            yield kept
        self.seen.refuse_repeats()
        if not self.stars[1].any():
            raise InputError(
                f"none of {self.stars.sum()} stars within the cut comes from one of the {self.ids.size} particles of "
                f"{ids_file}; at least one is needed: is it the list of this galaxy?"
            )

    def _count(self, kept: pd.DataFrame) -> None:
        has_rv = np.isfinite(kept["radial_velocity"].to_numpy(np.float64)) if "radial_velocity" in kept else False
        accreted = accreted_from_particles(kept["parentid"], self.ids)
        self.stars += np.bincount(2 * accreted + has_rv, minlength=4).reshape(2, 2)

    @property
    def counts(self) -> ImportCounts:
        """What came in."""
        in_situ, accreted = self.stars.sum(axis=1).tolist()
        return ImportCounts(
            read=self.read,
            bright=self.uncut.rows,
            kept=in_situ + accreted,
            accreted=accreted,
            in_situ=in_situ,
            accreted_with_rv=int(self.stars[1, 1]),
            in_situ_with_rv=int(self.stars[0, 1]),
            not_physical=self.replaced.sentence(),
        )
