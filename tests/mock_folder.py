"""A mock survey small and plain enough that its numbers can be counted by hand."""

from pathlib import Path

import numpy as np
import pandas as pd

from exsitu.phase_space import ICRS_TO_GALACTIC as TO_GALACTIC
from exsitu.phase_space import PhaseSpace, frame, icrs_to_galactic, observables
from exsitu.surveys.mock_files import Moments, describe_view, uncut_path, write_particle_ids, write_uncut
from exsitu.tables import write_parquet

STARS, ACCRETED, A_PARTICLE = 4000, 200, 5
FIRST_ACCRETED = STARS // A_PARTICLE


def stars(seed: int = 1, viewpoint: int = 0) -> pd.DataFrame:
    """In-situ stars in a disc, then accreted ones in a halo, five a particle; observed without error."""
    rng = np.random.default_rng(seed)
    n = STARS + ACCRETED
    old = np.arange(n) >= STARS
    sun = frame(f"m12i/lsr{viewpoint}")
    place = np.where(old[:, None], rng.normal(0.0, 1.2, (n, 3)), rng.normal(0.0, (1.0, 1.0, 0.25), (n, 3)))
    motion = np.where(
        old[:, None],
        rng.normal((0.0, 0.0, 0.0), (140.0, 100.0, 100.0), (n, 3)),
        rng.normal((0.0, 205.0, 0.0), (40.0, 30.0, 25.0), (n, 3)),
    )
    place = np.clip(place, -2.5, 2.5)
    seen = observables(PhaseSpace(*(place + sun.position).T, *motion.T), sun)
    longitude, latitude = icrs_to_galactic(seen.ra, seen.dec)
    galactic = [np.radians(longitude), np.radians(latitude)]
    direction = [np.cos(galactic[1]) * np.cos(galactic[0]), np.cos(galactic[1]) * np.sin(galactic[0])]
    direction.append(np.sin(galactic[1]))
    truth = {f"p{a}_true": seen.distance_kpc * d for a, d in zip("xyz", direction, strict=True)}
    relative = (motion - np.array(sun.v_sun_kms)) @ sun.matrix @ TO_GALACTIC.T
    truth |= {f"v{a}_true": relative[:, i] for i, a in enumerate("xyz")}
    magnitude = rng.uniform(10.0, 20.0, n)
    bright = magnitude < 14.0
    return pd.DataFrame(
        {
            "source_id": np.arange(n, dtype=np.int64),
            "parentid": np.arange(n, dtype=np.int64) // A_PARTICLE,
            "ra": seen.ra,
            "dec": seen.dec,
            "l": longitude,
            "b": latitude,
            "parallax": 1.0 / seen.distance_kpc,
            "parallax_error": 0.02 / seen.distance_kpc,
            "pmra": seen.pmra,
            "pmdec": seen.pmdec,
            "radial_velocity": np.where(bright, seen.radial_velocity, np.nan),
            "feh": np.where(old, rng.normal(-1.4, 0.3, n), rng.normal(-0.3, 0.3, n)),
            "phot_g_mean_mag": magnitude,
            "phot_bp_mean_mag": magnitude + 0.5,
            "phot_rp_mean_mag": magnitude - 0.6,
            **truth,
        }
    )


def write_mock(folder: Path, *, seed: int = 1, viewpoints: tuple[int, ...] = (0,), galaxy: str = "m12i") -> Path:
    """A folder as an import leaves it."""
    for viewpoint in viewpoints:
        table = stars(seed + 100 * viewpoint, viewpoint).sample(frac=1.0, random_state=seed)
        path, moments = folder / f"lsr{viewpoint}.parquet", Moments()
        moments.add(table)
        sun = frame(f"m12i/lsr{viewpoint}")
        write_parquet(path, [table], metadata=describe_view(galaxy, viewpoint, sun))
        write_uncut(uncut_path(path), f"{galaxy}/lsr{viewpoint}", len(table), moments)
    write_particle_ids(folder, np.arange(FIRST_ACCRETED, FIRST_ACCRETED + ACCRETED // A_PARTICLE))
    return folder
