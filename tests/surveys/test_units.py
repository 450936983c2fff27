"""Every spelling of a unit met in the surveys is understood, and nothing else."""

import pytest

from exsitu.columns import COLUMNS, column
from exsitu.errors import InputError
from exsitu.surveys.units import unit_factor


@pytest.mark.parametrize("stated", ["mas.yr**-1", "mas.yr-1", "mas/yr", "mas / yr", "mas yr^-1", " mas/yr ", None, ""])
def test_proper_motions_in_any_spelling_stay_as_they_are(stated):
    assert unit_factor(column("pmra"), stated, "file: pmra") == 1.0


def test_the_registrys_own_units_all_parse():
    for c in COLUMNS.values():
        assert unit_factor(c, c.unit, c.name) == 1.0


@pytest.mark.parametrize(
    ("name", "stated", "factor"), [("parallax", "arcsec", 1000.0), ("parallax", "uas", 1e-3), ("ra", "hourangle", 15.0)]
)
def test_convertible_units_are_converted(name, stated, factor):
    assert unit_factor(column(name), stated, "file") == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize("stated", ['"h:m:s"', "h:m:s", '"d:m:s"'])
def test_a_sexagesimal_column_is_refused_with_its_form(stated):
    with pytest.raises(InputError, match=r"file: RAJ2000 is sexagesimal \(.*convert it to decimal degrees"):
        unit_factor(column("ra"), stated, "file: RAJ2000")


@pytest.mark.parametrize(
    ("name", "stated"),
    [("b", "mag"), ("l", "solLum"), ("pmra", "km/s"), ("feh", "km/s"), ("parallax", "kpc"), ("pmra", "rod")],
)
def test_other_units_are_refused_with_a_next_step(name, stated):
    with pytest.raises(InputError, match=r"file is in .*(correct the unit|write it as)"):
        unit_factor(column(name), stated, "file")
