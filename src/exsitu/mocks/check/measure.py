"""The numbers of a mock survey that the paper gives too, measured in one pass over its files.

Only the stars with a radial velocity, and a thinned sample for the pictures, stay in memory.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from exsitu.errors import InputError
from exsitu.labels.histories import accreted_from_particles
from exsitu.labels.selections import select_v, select_vm, select_zm
from exsitu.mocks.check.claims import SCALED
from exsitu.mocks.check.reading import describe_survey, motions, stars_of, survey_path, thinning
from exsitu.phase_space import PhaseSpace, SolarFrame
from exsitu.provenance import read_json
from exsitu.samples import TRUTH, measured_phase_space
from exsitu.settings import Labels
from exsitu.surveys.ananke import read_particle_ids
from exsitu.surveys.mock_files import IDS, described_sun, uncut_path

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SELECTIONS = ("v", "vm", "zm")

# Numbers that are one of the others over another.
_RATIOS = {
    "accreted_with_rv_over_all": ("accreted_percent_with_rv", "accreted_percent"),
    "purity_vm_over_v": ("vm_purity_percent", "v_purity_percent"),
    "purity_zm_over_vm": ("zm_purity_percent", "vm_purity_percent"),
    "efficiency_accreted_zm_over_vm": ("zm_efficiency_accreted_percent", "vm_efficiency_accreted_percent"),
}

_SKY = ("ra", "dec", "l", "b", "parallax", "parallax_error", "pmra", "pmdec", "radial_velocity")
_LIGHT = ("phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag", "feh", "parentid")
_BRIGHT_G = 15.0
_G_EDGES = np.linspace(0.0, 25.0, 2501)
_KPC_EDGES = np.linspace(0.0, 20.0, 2001)
_PERCENTILES = (16, 50, 84)


@dataclass(frozen=True, slots=True)
class Measured:
    """
    What one mock survey shows.

    Parameters
    ----------
    numbers : mapping of str to float or None
        By the names of `exsitu.mocks.check.claims`; None where the survey cannot say.
    errors : mapping of str to float
        Standard errors of some of the numbers, from the stars and the particles they come from.
    counts : mapping of str to int
        Stars, and particles they come from: what the numbers rest on.
    about : mapping of str to str
        What the file says of itself.
    thinning : int
        Every so many-th in-situ star is in `stars`.
    stars : DataFrame
        These and all accreted stars: true places and motions, colours and magnitudes.
    spectra : DataFrame
        All stars with a radial velocity: measured velocities (km/s), ``accreted`` and the selections.
    """

    numbers: Mapping[str, float | None]
    errors: Mapping[str, float]
    counts: Mapping[str, int]
    about: Mapping[str, str]
    thinning: int
    stars: pd.DataFrame
    spectra: pd.DataFrame


class _Tally:
    """Counts that grow chunk by chunk; the first axis is (in situ, accreted), the second (without RV, with RV)."""

    def __init__(self, thinning: int) -> None:
        self.thinning = thinning
        self.rows = 0
        self.farthest = 0.0
        self.magnitudes = np.zeros((2, 2, len(_G_EDGES) - 1), np.int64)
        self.distances = np.zeros((2, len(_KPC_EDGES) - 1), np.int64)
        self.high: list[pd.DataFrame] = []
        self.stars: list[pd.DataFrame] = []
        self.spectra: list[pd.DataFrame] = []

    def add(self, chunk: pd.DataFrame, solar: SolarFrame, accreted: Mask, labels: Labels) -> None:
        """Count a chunk of stars and keep what is needed of them."""
        measured, places = measured_phase_space(chunk, solar), motions(chunk, solar)
        has_rv, distance = chunk["radial_velocity"].notna().to_numpy(), places["distance_kpc"].to_numpy()
        zm = select_zm(measured.z, chunk["feh"], labels.zm)
        magnitude = chunk["phot_g_mean_mag"].to_numpy(np.float64)
        for kind in (0, 1):
            mine = accreted == bool(kind)
            self.distances[kind] += np.histogram(distance[mine], _KPC_EDGES)[0]
            for seen in (0, 1):
                self.magnitudes[kind, seen] += np.histogram(magnitude[mine & (has_rv == bool(seen))], _G_EDGES)[0]
        self.farthest = max(self.farthest, float(distance.max(initial=0.0)))
        self.spectra.append(_spectra(measured, chunk, accreted, zm)[has_rv])
        thinned = (np.arange(self.rows, self.rows + len(chunk)) % self.thinning) == 0
        self.rows += len(chunk)
        drawn = places.assign(**_light(chunk, places["distance_kpc"]), accreted=accreted, zm=zm)
        self.high.append(drawn.loc[zm, ["accreted", "parentid", "zm"]])
        self.stars.append(drawn[accreted | thinned])


def _spectra(measured: PhaseSpace, chunk: pd.DataFrame, accreted: Mask, zm: Mask) -> pd.DataFrame:
    velocities = {name: getattr(measured, name).astype(np.float32) for name in ("v_x", "v_y", "v_z")}
    known = {"feh": chunk["feh"].to_numpy(np.float32), "parentid": chunk["parentid"].to_numpy()}
    return pd.DataFrame(velocities | known | {"accreted": accreted, "zm": zm})


def _light(chunk: pd.DataFrame, distance: "pd.Series[Any]") -> dict[str, Any]:
    """What else the pictures show of stars."""
    magnitude = chunk["phot_g_mean_mag"].to_numpy(np.float64)
    columns = {name: chunk[name].to_numpy(np.float32) for name in ("l", "b", "feh")}
    columns |= {
        "g": magnitude.astype(np.float32),
        "bp_rp": (chunk["phot_bp_mean_mag"] - chunk["phot_rp_mean_mag"]).to_numpy(np.float32),
        "absolute_g": (magnitude - 5.0 * np.log10(100.0 * distance.to_numpy(np.float64))).astype(np.float32),
    }
    return columns | {"has_rv": chunk["radial_velocity"].notna().to_numpy(), "parentid": chunk["parentid"].to_numpy()}


def measure(
    folder: Path,
    viewpoint: int,
    labels: Labels,
    *,
    max_fractional_parallax_error: float,
    seed: int,
    progress: bool = False,
) -> Measured:
    """
    Measure a mock survey.

    Parameters
    ----------
    folder : Path
        Folder of one galaxy, made or imported: ``lsr<N>.parquet``, ``accreted_particle_ids.npy`` and, where there is
        one, ``lsr<N>.uncut.json``.
    viewpoint : int
        Number of the viewpoint.
    labels : Labels
        Limits of the traditional selections.
    max_fractional_parallax_error : float
        The quality cut.
    seed : int
        Picks the stars the VM selection is fitted on.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Measured

    Raises
    ------
    InputError
        If a file is missing or cannot be read, or a kind of star is missing.
    """
    path = survey_path(folder, viewpoint)
    about, ids = describe_survey(path), read_particle_ids(folder / IDS)
    solar = described_sun(about)
    tally = _Tally(thinning(path))
    for chunk in stars_of(path, (*_SKY, *_LIGHT, *TRUTH), max_fractional_parallax_error, progress=progress):
        tally.add(chunk, solar, accreted_from_particles(chunk["parentid"], ids), labels)
    parts = (tally.stars, tally.spectra, tally.high)
    stars, spectra, high = (pd.concat(part, ignore_index=True) for part in parts)
    _require_both(path, spectra["accreted"].to_numpy(bool))
    spectra = _selected(spectra, labels, solar, seed)
    counts = tally.magnitudes.sum(axis=2)
    numbers = _population(tally) | _selections(spectra, high, counts.sum(axis=1)) | _quantiles(tally)
    numbers |= {name: _over(*(numbers[part] for part in parts)) for name, parts in _RATIOS.items()}
    return Measured(
        numbers=numbers | _scaler(uncut_path(path)),
        errors=_errors(numbers, spectra, stars, high, counts),
        counts={
            "stars": int(counts.sum()),
            "accreted stars": int(counts[1].sum()),
            "stars with RV": int(counts[:, 1].sum()),
            "accreted stars with RV": int(counts[1, 1]),
            "accreted particles they come from": int(stars.loc[stars["accreted"], "parentid"].nunique()),
        },
        about=about,
        thinning=tally.thinning,
        stars=stars,
        spectra=spectra,
    )


def _require_both(path: Path, accreted: Mask) -> None:
    for kind, number in (("accreted", int(accreted.sum())), ("in situ", int((~accreted).sum()))):
        if not number:
            raise InputError(
                f"{path} has no {kind} star with a radial velocity within the cut; at least one is needed: make a "
                f"survey of more stars, or check that {IDS} belongs to it"
            )


def _selected(spectra: pd.DataFrame, labels: Labels, solar: SolarFrame, seed: int) -> pd.DataFrame:
    """Add the selections that need a velocity; the local standard of rest moves as the viewpoint's Sun does."""
    velocities = [spectra[name].to_numpy() for name in ("v_x", "v_y", "v_z")]
    still = np.broadcast_to(np.float64(0.0), len(spectra))
    moving = PhaseSpace(still, still, still, *velocities)
    return spectra.assign(
        v=select_v(moving, solar.v_sun_kms[1]), vm=select_vm(moving, spectra["feh"], labels.vm, seed=seed)
    )


def _percent(part: float, whole: float) -> float | None:
    return 100.0 * float(part) / float(whole) if whole else None


def _over(a: float | None, b: float | None) -> float | None:
    return a / b if a is not None and b else None


def _population(tally: _Tally) -> dict[str, float | None]:
    """Shares of accreted stars, of stars with radial velocities and of bright ones."""
    counts = tally.magnitudes.sum(axis=2)
    bright = tally.magnitudes[:, :, : int(np.searchsorted(_G_EDGES, _BRIGHT_G))].sum(axis=(0, 2))
    with_rv = counts[:, 1].sum()
    return {
        "accreted_percent": _percent(counts[1].sum(), counts.sum()),
        "accreted_percent_with_rv": _percent(counts[1, 1], with_rv),
        "rv_percent": _percent(with_rv, counts.sum()),
        "g_below_15_over_rv": _over(float(bright.sum()), float(with_rv)),
        "g_below_15_percent": _percent(bright.sum(), counts.sum()),
        "rv_above_g15_percent": _percent(with_rv - bright[1], with_rv),
        "farthest_kpc": tally.farthest,
    }


def _performance(name: str, selected: Any, everyone: Any) -> dict[str, float | None]:
    """Purity and efficiencies (paper, eqs. 1 and 2) from numbers of (in situ, accreted) stars."""
    return {
        f"{name}_purity_percent": _percent(selected[1], selected[0] + selected[1]),
        f"{name}_efficiency_accreted_percent": _percent(selected[1], everyone[1]),
        f"{name}_efficiency_in_situ_percent": _percent(selected[0], everyone[0]),
    }


def _selections(spectra: pd.DataFrame, high: pd.DataFrame, everyone: NDArray[np.int64]) -> dict[str, float | None]:
    """Of V, VM and ZM on stars with radial velocities, and of ZM on all, `high` being what it selects."""
    accreted = spectra["accreted"].to_numpy(bool)
    with_rv = np.bincount(accreted, minlength=2)
    found: dict[str, float | None] = {}
    for name in SELECTIONS:
        selected = np.bincount(accreted[spectra[name].to_numpy(bool)], minlength=2)
        found |= _performance(_with_rv(name), selected, with_rv)
    found |= _performance("zm", np.bincount(high["accreted"], minlength=2), everyone)
    return found


def _with_rv(selection: str) -> str:
    """Name of a selection on stars with radial velocities; V and VM are made on no others."""
    return "zm_with_rv" if selection == "zm" else selection


def _errors(
    numbers: Mapping[str, float | None],
    spectra: pd.DataFrame,
    stars: pd.DataFrame,
    high: pd.DataFrame,
    counts: NDArray[np.int64],
) -> dict[str, float]:
    """Standard errors of shares; stars of one particle count as one draw."""
    accreted, in_situ = (spectra[spectra["accreted"] == kind] for kind in (True, False))
    debris = stars[stars["accreted"]]
    found = {
        "accreted_percent": _of_few(debris, counts.sum()),
        "accreted_percent_with_rv": _of_few(accreted, counts[:, 1].sum()),
        "zm_purity_percent": clustered_error(high["accreted"], high["parentid"]),
        "zm_efficiency_accreted_percent": clustered_error(debris["zm"], debris["parentid"]),
        "zm_efficiency_in_situ_percent": _of_few(high[~high["accreted"]], counts[0].sum()),
    }
    for name in SELECTIONS:
        selected = spectra[spectra[name]]
        found |= {
            f"{_with_rv(name)}_purity_percent": clustered_error(selected["accreted"], selected["parentid"]),
            f"{_with_rv(name)}_efficiency_accreted_percent": clustered_error(accreted[name], accreted["parentid"]),
            f"{_with_rv(name)}_efficiency_in_situ_percent": clustered_error(in_situ[name], in_situ["parentid"]),
        }
    for name, parts in _RATIOS.items():
        value, relative = numbers[name], [found[part] / (numbers[part] or np.inf) for part in parts]
        found[name] = math.hypot(*relative) * (value or 0.0)
    return found


def _of_few(members: pd.DataFrame, everyone: int) -> float:
    """Standard error, percent, of the share of stars that are few among all."""
    sizes = np.unique(members["parentid"], return_counts=True)[1].astype(np.float64)
    return 100.0 * float(np.sqrt(np.square(sizes).sum())) / everyone


def clustered_error(chosen: ArrayLike, parents: ArrayLike) -> float:
    """
    Standard error of the share of stars that are chosen, where stars come in groups.

    Parameters
    ----------
    chosen : array_like of bool, shape (n_stars,)
        Which are.
    parents : array_like of int, shape (n_stars,)
        Group of each star: its particle.

    Returns
    -------
    float
        Percent; 0 of no star.

    Notes
    -----
    Of the ratio of the sums over groups, linearised (Cochran 1977, eq. 6.13, for few of many groups).
    """
    members = np.asarray(chosen, bool)
    if not members.size:
        return 0.0
    group = np.unique(parents, return_inverse=True)[1]
    excess = np.bincount(group, weights=members - members.mean())
    return 100.0 * float(np.sqrt(np.square(excess).sum())) / members.size


def _quantiles(tally: _Tally) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for kind, name in enumerate(("in_situ", "accreted")):
        for percent in _PERCENTILES:
            magnitudes = tally.magnitudes[kind].sum(axis=0)
            found[f"g_{name}_p{percent}_mag"] = quantile(magnitudes, _G_EDGES, percent)
            found[f"distance_{name}_p{percent}_kpc"] = quantile(tally.distances[kind], _KPC_EDGES, percent)
    return found


def quantile(histogram: NDArray[np.int64], edges: Floats, percent: float) -> float | None:
    """
    Percentile of binned values.

    Parameters
    ----------
    histogram : ndarray of int, shape (n_bins,)
        Values in each bin.
    edges : ndarray, shape (n_bins + 1,)
        Their edges.
    percent : float
        From 0 to 100.

    Returns
    -------
    float or None
        Exact to a bin's width; None where there is no value.
    """
    below = np.concatenate([[0], np.cumsum(histogram)])
    return float(np.interp(percent / 100.0 * below[-1], below, edges)) if below[-1] else None


def _scaler(path: Path) -> dict[str, float | None]:
    """Means and standard deviations of all stars with G < 21, where they were recorded."""
    columns = read_json(path)["columns"] if path.is_file() else {}
    found: dict[str, float | None] = {}
    for name, unit, column, _, _ in SCALED:
        said = columns.get(column, {})
        found |= {f"scaler_{name}_mean_{unit}": said.get("mean"), f"scaler_{name}_sigma_{unit}": said.get("std")}
    return found
