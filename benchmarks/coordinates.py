"""Coordinates in CPU-seconds: the compiled path beside astropy's frames, in turns, each figure the median of five."""

import functools
import json
from typing import Any

import numpy as np
from figures import in_turns, row
from numpy.typing import NDArray

from exsitu import phase_space
from exsitu.coordinates import Astrometry, kinematics, propagate

STARS = 1_000_000
CURVE = (100_000, 1_000_000, 10_000_000)
DRAWS, DRAWN = 100, 20_000
SOLAR = phase_space.frame("milky_way")

Columns = tuple[NDArray[np.float64], ...]


def stars(n: int) -> Columns:
    """Stars all over the sky: ra, dec, distance, pmra, pmdec, radial velocity."""
    rng = np.random.default_rng(1)
    dec = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n)))
    motions = (rng.normal(0.0, scale, n) for scale in (10.0, 10.0, 100.0))
    return (rng.uniform(0.0, 360.0, n), dec, rng.uniform(0.1, 5.0, n), *motions)


def with_astropy(columns: Columns) -> Columns:
    """The ten quantities of `Kinematics`, from astropy's frames."""
    from astropy import units as u
    from astropy.coordinates import CartesianDifferential, Galactocentric, SkyCoord

    ra, dec, distance, pmra, pmdec, velocity = columns
    masyr, kms = u.mas / u.yr, u.km / u.s
    frame = Galactocentric(
        galcen_coord=SkyCoord(ra=266.4051 * u.deg, dec=-28.936175 * u.deg, frame="icrs"),
        galcen_distance=SOLAR.r_sun_kpc * u.kpc,
        z_sun=SOLAR.z_sun_kpc * u.kpc,
        galcen_v_sun=CartesianDifferential(np.array(SOLAR.v_sun_kms) * kms),
    )
    seen = SkyCoord(
        ra=ra * u.deg, dec=dec * u.deg, distance=distance * u.kpc, pm_ra_cosdec=pmra * masyr, pm_dec=pmdec * masyr,
        radial_velocity=velocity * kms, frame="icrs",
    )  # fmt: skip
    place, sky = seen.transform_to(frame), seen.galactic
    turning = place.cylindrical
    motion = turning.differentials["s"]
    return (
        place.x.to_value(u.kpc),
        place.y.to_value(u.kpc),
        place.z.to_value(u.kpc),
        motion.d_rho.to_value(kms),
        -(turning.rho * motion.d_phi).to_value(kms, u.dimensionless_angles()),
        motion.d_z.to_value(kms),
        sky.l.wrap_at(180.0 * u.deg).deg,
        sky.b.deg,
        sky.pm_l_cosb.to_value(masyr),
        sky.pm_b.to_value(masyr),
    )


def difference(columns: Columns) -> float:
    """Largest difference to astropy, relative to each quantity's largest value."""
    ours = kinematics(*columns, SOLAR)
    return max(
        float(np.abs(getattr(ours, name) - theirs).max() / np.abs(theirs).max())
        for name, theirs in zip(ours.__slots__, with_astropy(columns), strict=True)
    )


def measured(n: int) -> Astrometry:
    """Stars with errors of a twentieth of the parallax, correlated."""
    ra, dec, distance, pmra, pmdec, velocity = stars(n)
    return Astrometry(ra, dec, 1.0 / distance, 0.05 / distance, pmra, 0.1, pmdec, 0.1, velocity, 1.0, 0.3, -0.2, 0.1)


def measure() -> list[dict[str, Any]]:
    """All figures of coordinates."""
    columns = {n: stars(n) for n in CURVE}
    million, drawn = columns[STARS], measured(DRAWN)
    spent = in_turns(
        {
            "ours": lambda: kinematics(*million, SOLAR),
            "numpy": lambda: phase_space.galactocentric(*million, SOLAR),
            "astropy": lambda: with_astropy(million),
            "propagate": lambda: propagate(drawn, SOLAR, draws=DRAWS, seed=1),
        }
    )
    by_size = in_turns({str(n): functools.partial(kinematics, *columns[n], SOLAR) for n in CURVE})
    cost = {n: by_size[str(n)] / n * 1e6 for n in CURVE}
    unit = "CPU-s / M stars"
    return [
        row("coordinates, compiled", spent["ours"], unit, limit=spent["astropy"], target=8.0, smaller=True),
        row("coordinates, step by step (half of them)", spent["numpy"], unit, limit=spent["astropy"], smaller=True),
        row(
            "coordinates, largest relative difference to astropy",
            difference(columns[CURVE[0]]),
            "",
            limit=1e-10,
            target=1.0,
            smaller=True,
        ),
        *(
            row(f"coordinates of {n:,} stars", cost[n], unit, limit=cost[CURVE[0]], target=0.9, smaller=True)
            for n in CURVE
        ),
        row("velocities over draws of the errors", spent["propagate"] / (DRAWN * DRAWS) * 1e6, "CPU-s / M draws"),
    ]


def main() -> None:
    """Print the figures."""
    for figure in measure():
        print(json.dumps(figure))


if __name__ == "__main__":
    main()
