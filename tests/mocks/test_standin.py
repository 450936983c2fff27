"""The stand-in for the Milky Way, as files."""

import numpy as np
import pytest

from exsitu.columns import column
from exsitu.errors import InputError
from exsitu.mocks import sampling
from exsitu.mocks.spectra import in_fields
from exsitu.mocks.standin import GAIA_COLUMNS, TRUTH_COLUMNS, make_standin
from exsitu.provenance import sha256_tree
from exsitu.settings import MilkyWay, Mocks
from exsitu.tables import read_parquet

MOCKS = Mocks(
    source="builtin",
    stars_per_viewpoint=20_000,
    particle_mass_msun=2.0e5,
    accreted_particle_mass_msun=4.0e5,
    error_profile="ananke",
)
STANDIN = MilkyWay(source="standin", gaia_stars=20_000, spectroscopic_stars=4_000)

ARCHIVE = [
    "source_id", "random_index", "ra", "ra_error", "dec", "dec_error", "parallax", "parallax_error",
    "parallax_over_error", "pmra", "pmra_error", "pmdec", "pmdec_error",
    "ra_dec_corr", "ra_parallax_corr", "ra_pmra_corr", "ra_pmdec_corr", "dec_parallax_corr", "dec_pmra_corr",
    "dec_pmdec_corr", "parallax_pmra_corr", "parallax_pmdec_corr", "pmra_pmdec_corr",
    "phot_g_mean_mag", "phot_bp_mean_mag", "phot_rp_mean_mag", "radial_velocity", "radial_velocity_error", "l", "b",
]  # fmt: skip
"""Of gaiadr2.gaia_source, in its order."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Folder in which the galaxy's particles are kept from test to test."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def standin(tmp_path_factory, kept):
    """The stand-in's four tables."""
    folder = tmp_path_factory.mktemp("standin")
    paths = make_standin(folder, STANDIN, MOCKS, seed=3, progress=False, kept=kept)
    return {path.stem: read_parquet(path) for path in paths}


def test_the_gaia_table_has_names_and_order_of_the_archive_and_nothing_else(standin):
    assert list(standin["gaia"].columns) == ARCHIVE
    assert list(GAIA_COLUMNS) == ARCHIVE


def test_the_gaia_table_has_units_and_order_of_a_file_of_the_archive(standin, real_data):
    import astropy.units as u
    from astropy.io import fits

    with fits.open(real_data / "gaia_dr2_gaia_source_1000.fits") as file:
        units = {c.name: c.unit for c in file[1].columns}
        kinds = {name: file[1].data.dtype[name].newbyteorder("=") for name in GAIA_COLUMNS}
    assert [name for name in units if name in GAIA_COLUMNS] == list(GAIA_COLUMNS)
    for name in GAIA_COLUMNS:
        assert u.Unit(column(name).unit or "") == u.Unit(units[name] or ""), name
        # Floats may be wider or narrower than the archive's, never of another kind.
        assert standin["gaia"][name].dtype.kind == kinds[name].kind, name


def test_the_standins_gaia_table_has_the_archives_columns_and_no_truth(standin):
    gaia = standin["gaia"]
    assert tuple(gaia.columns) == GAIA_COLUMNS
    assert not {"feh", "parentid", "accreted", "px_true", "age"} & set(gaia.columns)
    assert gaia["source_id"].is_unique
    assert gaia["l"].between(0.0, 360.0).all()


def test_the_standin_has_stars_within_the_cut_and_a_share_beyond_it(standin):
    gaia = standin["gaia"]
    within = (gaia["parallax"] > 0) & (gaia["parallax_error"] < 0.1 * gaia["parallax"])
    assert within.sum() == pytest.approx(STANDIN.gaia_stars, rel=0.06)
    assert 0.15 < 1.0 - within.mean() < 0.4
    assert (gaia["parallax"] < 0).any()


def test_spectra_are_of_gaia_stars_in_the_southern_fields(standin):
    rave, neighbours, gaia = standin["rave"], standin["best_neighbour"], standin["gaia"]
    assert len(rave) == pytest.approx(STANDIN.spectroscopic_stars, rel=0.08)
    assert rave["dec"].max() < 3.0
    assert neighbours["source_id"].isin(gaia["source_id"]).all()
    assert neighbours["original_ext_source_id"].isin(rave["original_ext_source_id"]).all()
    assert rave["original_ext_source_id"].is_unique


def test_the_truth_is_apart_and_complete(standin):
    truth, gaia = standin["truth"], standin["gaia"]
    np.testing.assert_array_equal(truth["source_id"], gaia["source_id"])
    assert truth["accreted"].dtype == bool
    assert 0.001 < truth["accreted"].mean() < 0.03
    distance = np.sqrt(truth["px_true"] ** 2 + truth["py_true"] ** 2 + truth["pz_true"] ** 2)
    pull = (gaia["parallax"] - 1.0 / distance) / gaia["parallax_error"]
    assert pull.abs().median() < 0.9


def test_more_spectra_than_stars_are_refused(tmp_path):
    greedy = MilkyWay(source="standin", gaia_stars=100, spectroscopic_stars=90)
    with pytest.raises(InputError, match="spectroscopic_stars = 90"):
        make_standin(tmp_path, greedy, MOCKS, seed=1, progress=False)


def test_memory_holds_one_chunk_and_the_order_is_random_throughout(kept, tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "CHUNK", 20_000)
    sizes: list[int] = []
    plain = sampling.measure
    monkeypatch.setattr(sampling, "measure", lambda *args: sizes.append(len(args[1])) or plain(*args))
    paths = make_standin(tmp_path, STANDIN, MOCKS, seed=3, progress=False, kept=kept)
    assert max(sizes) == pytest.approx(40_000, rel=0.03)  # of the trials
    gaia, truth = read_parquet(paths[0]), read_parquet(paths[3])
    np.testing.assert_array_equal(gaia["source_id"], truth["source_id"])
    assert np.diff(gaia["source_id"]).min() > 0
    for flag in (in_fields(gaia), (gaia["parallax_error"] > 0.2 * gaia["parallax"]).to_numpy()):
        parts = [part.mean() for part in np.array_split(flag, 8)]
        np.testing.assert_allclose(parts, flag.mean(), atol=5.0 * np.sqrt(flag.mean() / (len(flag) / 8)))
        assert np.mean(flag[1:] == flag[:-1]) == pytest.approx(flag.mean() ** 2 + (1 - flag.mean()) ** 2, abs=0.015)


def test_the_same_seed_writes_the_same_bytes_whether_particles_were_kept_or_not(kept, tmp_path):
    small = MilkyWay(source="standin", gaia_stars=3_000, spectroscopic_stars=500)
    for name, seed, folder in (("a", 3, kept), ("b", 3, None), ("c", 4, kept)):
        make_standin(tmp_path / name, small, MOCKS, seed=seed, progress=False, kept=folder)
    assert sha256_tree(tmp_path / "a") == sha256_tree(tmp_path / "b") != sha256_tree(tmp_path / "c")


def test_a_standin_that_fails_leaves_no_file(kept, tmp_path, monkeypatch):
    monkeypatch.setattr("exsitu.mocks.standin._as_archived", lambda _: (_ for _ in ()).throw(RuntimeError("full")))
    with pytest.raises(RuntimeError, match="full"):
        make_standin(tmp_path, STANDIN, MOCKS, seed=3, progress=False, kept=kept)
    assert not list(tmp_path.iterdir())


def test_truth_and_gaia_share_no_column_but_the_id(standin):
    assert set(TRUTH_COLUMNS) & set(GAIA_COLUMNS) == {"source_id"}
    assert tuple(standin["truth"].columns) == TRUTH_COLUMNS
