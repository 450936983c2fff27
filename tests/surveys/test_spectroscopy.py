"""RAVE under all its names, its repeats, and the ready-made match with Gaia."""

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.surveys.ananke import read_particle_ids
from exsitu.surveys.crossmatch import read_neighbours
from exsitu.surveys.spectroscopy import CANONICAL, best_observations, read_gaia_rave, read_rave
from exsitu.tables import write_parquet

ARCHIVE = dict(zip(CANONICAL, ["name", "ra", "dec", "hrv", "e_hrv", "m_h_nk", "e__m_h_k", "qk"], strict=True))
NATIVE = dict(
    zip(CANONICAL, ["RAVE_OBS_ID", "RAdeg", "DEdeg", "HRV", "eHRV", "Met_N_K", "eMet_K", "Algo_Conv_K"], strict=True)
)


def observations(n_rows=40, seed=6):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "original_ext_source_id": pd.Series(
                [f"2003041{i % 10}_1234m12_{i:03d}" for i in range(n_rows)], dtype="str"
            ),
            "ra": rng.uniform(0.0, 360.0, n_rows),
            "dec": rng.uniform(-80.0, 0.0, n_rows),
            "radial_velocity": rng.normal(0.0, 40.0, n_rows),
            "radial_velocity_error": rng.uniform(0.5, 3.0, n_rows).astype("f4"),
            "feh": rng.normal(-0.3, 0.4, n_rows),
            "feh_error": rng.uniform(0.05, 0.2, n_rows).astype("f4"),
            "quality_flag": rng.integers(0, 5, n_rows),
        }
    )


def written(frame, path, units=None):
    from astropy.table import Table

    if path.suffix == ".fits":
        table = Table.from_pandas(frame)
        for name, unit in (units or {}).items():
            table[name].unit = unit
        table.write(path)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", ["fits", "csv", "parquet"])
@pytest.mark.parametrize("names", [ARCHIVE, NATIVE], ids=["archive", "native"])
def test_rave_reads_under_either_set_of_names(names, suffix, tmp_path):
    frame = observations()
    # RAVE's own spectrophotometric parallax must not be taken for an astrometric one.
    foreign = frame.rename(columns=names).assign(parallax=1.0, snrk=40.0)
    found = read_rave(written(foreign, tmp_path / f"rave.{suffix}"), chunk_rows=15)
    pd.testing.assert_frame_equal(found, frame, check_dtype=suffix != "csv")
    assert list(found) == list(CANONICAL)
    assert found["radial_velocity_error"].dtype == np.float32


def test_our_own_table_reads_back(tmp_path):
    write_parquet(tmp_path / "rave.parquet", [observations()])
    pd.testing.assert_frame_equal(read_rave(tmp_path / "rave.parquet"), observations())


def test_units_are_converted(tmp_path):
    frame = observations().rename(columns=NATIVE)
    path = written(frame, tmp_path / "rave.fits", {"HRV": "m/s"})
    found = read_rave(path)
    np.testing.assert_allclose(found["radial_velocity"], frame["HRV"] / 1000.0)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_rows_without_flag_or_velocity_are_left_out(suffix, tmp_path):
    frame = observations().astype({"quality_flag": "float64"})
    frame.loc[3, "quality_flag"] = np.nan
    frame.loc[5, "radial_velocity"] = np.nan
    frame.loc[7, "feh"] = np.nan
    found = read_rave(written(frame.rename(columns=ARCHIVE), tmp_path / f"rave.{suffix}"), chunk_rows=9)
    assert found["quality_flag"].dtype == np.int64
    kept = frame.drop(index=[3, 5])["original_ext_source_id"]
    assert list(found["original_ext_source_id"]) == list(kept)
    assert found["feh"].isna().sum() == 1


def test_sentinels_make_no_label_and_are_said(tmp_path, caplog):
    frame = observations().rename(columns=ARCHIVE)
    frame.loc[3, "hrv"], frame.loc[5, "m_h_nk"], frame.loc[7, "e_hrv"] = -9999.0, -9.99, 0.0
    found = read_rave(written(frame, tmp_path / "rave.csv"), chunk_rows=9)
    assert len(found) == len(frame) - 1
    assert found["feh"].isna().sum() == found["radial_velocity_error"].isna().sum() == 1
    for said in ("radial_velocity (-9999 in 1 row)", "feh (-9.99 in 1 row)", "radial_velocity_error (0 in 1 row)"):
        assert said in caplog.text


def test_sentinels_of_the_ready_made_match_make_no_label(tmp_path, caplog):
    found = read_gaia_rave(ready_made(tmp_path, r_metallicity=[-9999.0, -0.5, 0.1, 0.0, -0.2, -1.0]))
    assert found["source_id"].tolist() == [2**61 + 2, 2**61 + 4, 2**61 + 6]
    assert "feh (-9999 in 1 row)" in caplog.text


def test_what_is_no_survey_is_refused(tmp_path):
    frame = observations().rename(columns=ARCHIVE)
    with pytest.raises(InputError, match="no column 'feh'"):
        read_rave(written(frame.drop(columns="m_h_nk"), tmp_path / "a.csv"))
    with pytest.raises(InputError, match="repeats 1 observation ids"):
        read_rave(written(pd.concat([frame, frame[:1]]), tmp_path / "b.csv"))
    with pytest.raises(InputError, match="no row with a position"):
        read_rave(written(frame.assign(hrv=np.nan), tmp_path / "c.csv"))
    with pytest.raises(InputError, match=r"holds 0\.5, not a whole number"):
        read_rave(written(frame.assign(qk=0.5), tmp_path / "d.parquet"))


def test_the_best_observation_is_the_most_precise_of_the_good():
    frame = pd.DataFrame(
        {
            "source_id": [1, 1, 1, 2, 2, 3, 4],
            "radial_velocity": [10.0, 11.0, 12.0, 20.0, 21.0, 30.0, 40.0],
            "radial_velocity_error": [2.0, 1.0, 0.5, np.nan, 3.0, 1.0, 1.0],
            "quality_flag": [0, 0, 1, 0, 0, 4, 0],
        }
    )
    assert best_observations(frame, "source_id")["radial_velocity"].tolist() == [11.0, 21.0, 40.0]
    assert len(best_observations(frame.drop(columns=["quality_flag", "radial_velocity_error"]), "source_id")) == 4


def ready_made(tmp_path, **changed):
    columns = (
        "source_id ra dec pmra pmdec l b parallax parallax_error phot_g_mean_mag phot_bp_mean_mag phot_rp_mean_mag"
    )
    columns += " r_hrv r_metallicity r_distance r_parallax r_jmag_2mass r_quality r_ra r_dec"
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({name: rng.uniform(0.5, 5.0, 6) for name in columns.split()})
    frame = frame.assign(source_id=2**61 + 1 + np.array([0, 1, 2, 3, 3, 5]), l=[10.0, 200.0, 3.0, 4.0, 4.0, 6.0])
    frame = frame.assign(r_quality=[0, 0, 2, 1, 0, 0], r_metallicity=[-1.0, -0.5, 0.1, 0.0, -0.2, np.nan])
    frame.assign(**changed).to_csv(tmp_path / "gaia-dr2-rave-35.csv", index=False)
    return tmp_path / "gaia-dr2-rave-35.csv"


def test_the_ready_made_match_reads_with_exact_ids(tmp_path):
    found = read_gaia_rave(ready_made(tmp_path), chunk_rows=2)
    # One is not converged, one has no [Fe/H], one repeats and keeps its converged observation.
    assert found["source_id"].tolist() == [2**61 + 1, 2**61 + 2, 2**61 + 4]
    assert found["l"].tolist() == [10.0, -160.0, 4.0]
    assert found["feh"].tolist() == [-1.0, -0.5, -0.2]
    assert {"radial_velocity", "parallax_error", "phot_g_mean_mag"} <= set(found)


def test_the_ready_made_match_needs_its_columns(tmp_path):
    path = ready_made(tmp_path)
    pd.read_csv(path).drop(columns="r_hrv").to_csv(path, index=False)
    with pytest.raises(InputError, match="no column 'r_hrv'"):
        read_gaia_rave(path)
    with pytest.raises(InputError, match="no row with radial velocity"):
        read_gaia_rave(ready_made(tmp_path, r_quality=3))


@pytest.mark.parametrize("read", [read_rave, read_gaia_rave, read_neighbours, read_particle_ids])
def test_a_table_cut_short_by_its_service_is_refused_by_every_reader(read, tmp_path):
    from astropy.io.votable import from_table, writeto
    from astropy.io.votable.tree import Info
    from astropy.table import Table

    document = from_table(Table.from_pandas(observations()))
    document.resources[0].infos.append(Info(name="QUERY_STATUS", value="OVERFLOW"))
    writeto(document, str(tmp_path / "t.vot"))
    with pytest.raises(InputError, match=r"QUERY_STATUS=OVERFLOW.*ask for fewer rows"):
        read(tmp_path / "t.vot")
