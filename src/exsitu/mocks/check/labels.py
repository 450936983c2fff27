"""How the two definitions of an accreted star agree on a galaxy's particles, and how they do against its own truth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exsitu.labels.histories import (
    IN_SITU,
    MAX_DISTANCE_KPC,
    accreted_by_distance,
    formation_distance,
    host_by_history,
    label_overlap,
)
from exsitu.labels.snapshots import HistoryParticles, read_history_particles, read_snapshots

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LIMITS_KPC = {"m12i": 20.0, "m12f": 25.0}
"""Distance beyond which birth counts as ex situ (paper, Sec. 2.2)."""


def label_numbers(path: Path, galaxy: str) -> dict[str, float | None]:
    """
    Label the particles of a history by both definitions and compare.

    Parameters
    ----------
    path : Path
        A history (``docs/histories.md``); there need not be one.
    galaxy : str
        Name of the galaxy, which decides the limit in formation distance; 20 kpc for others than m12f.

    Returns
    -------
    dict of str to float or None
        By the names of `exsitu.mocks.check.claims`; empty without a history, and without the scores against the truth
        where the history has none.

    Raises
    ------
    InputError
        If the history cannot be read, or neither definition picks a particle.

    Notes
    -----
    Paper, Sec. 2.2: particles within 16 kpc today, each counted by the mass it stands for.
    """
    if not path.is_file():
        return {}
    found_by = labelled_particles(path, galaxy)
    overlap = label_overlap(found_by.history, found_by.distance, found_by.near, found_by.weight)
    found: dict[str, float | None] = {
        "overlap_both_percent": 100.0 * overlap.both,
        "overlap_distance_only_percent": 100.0 * overlap.distance_only,
        "overlap_history_only_percent": 100.0 * overlap.history_only,
    }
    if found_by.truth is not None:
        near, weight = found_by.near, found_by.weight
        truth = near & found_by.truth
        for name, label in (("history", near & found_by.history), ("distance", near & found_by.distance)):
            found[f"label_{name}_purity_percent"] = _percent(label & truth, label, weight)
            found[f"label_{name}_completeness_percent"] = _percent(label & truth, truth, weight)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class LabelledParticles:
    """
    Particles of a history, labelled by both definitions.

    Parameters
    ----------
    history, distance : ndarray of bool, shape (n_particles,)
        Accreted by merger history, by formation distance.
    near : ndarray of bool, shape (n_particles,)
        Within 16 kpc today: those that count.
    weight : ndarray, shape (n_particles,)
        Mass that each stands for, Msun.
    truth : ndarray of bool, shape (n_particles,), or None
        Accreted, as the generator knows it; None of a simulation.
    """

    history: Mask
    distance: Mask
    near: Mask
    weight: Floats
    truth: Mask | None


def labelled_particles(path: Path, galaxy: str) -> LabelledParticles:
    """
    Label the particles of a history by both definitions.

    Parameters
    ----------
    path : Path
        A history (``docs/histories.md``).
    galaxy : str
        As for `label_numbers`.

    Returns
    -------
    LabelledParticles

    Raises
    ------
    InputError
        If the history cannot be read.
    """
    particles = read_history_particles(path)
    return LabelledParticles(
        history=host_by_history(read_snapshots(path)) != IN_SITU,
        distance=accreted_by_distance(_born_at(path, particles), LIMITS_KPC.get(galaxy, LIMITS_KPC["m12i"])),
        near=_norm(particles.today_position) < MAX_DISTANCE_KPC,
        weight=particles.weight,
        truth=particles.accreted_truth,
    )


def _born_at(path: Path, particles: HistoryParticles) -> Floats:
    """Distances at birth, kpc; those the file does not state are taken at the first snapshot that has the particle."""
    distance = _norm(particles.formation_position)
    if np.isnan(distance).any():
        distance = np.where(np.isnan(distance), formation_distance(read_snapshots(path)), distance)
    return distance


def _norm(vectors: Floats) -> Floats:
    norm: Floats = np.sqrt(np.square(vectors).sum(axis=1))
    return norm


def _percent(part: Mask, whole: Mask, weight: Floats) -> float | None:
    total = float(weight[whole].sum())
    return 100.0 * float(weight[part].sum()) / total if total else None
