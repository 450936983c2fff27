"""The parameters are complete and each galaxy is its own."""

import pytest

from exsitu.errors import InputError
from exsitu.mocks.galaxies import GALAXIES, galaxy_model
from exsitu.phase_space import FRAMES


@pytest.mark.parametrize("name", GALAXIES)
def test_viewpoints_have_the_solar_frames_that_surveys_are_read_with(name):
    suns = GALAXIES[name].suns
    known = [FRAMES[f"{name}/lsr{n}"] for n in range(len(suns))] if name != "milky_way" else [FRAMES[name]]
    assert list(suns) == known


def test_no_two_galaxies_share_a_code():
    assert len({model.code for model in GALAXIES.values()}) == len(GALAXIES)


def test_every_satellite_is_disrupted_after_it_fell_in():
    satellites = [s for model in GALAXIES.values() for s in model.satellites]
    assert all(s.infall > s.disrupted > 0 for s in satellites)


def test_an_unknown_galaxy_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match="did you mean 'm12i'"):
        galaxy_model("m12j")
