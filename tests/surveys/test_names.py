"""A column is found by its exact name first, by another case where that says nothing, and never by guess."""

from pathlib import Path

import pytest

from exsitu.errors import InputError
from exsitu.surveys.names import missing_column, refuse_rivals, registry_names
from exsitu.tables import TableInfo


def table(*names):
    return TableInfo(Path("stars"), "csv", dict.fromkeys(names), None)


@pytest.mark.parametrize(
    ("names", "column", "expected"),
    [
        (("PARALLAX", "parallax"), "parallax", "parallax"),
        (("PARALLAX",), "parallax", "PARALLAX"),
        (("PLX",), "parallax", "PLX"),
        (("B", "L"), "b", None),
        (("B", "b"), "b", "b"),
        (("GLAT",), "b", "GLAT"),
        (("Gmag",), "phot_g_mean_mag", "Gmag"),
        (("gmag", "rmag"), "phot_g_mean_mag", None),
        (("HIP", "Source"), "source_id", "Source"),
        (("HIP",), "source_id", "HIP"),
        (("parallax_Err", "parallax_Sig"), "parallax_error", "parallax_Sig"),
        (("PMRA_ERR", "PMRA_SIG"), "pmra_error", "PMRA_SIG"),
        (("parallax_err",), "parallax_error", "parallax_err"),
        (("ra_Err", "ra_Sig"), "ra_error", None),
        (("RAJ2000", "RA_ICRS"), "ra", "RA_ICRS"),
    ],
)
def test_a_column_is_found_by_what_it_is_called(names, column, expected):
    assert registry_names(table(*names)).get(column) == expected


def test_a_release_has_its_own_names():
    info = table("Plx", "parallax", "PMRA")
    assert registry_names(info, "hipparcos2")["parallax"] == "Plx"
    assert registry_names(info, "gaia_dr3")["parallax"] == "parallax"
    assert registry_names(info, "gaia_dr3")["pmra"] == "PMRA"


@pytest.mark.parametrize(
    ("names", "column"),
    [
        (("parallax", "Plx"), "parallax"),
        (("PARALLAX", "Parallax"), "parallax"),
        (("parallax_err", "e_Plx"), "parallax_error"),
        (("feh", "fe_h"), "feh"),
        (("l", "GLON"), "l"),
    ],
)
def test_two_columns_of_one_quantity_are_refused(names, column):
    with pytest.raises(InputError, match=f"stars has {names[0]!r} and {names[1]!r}, two columns for one quantity"):
        refuse_rivals(table(*names), [column])
    refuse_rivals(table(*names), ["pmra"])


@pytest.mark.parametrize(
    "names",
    [
        ("parallax", "PARALLAX"),
        ("pmra", "pmRA"),
        ("ra", "RAJ2000", "_RAJ2000"),
        ("source_id", "HIP"),
        ("parallax_Sig", "parallax_Err"),
        ("b", "B"),
    ],
)
def test_what_differs_in_case_or_may_be_there_twice_is_no_rival(names):
    refuse_rivals(table(*names), ["parallax", "pmra", "ra", "source_id", "parallax_error", "b"])


@pytest.mark.parametrize(
    "distance",
    ["dist50", "distance", "r_med_geo", "r_med_photogeo", "rest", "rgeo", "rpgeo", "distance_gspphot", "dist_pc"],
)
def test_distances_are_told_from_parallaxes(distance):
    said = str(missing_column(table("source_id", distance), "parallax"))
    assert f"has distances ({distance!r}) and no parallax" in said
    assert "gaia_source" in said
    assert "distances" not in str(missing_column(table(distance), "pmra"))


def test_a_sky_coordinate_in_parts_is_named():
    assert "'sky' in parts, as astropy writes a SkyCoord" in str(missing_column(table("sky.ra", "sky.dec"), "ra"))
