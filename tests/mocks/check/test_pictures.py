"""Pictures of a mock say what they show, in words and in numbers."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from galas import hamiltonian
from mock_folder import write_mock

from exsitu.evaluation.style import save_figure
from exsitu.mocks.check import pictures
from exsitu.mocks.check.captions import PICTURES
from exsitu.mocks.check.measure import measure
from exsitu.settings import load_settings


@pytest.fixture(scope="module")
def measured(tmp_path_factory, repository):
    folder = write_mock(tmp_path_factory.mktemp("mock") / "m12i")
    labels = load_settings(repository / "params.yaml").labels
    return measure(folder, 0, labels, max_fractional_parallax_error=0.1, seed=1)


@pytest.fixture(scope="module")
def drawn(measured, m12i):
    around = measured.stars[~measured.stars["accreted"]]
    names = np.where(np.arange(len(measured.stars)) % 2, "GSE-like", "dwarfs")
    return pictures.draw(measured, 224.4, {"viewpoint 0": around, "viewpoint 1": around}, m12i.potential, names)


def words(figure):
    import matplotlib.text

    return " | ".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


def test_every_picture_has_its_caption_and_every_caption_its_picture(drawn):
    assert drawn.keys() == PICTURES.keys()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("colour_magnitude", ("accreted", "in situ", "[mag]")),
        ("toomre_truth", ("accreted", "in situ", "v_y", "km s")),
        ("toomre_selections", ("V", "VM", "ZM")),
        ("sky_accreted", ("accreted", "deg")),
        ("rotation_metallicity", ("[Fe/H]", "v_\\phi")),
        ("meridian", ("[kpc]",)),
        ("debris", ("GSE-like", "dwarfs", "kpc km s")),
        ("magnitudes", ("with RV", "[mag]")),
        ("viewpoints", ("viewpoint 1", "mean", "within 1 kpc")),
    ],
)
def test_pictures_name_what_they_show(drawn, name: str, said: tuple[str, ...]):
    assert all(word in words(drawn[name]) for word in said)


def test_the_same_stars_give_the_same_bytes(measured, tmp_path):
    for n in (0, 1):
        figure = pictures.density_figure(pictures.by_origin(measured.stars, "feh", "v_phi"), pictures.MERIDIAN)
        save_figure(figure, tmp_path / f"{n}.png")
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()


def test_an_imported_galaxy_has_no_energies_and_a_single_viewpoint_nothing_to_compare(measured):
    assert pictures.draw(measured, 224.4, {}).keys() == PICTURES.keys() - {"debris", "viewpoints"}


def test_energies_are_those_of_gala(m12i):
    rng = np.random.default_rng(2)
    place, motion = rng.normal(0.0, 8.0, (3, 50)), rng.normal(0.0, 150.0, (3, 50))
    # v_R, v_phi, v_z count along orthogonal axes, so any such triple has the kinetic energy of its squares.
    stars = pd.DataFrame(dict(zip(("x", "y", "z", "v_r", "v_phi", "v_z"), (*place, *motion), strict=True)))
    phi = hamiltonian(m12i.potential).potential.energy(place).to_value("km2/s2")
    expected = 0.5 * np.square(motion).sum(axis=0) + phi
    np.testing.assert_allclose(pictures.specific_energy(m12i.potential, stars), expected, rtol=1e-6)


def test_density_panels_share_one_scale_and_count_fractions():
    x = np.array([0.0, 0.0, 0.0, 50.0, np.nan])
    figure = pictures.density_figure({"a": (x, x + 100.0), "b": (x[:1], x[:1] + 100.0)}, pictures.TOOMRE)
    a, b = (axes.collections[0] for axes in figure.axes[:2])
    assert a.get_clim() == b.get_clim() == (0.25, 1.0)
    assert np.nansum(a.get_array()) == pytest.approx(1.0)


def test_a_panel_without_stars_is_drawn_empty():
    empty = np.empty(0)
    figure = pictures.density_figure({"none": (empty, empty)}, pictures.MERIDIAN)
    assert np.isnan(np.ma.filled(figure.axes[0].collections[0].get_array(), np.nan)).all()


def test_magnitudes_grow_downwards(drawn):
    bottom, top = drawn["colour_magnitude"].axes[0].get_ylim()
    assert bottom > top


def test_thinned_stars_say_so(measured):
    thinned = dataclasses.replace(measured, thinning=7)
    drawn = pictures.draw(thinned, 224.4, {})
    assert "one star in 7" in words(drawn["sky_in_situ"])
    assert "one star" not in words(drawn["sky_accreted"])
