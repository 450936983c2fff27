"""A mock's numbers are those that counting its stars by hand gives."""

import numpy as np
import pandas as pd
import pytest
from mock_folder import ACCRETED, FIRST_ACCRETED, STARS, write_mock
from mock_folder import stars as small_stars

from exsitu.errors import InputError
from exsitu.labels.selections import select_v
from exsitu.mocks.check import reading
from exsitu.mocks.check.claims import claims_of
from exsitu.mocks.check.measure import Measured, clustered_error, measure, quantile
from exsitu.phase_space import frame
from exsitu.samples import true_phase_space
from exsitu.settings import load_settings
from exsitu.surveys.mock_files import IDS, write_particle_ids
from exsitu.tables import read_parquet, write_parquet


@pytest.fixture(scope="module")
def labels(repository):
    return load_settings(repository / "params.yaml").labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_mock(tmp_path_factory.mktemp("mock") / "m12i", viewpoints=(0, 1))


@pytest.fixture(scope="module")
def found(folder, labels) -> Measured:
    return measure(folder, 0, labels, max_fractional_parallax_error=0.1, seed=1)


@pytest.fixture(scope="module")
def by_hand():
    table = small_stars()
    accreted = np.arange(len(table)) >= STARS
    return table, accreted, table["radial_velocity"].notna().to_numpy()


def share(part, whole):
    return 100.0 * np.count_nonzero(part & whole) / np.count_nonzero(whole)


def test_shares_of_kinds_of_stars(found, by_hand):
    table, accreted, rv = by_hand
    everyone = np.ones(len(table), bool)
    expected = {
        "accreted_percent": 100.0 * ACCRETED / (STARS + ACCRETED),
        "accreted_percent_with_rv": share(accreted, rv),
        "rv_percent": share(rv, everyone),
        "g_below_15_percent": share(table["phot_g_mean_mag"].to_numpy() < 15.0, everyone),
        "rv_above_g15_percent": 0.0,
    }
    assert {name: found.numbers[name] for name in expected} == pytest.approx(expected)
    assert found.numbers["accreted_with_rv_over_all"] == pytest.approx(
        expected["accreted_percent_with_rv"] / expected["accreted_percent"]
    )
    distance = np.sqrt(sum(table[f"p{a}_true"] ** 2 for a in "xyz"))
    assert found.numbers["farthest_kpc"] == pytest.approx(distance.max(), rel=1e-6)


def test_every_number_of_the_check_has_its_claim(found):
    assert set(found.numbers) | set(found.errors) <= {c.name for c in claims_of("m12i")}


def test_v_is_judged_on_stars_with_radial_velocities_against_the_viewpoint_s_sun(found, by_hand):
    table, accreted, rv = by_hand
    sun = frame("m12i/lsr0")
    selected = select_v(true_phase_space(table, sun), sun.v_sun_kms[1]) & rv
    assert found.numbers["v_purity_percent"] == pytest.approx(share(accreted, selected))
    assert found.numbers["v_efficiency_accreted_percent"] == pytest.approx(share(selected, accreted & rv))
    assert found.numbers["v_efficiency_in_situ_percent"] == pytest.approx(share(selected, ~accreted & rv))


def test_zm_is_judged_on_all_stars_and_on_those_with_radial_velocities(found, by_hand):
    table, accreted, rv = by_hand
    high = np.abs(true_phase_space(table, frame("m12i/lsr0")).z) > 1.5
    selected = high & (table["feh"].to_numpy() < -1.5)
    assert found.numbers["zm_purity_percent"] == pytest.approx(share(accreted, selected))
    assert found.numbers["zm_efficiency_accreted_percent"] == pytest.approx(share(selected, accreted))
    assert found.numbers["zm_with_rv_efficiency_accreted_percent"] == pytest.approx(share(selected & rv, accreted & rv))


def test_vm_tells_a_halo_from_a_disc(found):
    assert found.numbers["vm_purity_percent"] > 80.0
    assert found.numbers["vm_efficiency_accreted_percent"] > 60.0
    assert found.numbers["purity_vm_over_v"] == pytest.approx(
        found.numbers["vm_purity_percent"] / found.numbers["v_purity_percent"]
    )


def test_percentiles_are_exact_to_a_bin(found, by_hand):
    table, accreted, _ = by_hand
    for percent in (16, 50, 84):
        g = np.percentile(table["phot_g_mean_mag"][accreted], percent)
        assert found.numbers[f"g_accreted_p{percent}_mag"] == pytest.approx(g, abs=0.06)


def test_the_scaler_s_numbers_are_those_of_the_uncut_stars(found, by_hand):
    table = by_hand[0]
    assert found.numbers["scaler_parallax_mean_mas"] == pytest.approx(table["parallax"].mean())
    assert found.numbers["scaler_rv_sigma_kms"] == pytest.approx(table["radial_velocity"].std(ddof=0))


def test_without_the_uncut_stars_the_scaler_is_not_available(folder, labels, tmp_path):
    for name in ("lsr0.parquet", IDS):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    numbers = measure(tmp_path, 0, labels, max_fractional_parallax_error=0.1, seed=1).numbers
    assert numbers["scaler_feh_mean_dex"] is None
    assert numbers["v_purity_percent"] is not None


def test_stars_beyond_the_cut_do_not_count(folder, labels, tmp_path):
    table = read_parquet(folder / "lsr0.parquet")
    worse = table.assign(parallax_error=0.2 * table["parallax"], source_id=table["source_id"] + 10_000)
    about = reading.describe_survey(folder / "lsr0.parquet")
    write_parquet(tmp_path / "lsr0.parquet", [pd.concat([table, worse])], metadata=about)
    write_particle_ids(tmp_path, np.arange(FIRST_ACCRETED, FIRST_ACCRETED + 40))
    assert measure(tmp_path, 0, labels, max_fractional_parallax_error=0.1, seed=1).counts["stars"] == len(table)


def test_counts_say_what_the_numbers_rest_on(found, by_hand):
    _, accreted, rv = by_hand
    assert found.counts == {
        "stars": STARS + ACCRETED,
        "accreted stars": ACCRETED,
        "stars with RV": rv.sum(),
        "accreted stars with RV": (accreted & rv).sum(),
        "accreted particles they come from": ACCRETED // 5,
    }


def test_all_accreted_stars_and_some_in_situ_ones_are_kept_for_pictures(folder, labels, monkeypatch):
    monkeypatch.setattr(reading, "DRAWN", 1000)
    kept = measure(folder, 0, labels, max_fractional_parallax_error=0.1, seed=1)
    assert kept.thinning == 4
    assert kept.stars["accreted"].sum() == ACCRETED
    assert (~kept.stars["accreted"]).sum() == pytest.approx(STARS / 4, rel=0.02)


def test_measured_velocities_without_errors_are_the_true_ones(found, by_hand):
    table, _, rv = by_hand
    true = np.sort(true_phase_space(table, frame("m12i/lsr0")).v_y[rv])
    np.testing.assert_allclose(np.sort(found.spectra["v_y"]), true, atol=1e-3)


def test_ids_of_another_galaxy_are_refused(folder, labels, tmp_path):
    (tmp_path / "lsr0.parquet").write_bytes((folder / "lsr0.parquet").read_bytes())
    write_particle_ids(tmp_path, np.array([10**9]))
    with pytest.raises(InputError, match="no accreted star with a radial velocity"):
        measure(tmp_path, 0, labels, max_fractional_parallax_error=0.1, seed=1)


def test_a_missing_viewpoint_says_what_to_run(folder, labels):
    with pytest.raises(InputError, match="exsitu mocks make"):
        measure(folder, 7, labels, max_fractional_parallax_error=0.1, seed=1)


def test_stars_of_one_particle_count_as_one_draw():
    rng = np.random.default_rng(0)
    chosen = rng.random(2000) < 0.3
    alone = clustered_error(chosen, np.arange(2000))
    assert alone == pytest.approx(100.0 * np.sqrt(0.3 * 0.7 / 2000), rel=0.05)
    assert clustered_error(np.repeat(chosen, 9), np.repeat(np.arange(2000), 9)) == pytest.approx(alone)
    assert clustered_error([], []) == 0.0


def test_the_error_of_a_share_is_its_scatter_between_galaxies():
    rng = np.random.default_rng(1)
    shares, errors = [], []
    for _ in range(300):
        sizes = rng.integers(1, 12, 200)
        kind = np.repeat(rng.random(200) < 0.2, sizes)
        shares.append(100.0 * kind.mean())
        errors.append(clustered_error(kind, np.repeat(np.arange(200), sizes)))
    assert np.mean(errors) == pytest.approx(np.std(shares), rel=0.15)


def test_the_quantile_of_nothing_is_none():
    edges = np.linspace(0.0, 1.0, 11)
    assert quantile(np.zeros(10, np.int64), edges, 50) is None
    assert quantile(np.ones(10, np.int64), edges, 50) == pytest.approx(0.5)


def test_viewpoints_of_a_folder_are_found_in_order_and_strangers_left_out(folder, tmp_path):
    assert reading.viewpoints_in(folder) == [0, 1]
    for name in ("lsr2.parquet", "lsr10.parquet", "lsr1.uncut.json", "lsrx.parquet"):
        (tmp_path / name).touch()
    assert reading.viewpoints_in(tmp_path) == [2, 10]


def test_looking_around_gives_in_situ_stars_and_counts_the_accreted_ones(folder):
    around, accreted, everyone = reading.look_around(folder, 1, 0.1, progress=False)
    assert (accreted, everyone) == (ACCRETED, STARS + ACCRETED)
    assert len(around) == STARS
    assert around["v_phi"].mean() == pytest.approx(203.0, abs=5.0)


def test_surveys_of_other_seeds_have_no_star_in_common(folder, tmp_path):
    other = write_mock(tmp_path / "m12i", seed=2)
    assert reading.percent_in_common(folder / "lsr0.parquet", other / "lsr0.parquet") == 0.0
    assert reading.percent_in_common(folder / "lsr0.parquet", folder / "lsr0.parquet") == 100.0
