"""The registry is sane: units, UCDs, dtypes and spellings mean one thing each."""

import numpy as np
import pytest
from astropy import units
from astropy.io.votable.ucd import check_ucd

from exsitu.columns import COLUMNS, REFERENCE_EPOCHS, RELEASES, column, names_in, nearest, page, spellings
from exsitu.errors import InputError

EVERY = pytest.mark.parametrize("name", COLUMNS)


KINDS = {"", "deg", "mas", "arcsec", "mas / yr", "km / s", "kpc", "mag"}


@EVERY
def test_unit_is_one_of_the_houses_in_all_notations_that_readers_use(name):
    unit = COLUMNS[name].unit
    for notation in ("vounit", "fits", "cds"):
        assert units.Unit(unit, format=notation).to_string() in KINDS


@EVERY
def test_ucd_has_words_of_the_controlled_vocabulary_in_their_places(name):
    assert check_ucd(COLUMNS[name].ucd, check_controlled_vocabulary=True), COLUMNS[name].ucd


def test_the_check_of_ucds_would_notice_a_wrong_one():
    assert not check_ucd("pos.paralax", check_controlled_vocabulary=True)
    assert not check_ucd("meta.main;meta.id", check_controlled_vocabulary=True)


@EVERY
def test_dtype_is_known_and_ids_never_are_floats(name):
    column_ = COLUMNS[name]
    assert column_.dtype in {"int64", "int32", "float64", "float32", "bool", "str"}
    if column_.ucd.startswith("meta.id") and column_.dtype != "str":
        assert column_.dtype == "int64"


@EVERY
def test_numbers_have_a_range_on_both_sides_that_their_dtype_can_hold(name):
    column_ = COLUMNS[name]
    if column_.dtype.startswith("float"):
        assert column_.low is not None
        assert column_.high is not None
        assert column_.low < column_.high
        assert np.isfinite(np.array([column_.low, column_.high], column_.dtype)).all()
    if column_.dtype in {"bool", "str"}:
        assert column_.low is None
        assert column_.high is None


@EVERY
def test_descriptions_are_one_line_without_a_full_stop(name):
    description = COLUMNS[name].description
    assert 8 <= len(description) <= 100
    assert "\n" not in description
    assert not description.endswith(".")


@EVERY
def test_an_error_has_the_unit_of_what_it_is_the_error_of(name):
    if name.endswith("_error") and name != "parallax_over_error":
        of = COLUMNS[name.removesuffix("_error")]
        assert COLUMNS[name].ucd == f"stat.error;{of.ucd.removesuffix(';meta.main')}"
        if name not in {"ra_error", "dec_error"}:  # positions are in deg, their errors in mas, as Gaia has it
            assert COLUMNS[name].unit == of.unit


@EVERY
def test_releases_are_known_and_a_column_has_one_name_in_each(name):
    column_ = COLUMNS[name]
    assert column_.releases <= RELEASES.keys()
    assert column_.native.keys() <= RELEASES.keys()
    assert not column_.releases & column_.native.keys()


@pytest.mark.parametrize("release", RELEASES)
def test_no_native_name_stands_for_two_columns(release):
    columns_with_a_name = [c for c in COLUMNS.values() if c.name_in(release) is not None]
    assert len(names_in(release)) == len(columns_with_a_name)
    assert set(names_in(release).values()) == {c.name for c in columns_with_a_name}


def test_a_score_is_not_called_a_probability():
    for name in ("score", "score_mean", "score_p16", "score_p84"):
        assert "probability" not in COLUMNS[name].ucd
        assert "uncalib" in COLUMNS[name].ucd
    assert "no probability" in COLUMNS["score"].description


def test_every_survey_has_a_reference_epoch():
    assert set(REFERENCE_EPOCHS) == set(RELEASES) - {"exsitu"}


def test_no_name_or_spelling_stands_for_two_columns():
    meanings: dict[str, set[str]] = {}
    for c in COLUMNS.values():
        for spelling in {c.name, *c.native.values(), *c.aliases}:
            meanings.setdefault(spelling.lower(), set()).add(c.name)
    assert {s: m for s, m in meanings.items() if len(m) > 1} == {}
    assert spellings() == {s: next(iter(m)) for s, m in meanings.items()}


def test_spellings_find_columns_in_any_case():
    found = spellings()
    assert found["plx"] == "parallax"
    assert found["hip"] == "source_id"
    assert found["source_id"] == "source_id"


def test_a_column_knows_its_name_in_a_release():
    assert column("parallax").name_in("gaia_dr3") == "parallax"
    assert column("parallax").name_in("hipparcos2") == "Plx"
    assert column("parallax").name_in("rave_dr5") is None
    assert column("parallax").name_in("exsitu") == "parallax"


def test_an_unknown_column_or_release_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'parallax'"):
        column("paralax")
    with pytest.raises(InputError, match="did you mean 'gaia_dr3'"):
        names_in("gaia_dr33")
    assert nearest("xyzzy", COLUMNS) == ""


def test_the_page_of_documentation_has_a_row_for_every_column():
    text = page()
    assert all(f"| `{name}` |" in text for name in COLUMNS)
