"""Extinction follows the dust."""

import numpy as np
import pytest

from exsitu.mocks.dust import band_extinction, extinction
from exsitu.mocks.galaxies import Dust

SUN = np.array([8.2])
DUST = Dust(0.5, 0.2, 3.0)


def test_in_the_plane_extinction_grows_with_distance():
    assert extinction(np.array([2.0]), np.array([0.0]), SUN, DUST)[0] == pytest.approx(2.0 * DUST.density, rel=1e-4)


def test_the_closed_form_is_the_integral_along_the_line_of_sight():
    distance, height = 3.0, 0.4
    path = np.linspace(0.0, 1.0, 20_001)
    numerical = DUST.density * distance * np.trapezoid(np.exp(-path * height / DUST.height), path)
    assert extinction(np.array([distance]), np.array([-height]), SUN, DUST)[0] == pytest.approx(numerical, rel=1e-6)


def test_there_is_more_dust_inwards():
    inner, outer = extinction(np.array([1.0, 1.0]), np.zeros(2), np.array([7.2, 8.2]), DUST)
    assert inner / outer == pytest.approx(np.exp(1.0 / DUST.scale))


def test_a_galaxy_without_dust_dims_nothing():
    assert extinction(np.array([4.0]), np.array([0.1]), SUN, Dust(density=0.0))[0] == 0.0


def test_blue_light_is_dimmed_most():
    a0, colour = np.full(3, 1.0), np.array([0.0, 1.0, 2.0])
    g, bp, rp = (band_extinction(band, colour, a0) for band in ("g", "bp", "rp"))
    assert np.all(bp > g)
    assert np.all(g > rp)
    assert band_extinction("g", colour, np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
