"""From surveys to the stars of a trial: parts that never mix, filters, samples that nest, all fixed by the seed.

A star's part (training, validation, test) depends on its survey and the settings alone, so that no star a network is
measured with is in the training of any. Surveys are cut and labelled once and kept.
"""

import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.errors import InputError
from exsitu.experiments import milky_way
from exsitu.experiments.frames import keep_frame, kept_frame
from exsitu.experiments.trial import Sample
from exsitu.mocks.spectra import LOWEST_LATITUDE, NORTHERNMOST_DEC
from exsitu.phase_space import SolarFrame
from exsitu.phase_space import frame as solar_frame
from exsitu.provenance import read_json, sha256_file, sha256_json
from exsitu.settings import Settings
from exsitu.stages.prepare import load_mock
from exsitu.surveys.mock_files import IDS, survey_sun

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

PARTS = ("test", "validation", "training")
"""What a survey is cut into; the last part is what the shares of the others leave."""

POPULATION = "population"
"""Galaxies drawn from the priors are named ``population/<number>/lsr<viewpoint>``."""

_ALSO = ("age", "parentid", "px_true", "py_true", "pz_true")

THIRDS = 3
"""Parts that the Milky Way's stars with spectra are cut into by their id (paper, Sec. 8.1)."""


def _third(number: int) -> Callable[[pd.DataFrame], Mask]:
    return lambda frame: (frame["source_id"] % THIRDS == number).to_numpy()


def _but_third(number: int) -> Callable[[pd.DataFrame], Mask]:
    return lambda frame: (frame["source_id"] % THIRDS != number).to_numpy()


FILTERS: Mapping[str, Callable[[pd.DataFrame], Mask]] = MappingProxyType(
    {
        "radial_velocity": lambda frame: frame["radial_velocity"].notna().to_numpy(),
        "g<15": lambda frame: (frame["phot_g_mean_mag"] < 15.0).to_numpy(),
        "rave_footprint": lambda frame: (
            (frame["dec"] < NORTHERNMOST_DEC) & (frame["b"].abs() > LOWEST_LATITUDE)
        ).to_numpy(),
        "photometry": lambda frame: (
            frame[["phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag"]].notna().all(axis=1).to_numpy()
        ),
        **{f"third_{number}": _third(number) for number in range(THIRDS)},
        **{f"but_third_{number}": _but_third(number) for number in range(THIRDS)},
    }
)
"""What a star must be to belong to a sample, by name."""


def _each_star(frame: pd.DataFrame) -> NDArray[np.int64]:
    return np.arange(len(frame), dtype=np.int64)


def _each_particle(frame: pd.DataFrame) -> NDArray[np.int64]:
    return np.unique(frame["parentid"].to_numpy(), return_inverse=True)[1].astype(np.int64)


SPLITS: Mapping[str, Callable[[pd.DataFrame], NDArray[np.int64]]] = MappingProxyType(
    {"star": _each_star, "particle": _each_particle}
)
"""Numbers, from 0, of what a split keeps together: each star by itself, or all stars of a star particle."""


def _rng(settings: Settings, *words: str) -> np.random.Generator:
    """Random numbers of their own for each survey and purpose."""
    digest = hashlib.sha256("\n".join(words).encode()).digest()
    return np.random.default_rng([settings.seed, int.from_bytes(digest[:8], "little")])


def cut_into_parts(together: NDArray[np.int64], shares: Mapping[str, float], rng: np.random.Generator) -> Rows:
    """
    Give each star a part, drawn at random, what belongs together into the same.

    Parameters
    ----------
    together : ndarray of int, shape (n_stars,)
        Number, from 0, of the group a star belongs to.
    shares : mapping of str to float
        Share of the stars of each part but for the last; parts are numbered as in `PARTS`.
    rng : Generator
        Of the draw.

    Returns
    -------
    ndarray of int, shape (n_stars,)
        Number of the part of each star. Shares are met to within one group.
    """
    sizes = np.bincount(together)
    order = rng.permutation(len(sizes))
    before = np.concatenate([[0], np.cumsum(sizes[order])[:-1]]) / max(1, len(together))
    edges = np.cumsum([shares[name] for name in PARTS[:-1]])
    part = np.empty(len(sizes), np.intp)
    part[order] = np.searchsorted(edges, before, side="right")
    return part[together]


class Surveys:
    """
    Mock surveys, cut and labelled, and the samples drawn from them.

    Parameters
    ----------
    settings : Settings
        Cuts, labels, shares, seed.
    data : Path
        What the stage ``data`` wrote.
    kept : Path
        Folder of the experiments: surveys are kept in ``surveys/``, drawn galaxies lie in ``population/``.
    """

    def __init__(self, settings: Settings, data: Path, kept: Path) -> None:
        self._settings, self._data, self._kept = settings, data, kept
        self._frame = functools.cache(self._read)
        self._parts = functools.lru_cache(maxsize=8)(self._cut)
        self.digest = functools.cache(self._digest)

    def path(self, survey: str) -> Path:
        """
        Find the file of a survey.

        Parameters
        ----------
        survey : str
            Its name.

        Returns
        -------
        Path
        """
        if milky_way.is_milky_way(survey):
            return milky_way.files_of(self._data)[0]
        root, name = self._place(survey)
        return root / "mocks" / f"{name}.parquet"

    def _place(self, survey: str) -> tuple[Path, str]:
        if not survey.startswith(f"{POPULATION}/"):
            return self._data, survey
        number, viewpoint = survey.removeprefix(f"{POPULATION}/").split("/")
        return self._kept / POPULATION, f"population-{self._settings.data.galaxy_seed}-{int(number):05d}/{viewpoint}"

    def sun(self, survey: str) -> SolarFrame:
        """
        Where a survey was made from.

        Parameters
        ----------
        survey : str
            Its name.

        Returns
        -------
        SolarFrame
        """
        return solar_frame(milky_way.FRAME) if milky_way.is_milky_way(survey) else survey_sun(self.path(survey))

    def _digest(self, survey: str) -> str:
        """SHA-256 of all that is read of a survey."""
        path = self.path(survey)
        root, manifest = self._data, self._data / "data.json"
        files = milky_way.files_of(root) if milky_way.is_milky_way(survey) else [path, path.parent / IDS]
        if missing := [str(f) for f in files if not f.is_file()]:
            raise InputError(f"no {', '.join(missing)}; run `exsitu data`, or `exsitu mocks make` for another galaxy")
        if manifest.is_file() and path.is_relative_to(root):  # `verify_data` has just hashed them
            written = read_json(manifest)["sha256"]
            return sha256_json([written[f.relative_to(root).as_posix()] for f in files])
        return sha256_json([sha256_file(f) for f in files])

    def stars(self, survey: str) -> pd.DataFrame:
        """
        All stars of a survey that pass the quality cut.

        Parameters
        ----------
        survey : str
            Its name.

        Returns
        -------
        DataFrame
            What `exsitu.stages.prepare.load_mock` gives, with ``parentid``, true positions and correlations of errors;
            of the Milky Way what `exsitu.experiments.milky_way.load_milky_way` gives.
        """
        return self._frame(survey)

    def is_kept(self, survey: str) -> bool:
        """
        Whether a survey was cut and labelled before.

        Parameters
        ----------
        survey : str
            Its name.

        Returns
        -------
        bool
        """
        return self._copy(survey).is_file()

    def _copy(self, survey: str) -> Path:
        told = self._settings.model_dump(mode="json", include={"seed", "quality", "labels"})
        identity = sha256_json({"columns": _ALSO, "data": self.digest(survey), "settings": told})
        return self._kept / "surveys" / f"{survey.replace('/', '-')}-{identity[:12]}.arrow"

    def _read(self, survey: str) -> pd.DataFrame:
        path = self._copy(survey)
        if not path.is_file():
            keep_frame(path, self._made(survey))
        return kept_frame(path)

    def _made(self, survey: str) -> pd.DataFrame:
        if milky_way.is_milky_way(survey):
            return milky_way.load_milky_way(self._settings, self._data, survey)
        root, name = self._place(survey)
        return load_mock(self._settings, root, name, also=_ALSO)

    def rows(self, survey: str, part: str, *, filters: tuple[str, ...] = (), split: str = "star") -> Rows:
        """
        Find the stars of a part.

        Parameters
        ----------
        survey : str
            Its name.
        part : str
            One of `PARTS`.
        filters : tuple of str
            Keys of `FILTERS`; a star must pass all.
        split : str
            A key of `SPLITS`.

        Returns
        -------
        ndarray of int
            Row numbers in `stars`, ascending.

        Raises
        ------
        InputError
            If a filter, split or part is unknown.
        """
        for name, known in ((part, PARTS), (split, SPLITS), *((f, FILTERS) for f in filters)):
            if name not in known:
                raise InputError(f"{name!r} is none of {', '.join(known)}; a sample of {survey} asks for it")
        chosen = self._parts(survey, split) == PARTS.index(part)
        for name in filters:
            chosen &= FILTERS[name](self.stars(survey))
        return np.flatnonzero(chosen)

    def _cut(self, survey: str, split: str) -> Rows:
        shares = self._settings.experiments
        given = {"test": shares.test_share, "validation": shares.validation_share}
        if milky_way.is_milky_way(survey):
            given = {"test": 0.0, "validation": milky_way.VALIDATION_SHARE}
        return cut_into_parts(SPLITS[split](self.stars(survey)), given, _rng(self._settings, "parts", survey, split))

    def part(self, survey: str, part: str, *, filters: tuple[str, ...] = (), split: str = "star") -> pd.DataFrame:
        """
        Stars of a part.

        Parameters
        ----------
        survey : str
            Its name.
        part : str
            One of `PARTS`.
        filters : tuple of str
            As for `rows`.
        split : str
            As for `rows`.

        Returns
        -------
        DataFrame
            In the order of the survey.
        """
        rows = self.rows(survey, part, filters=filters, split=split)
        return self.stars(survey).iloc[rows].reset_index(drop=True)

    def drawn(self, sample: Sample, part: str, limit: int) -> dict[str, pd.DataFrame]:
        """
        Stars of a sample, survey by survey.

        Parameters
        ----------
        sample : Sample
            The recipe.
        part : str
            One of `PARTS`.
        limit : int
            At most so many of each survey.

        Returns
        -------
        dict of str to DataFrame
            By survey. A smaller limit gives a part of the same stars.
        """
        found = {}
        for survey in sample.surveys:
            rows = self.rows(survey, part, filters=sample.filters, split=sample.split)
            order = _rng(self._settings, "sample", survey, part).permutation(len(self.stars(survey)))
            place = np.argsort(order)[rows]  # a star's place does not depend on filters: samples nest across them too
            chosen = np.sort(rows[np.argsort(place)[:limit]])
            found[survey] = self.stars(survey).iloc[chosen].reset_index(drop=True)
        return found


def particle_blocks(parentid: NDArray[np.int64], blocks: int) -> NDArray[np.int64]:
    """
    Cut stars into blocks for a jackknife, all stars of a particle into the same.

    Parameters
    ----------
    parentid : ndarray of int, shape (n_stars,)
        Star particle of each star.
    blocks : int
        How many.

    Returns
    -------
    ndarray of int, shape (n_stars,)
        Number of the block, from 0.

    Notes
    -----
    Stars of one particle share place and motion: they are not independent, and blocks of single stars would promise
    errors that are too small.
    """
    unique, inverse = np.unique(parentid, return_inverse=True)
    drawn: NDArray[np.int64] = np.random.default_rng(len(unique)).permutation(len(unique))[inverse] % blocks
    return drawn
