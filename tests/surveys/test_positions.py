"""Galactic and equatorial coordinates of a table are compared, and either is made from the other."""

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.phase_space import icrs_to_galactic
from exsitu.surveys.positions import complete_positions, refuse_other_position

RA, DEC = np.linspace(0.0, 359.0, 2500), np.linspace(-89.0, 89.0, 2500)


def columns(**changed):
    l, b = icrs_to_galactic(RA, DEC)  # noqa: E741 - the field's name
    return {"ra": RA, "dec": DEC, "l": l % 360.0, "b": b} | changed


def test_pairs_that_agree_but_for_rounding_pass():
    found = columns()
    refuse_other_position("stars", found, {})
    refuse_other_position("stars", {**found, "l": found["l"].round(1), "b": found["b"].round(1)}, {})
    refuse_other_position("stars", {name: found[name] for name in ("ra", "dec", "l")}, {})
    refuse_other_position("stars", {**found, "ra": np.full(2500, np.nan)}, {})


@pytest.mark.parametrize("change", ["luminosity", "swapped", "radians", "hours", "some"])
def test_pairs_that_do_not_are_refused_with_the_difference(change):
    some = columns()["b"].copy()
    some[::10] = -some[::10]
    changed = {
        "luminosity": {"l": np.full(2500, 3.5)},
        "swapped": {"ra": DEC % 360.0, "dec": np.clip(RA, -90.0, 90.0)},
        "radians": {"ra": np.radians(RA), "dec": np.radians(DEC)},
        "hours": {"ra": RA / 15.0},
        "some": {"b": some},
    }[change]
    with pytest.raises(
        InputError, match=r"stars: 'GLON', 'b' are not the Galactic .* up to [\d.]+ degrees, and by more"
    ):
        refuse_other_position("stars", columns(**changed), {"l": "GLON"})


def test_the_equatorial_position_goes_first_star_by_star():
    found = {name: values[:5].copy() for name, values in columns().items()}
    plain = {name: values.copy() for name, values in found.items()}
    found["l"][0] = found["dec"][1] = found["ra"][2] = np.nan
    complete_positions(found, refused=np.arange(5) == 2)
    np.testing.assert_allclose(found["l"][:2] % 360.0, plain["l"][:2], atol=1e-9)
    np.testing.assert_allclose(found["dec"][:2], plain["dec"][:2], atol=1e-9)
    assert np.isnan(found["l"]).tolist() == np.isnan(found["ra"]).tolist() == [False, False, True, False, False]


def test_missing_pairs_are_made_and_longitudes_come_into_range():
    found = {"ra": np.array([-10.0, 370.0 - 360.0]), "dec": np.array([0.0, 1.0])}
    complete_positions(found)
    assert found["ra"].tolist() == [350.0, 10.0]
    assert found.keys() == {"ra", "dec", "l", "b"}
    assert (np.abs(found["l"]) <= 180.0).all()
    galactic = {"l": np.array([200.0]), "b": np.array([1.0])}
    complete_positions(galactic, frozenset({"l", "b"}))
    assert galactic.keys() == {"l", "b"}
    assert galactic["l"].tolist() == [-160.0]
