"""The stand-in for the Milky Way: what the Gaia archive and RAVE would hold of a third galaxy, and the truth apart.

A survey is a sample: of each of its strata (stars within the parallax cut, stars beyond it, stars in spectroscopic
fields) one fraction of the galaxy's stars is drawn. The fractions stand in the files' metadata.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exsitu.draws import Draws
from exsitu.errors import InputError
from exsitu.mocks.galaxies import galaxy_model
from exsitu.mocks.make import described, described_masses, drawn, particles_of, sample_of
from exsitu.mocks.particles import Particles
from exsitu.mocks.randomness import Purpose, draws_for
from exsitu.mocks.spectra import FAINTEST_FIELD_G, in_fields, observe_spectra
from exsitu.mocks.stars import Stratum, View, any_parallax, within
from exsitu.mocks.uncertainties import CORRELATIONS, error_profile
from exsitu.settings import MilkyWay, Mocks
from exsitu.tables import write_parquet

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

GAIA_COLUMNS = (
    "source_id", "random_index", "ra", "ra_error", "dec", "dec_error",
    "parallax", "parallax_error", "parallax_over_error", "pmra", "pmra_error", "pmdec", "pmdec_error", *CORRELATIONS,
    "phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag", "radial_velocity", "radial_velocity_error", "l", "b",
)  # fmt: skip
"""Columns of the Gaia table: names, units and order of the archive's ``gaia_source``, and no truth."""

TRUTH_COLUMNS = (
    "source_id", "accreted", "parentid", "feh", "age", "px_true", "py_true", "pz_true", "vx_true", "vy_true", "vz_true",
)  # fmt: skip
"""Columns of what is known of the stars, for the audit alone."""

OBSERVED_FRACTION = 0.8
"""Share of the stars in the spectroscopic fields that have a spectrum."""

_SPECTRA_COLUMNS = (
    "source_id", "ra", "dec", "pmra", "pmdec", "feh", "phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag",
    "px_true", "py_true", "pz_true", "vx_true", "vy_true", "vz_true",
)  # fmt: skip


def make_standin(
    folder: Path, milky_way: MilkyWay, mocks: Mocks, *, seed: int, progress: bool, kept: Path | None = None
) -> list[Path]:
    """
    Make the stand-in for the Milky Way: a Gaia-like survey, a RAVE-like one, their cross-match, and the truth.

    The Gaia-like table holds stars of the whole sky within the 10 % parallax cut, a fifth as many with errors of
    10-20 %, and a twentieth of worse ones, negative parallaxes among them. Spectroscopic fields (southern sky, away
    from the plane, 9 < I < 12) are sampled at a higher fraction than the rest, whatever their parallax, so that a small
    stand-in has enough spectra; each stratum's fraction stands in the metadata.

    Parameters
    ----------
    folder : Path
        Where.
    milky_way : MilkyWay
        ``gaia_stars`` within the parallax cut and ``spectroscopic_stars``, expected numbers.
    mocks : Mocks
        Particle masses.
    seed : int
        The same seed gives the same bytes.
    progress : bool
        Whether to show bars.
    kept : Path, optional
        Folder in which particles are kept between runs.

    Returns
    -------
    list of Path
        ``gaia.parquet`` (the archive's columns of Gaia DR2, in random order), ``rave.parquet`` (canonical columns,
        positions at epoch 2000, by identifier), ``best_neighbour.parquet`` (by ``source_id``), ``truth.parquet`` (row
        by row the stars of ``gaia.parquet``). Only the stars with spectra are held in memory.

    Raises
    ------
    InputError
        If more spectra than Gaia stars, or more stars than there are, are asked for.
    """
    if milky_way.gaia_stars is None or milky_way.spectroscopic_stars is None:
        raise InputError(f"milky_way.source is {milky_way.source!r}; only the 'standin' is made")
    strata = _strata(milky_way.gaia_stars, milky_way.spectroscopic_stars)
    view = View(galaxy_model("milky_way"), 0, error_profile("dr2"))
    particles = particles_of(view.model, mocks, seed=seed, kept=kept, progress=progress)
    samples = {name: sample_of(particles, view, stratum, n, seed) for name, (stratum, n) in strata.items()}
    about = described(view, seed) | described_masses(mocks) | {"release": "gaia_dr2"}
    about |= {f"sampling_fraction_{name}": repr(sample.fraction) for name, sample in samples.items()}
    stars = drawn(
        list(samples.values()),
        view,
        seed,
        stars=sum(n for _, n in strata.values()),
        label=view.survey,
        progress=progress,
    )
    return _write(folder, stars, particles, about, draws_for(seed, view.model, Purpose.SPECTRA, view.viewpoint))


def _strata(gaia_stars: int, spectroscopic_stars: int) -> dict[str, tuple[Stratum, int]]:
    """The stand-in's strata and the expected number of stars in each."""
    in_all_fields = round(spectroscopic_stars / OBSERVED_FRACTION)
    if in_all_fields >= gaia_stars:
        raise InputError(
            f"milky_way.spectroscopic_stars = {spectroscopic_stars} need {in_all_fields} stars in the fields, but "
            f"gaia_stars is {gaia_stars}; ask for more Gaia stars or fewer spectra"
        )
    precise, fair = within(0.0, 0.1), within(0.1, 0.2)
    return {
        "within_cut": (Stratum(1, precise, 0.1, by_row=_outside_fields), gaia_stars - in_all_fields),
        "beyond_cut": (Stratum(2, fair, 0.2, by_row=_outside_fields), max(gaia_stars // 5, 1)),
        "far_beyond_cut": (Stratum(3, _far_beyond, by_row=_outside_fields), max(gaia_stars // 20, 1)),
        "fields": (Stratum(4, any_parallax, faintest=FAINTEST_FIELD_G, by_row=in_fields), in_all_fields),
    }


def _far_beyond(parallax: Floats, error: Floats) -> Mask:
    return ~within(0.0, 0.2)(parallax, error)


def _outside_fields(frame: pd.DataFrame) -> Mask:
    return ~in_fields(frame)


class _Aside:
    """Frames put aside in a scratch file while others are being written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.frames = file, 0

    def put(self, frame: pd.DataFrame) -> None:
        """Append one."""
        np.lib.format.write_array(self.file, frame.to_records(index=False), allow_pickle=False)
        self.frames += 1

    def __iter__(self) -> Iterator[pd.DataFrame]:
        self.file.seek(0)
        for _ in range(self.frames):
            yield pd.DataFrame(np.lib.format.read_array(self.file, allow_pickle=False))


def _write(
    folder: Path, stars: Iterator[pd.DataFrame], particles: Particles, about: dict[str, str], draws: Draws
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    accreted, observed = particles.accreted, list[pd.DataFrame]()
    paths = {name: folder / f"{name}.parquet" for name in ("gaia", "rave", "best_neighbour", "truth")}
    with tempfile.TemporaryFile(dir=folder) as scratch:
        truth = _Aside(scratch)

        def gaia() -> Iterator[pd.DataFrame]:
            for frame in stars:
                of_field = frame.loc[in_fields(frame), list(_SPECTRA_COLUMNS)]
                observed.append(of_field[draws.uniform("observed", of_field["source_id"]) < OBSERVED_FRACTION])
                parents = particles.find(frame["parentid"].to_numpy())
                truth.put(frame.assign(accreted=accreted[parents])[list(TRUTH_COLUMNS)])
                yield _as_archived(frame)

        write_parquet(paths["gaia"], gaia(), metadata=about)
        write_parquet(paths["truth"], truth, metadata=about)
    spectra, neighbours = observe_spectra(pd.concat(observed, ignore_index=True), draws)
    write_parquet(paths["rave"], [spectra], metadata=about | {"release": "rave_dr5", "epoch": "2000.0"})
    write_parquet(paths["best_neighbour"], [neighbours], metadata=about)
    return list(paths.values())


def _as_archived(stars: pd.DataFrame) -> pd.DataFrame:
    """The archive counts longitudes from 0 to 360."""
    longitude = stars["l"].to_numpy()
    return stars.assign(l=np.where(longitude < 0.0, longitude + 360.0, longitude))[list(GAIA_COLUMNS)]
