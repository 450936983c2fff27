"""The two definitions of an accreted star are compared as the paper does it."""

import numpy as np
import pytest

from exsitu.labels.histories import Halos, Snapshot
from exsitu.labels.snapshots import HistoryHeader, HistoryParticles, write_snapshots
from exsitu.mocks.check.labels import label_numbers

# Particle by particle: in the satellite, born at this distance (kpc), today at that one, mass it stands for, truth.
IN_SATELLITE = np.array([True, True, True, False, False, False, True])
BORN_KPC = np.array([40.0, 40.0, 10.0, 22.0, 5.0, 5.0, 40.0])
TODAY_KPC = np.array([8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 17.0])
WEIGHT = np.array([1.0, 2.0, 1.0, 4.0, 10.0, 10.0, 100.0])
TRUTH = np.array([True, True, True, False, True, False, True])


def along_x(distance):
    return np.stack([distance, np.zeros(len(distance)), np.zeros(len(distance))], axis=1)


def write_history(path, *, truth=TRUTH, born_at=BORN_KPC):
    n = len(TRUTH)
    place = along_x(np.where(IN_SATELLITE, 60.0, 5.0))
    halo = Halos(np.array([3]), along_x(np.array([60.0])), np.zeros((1, 3)), np.array([9.0]), np.array([30.0]))

    def snapshots():
        for lookback in (4.0, 3.0, 2.0, 1.0):
            yield Snapshot(lookback, place, np.zeros((n, 3)), np.ones(n, bool), halo)

    particles = HistoryParticles(
        ids=np.arange(n),
        formation_lookback_gyr=np.full(n, 5.0),
        formation_position=along_x(born_at),
        today_position=along_x(TODAY_KPC),
        weight=WEIGHT,
        accreted_truth=truth,
    )
    write_snapshots(path, HistoryHeader("m12i"), particles, snapshots())
    return path


def test_shares_are_of_the_mass_within_16_kpc_that_either_definition_picks(tmp_path):
    found = label_numbers(write_history(tmp_path / "h.hdf5"), "m12i")
    assert found["overlap_both_percent"] == pytest.approx(100 * 3 / 8)
    assert found["overlap_distance_only_percent"] == pytest.approx(100 * 4 / 8)
    assert found["overlap_history_only_percent"] == pytest.approx(100 * 1 / 8)


def test_each_definition_is_scored_against_the_truth(tmp_path):
    found = label_numbers(write_history(tmp_path / "h.hdf5"), "m12i")
    assert found["label_history_purity_percent"] == pytest.approx(100.0)
    assert found["label_history_completeness_percent"] == pytest.approx(100 * 4 / 14)
    assert found["label_distance_purity_percent"] == pytest.approx(100 * 3 / 7)
    assert found["label_distance_completeness_percent"] == pytest.approx(100 * 3 / 14)


def test_m12f_asks_for_a_larger_distance(tmp_path):
    found = label_numbers(write_history(tmp_path / "h.hdf5"), "m12f")
    assert found["overlap_distance_only_percent"] == 0.0


def test_a_simulation_without_truth_has_no_score(tmp_path):
    found = label_numbers(write_history(tmp_path / "h.hdf5", truth=None), "m12i")
    assert found["overlap_both_percent"] is not None
    assert "label_history_purity_percent" not in found


def test_a_birthplace_the_file_does_not_state_is_taken_from_the_first_snapshot(tmp_path):
    unknown = np.where(IN_SATELLITE, np.nan, BORN_KPC)
    found = label_numbers(write_history(tmp_path / "h.hdf5", born_at=unknown), "m12i")
    assert found["overlap_history_only_percent"] == 0.0


def test_without_a_history_there_is_nothing_to_say(tmp_path):
    assert label_numbers(tmp_path / "none.hdf5", "m12i") == {}
