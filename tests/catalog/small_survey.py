"""A survey of a few hundred stars and a scorer that needs no network; run as a program, a release that is killed."""

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd

from exsitu.phase_space import icrs_to_galactic

FIRST_ID = 2**60 + 1
WEIGHTS = "5" * 64
CUT = 0.9
CHAMPION = {
    "name": "exsitu",
    "version": 3,
    "run_id": "run-of-the-champion",
    "variant": "zm_last",
    "cut": CUT,
    "weights_sha256": WEIGHTS,
    "model_digest": "6" * 64,
    "data_digest": "7" * 64,
    "promoted": {"git_revision": "8" * 40, "code_digest": "9" * 64},
    "evaluation": {"purity": 0.41, "efficiency_accreted": 0.47, "passed": True},
}


def stars(rows=400, seed=0):
    """Stars in the registry's types: two in three well measured, some without parallax, most without velocity."""
    rng = np.random.default_rng(seed)
    parallax = rng.uniform(0.5, 2.0, rows)
    parallax[::20] = np.nan
    parallax[1::20] = -0.5
    ra, dec = rng.uniform(0.0, 360.0, rows), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, rows)))
    longitude, latitude = icrs_to_galactic(ra, dec)
    velocity = np.where(rng.random(rows) < 0.2, rng.normal(0.0, 100.0, rows), np.nan)
    frame = pd.DataFrame(
        {
            "source_id": FIRST_ID + rng.permutation(rows).astype(np.int64),
            "ra": ra,
            "dec": dec,
            "l": longitude,
            "b": latitude,
            "parallax": parallax,
            "parallax_error": np.where(rng.random(rows) < 0.7, 0.02, 0.3),
            "pmra": rng.normal(0.0, 10.0, rows),
            "pmra_error": rng.uniform(0.01, 0.1, rows).astype(np.float32),
            "pmdec": rng.normal(0.0, 10.0, rows),
            "pmdec_error": rng.uniform(0.01, 0.1, rows).astype(np.float32),
            "radial_velocity": velocity,
            "radial_velocity_error": np.where(np.isnan(velocity), np.nan, 1.5).astype(np.float32),
            "phot_g_mean_mag": rng.uniform(8.0, 17.0, rows).astype(np.float32),
            "ra_error": rng.uniform(0.01, 0.1, rows).astype(np.float32),
        }
    )
    frame.loc[7::50, "pmra"] = np.nan
    return frame


def chunks(frame, rows=150):
    """The survey in pieces."""
    return (frame.iloc[start : start + rows].copy() for start in range(0, len(frame), rows))


class ScoreOfPosition:
    """Scores like the real scorer, but by the position on the sky."""

    card = SimpleNamespace(weights_sha256=WEIGHTS, digest="6" * 64, inputs=("l", "b"), learnt_on={})

    def score(self, frame):
        parallax, error = frame["parallax"].to_numpy(), frame["parallax_error"].to_numpy()
        finite = np.isfinite(parallax)
        passing = finite & (parallax > 0) & (error < 0.1 * parallax)
        flags = np.where(finite, np.where(passing, 0, 2), 1).astype(np.int32)
        flags[passing & frame["pmra"].isna().to_numpy()] |= 1
        flags[passing & (frame["dec"].to_numpy() > 60.0)] |= 4
        score = np.where(passing & ((flags & 1) == 0), frame["ra"].to_numpy() / 360.0, np.nan)
        return pd.DataFrame({"score": score.astype(np.float32), "flags": flags}, index=frame.index)


def inputs(**changes):
    """Inputs of a release of the survey."""
    from exsitu.catalog.release import ReleaseInputs

    told = {
        "survey": "standin",
        "data_release": "gaia_dr2",
        "survey_digest": "a" * 64,
        "champion": CHAMPION,
        "cut": CUT,
        "max_fractional_parallax_error": 0.1,
        "provenance": {"profile": "quick"},
    }
    return ReleaseInputs(**{**told, **changes})


def build(
    releases, suites, *, version="standin-1", frames=None, scorer=None, allow_empty=False, allow_doubts=False, **changes
):
    """Release the survey."""
    from exsitu.catalog.release import build_release

    return build_release(
        inputs(**changes),
        chunks(stars()) if frames is None else frames,
        scorer or ScoreOfPosition(),
        releases=releases,
        version=version,
        suites=suites,
        reports=releases.parent / "reports",
        allow_empty=allow_empty,
        allow_doubts=allow_doubts,
        progress=False,
    )


def _kill(*_arguments, **_keywords):
    os.kill(os.getpid(), signal.SIGKILL)


def _killing_frames():
    yield from chunks(stars())
    _kill()


def die_while_building(releases, suites, moment):
    """Start a release and be killed at a moment of it."""
    if moment == "scoring":
        build(releases, suites, frames=_killing_frames())
    else:
        with patch(moment, side_effect=_kill):
            build(releases, suites)


if __name__ == "__main__":
    die_while_building(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
