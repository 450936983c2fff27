"""Figures are pictures of sensible size with labels and units, equal for equal input, and leave nothing behind."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from exsitu.errors import InputError
from exsitu.evaluation import figures, maps, metrics
from exsitu.settings import Bins, Cuts

BINS = Bins(low=-450.0, high=450.0, count=45)
CUTS = Cuts(low=0.1, high=0.9, step=0.1)
N_STARS = 6000


@pytest.fixture(scope="module")
def stars():
    """Scores, truth and velocities of a disc and a halo."""
    rng = np.random.default_rng(3)
    accreted = rng.random(N_STARS) < 0.1
    velocity = rng.normal(0.0, np.where(accreted, 130.0, 40.0)[:, None], (N_STARS, 3))
    velocity[:, 1] += np.where(accreted, 0.0, 220.0)
    score = 1.0 / (1.0 + np.exp(-rng.normal(size=N_STARS) - np.where(accreted, 2.0, -2.0)))
    return score, accreted, velocity


def all_figures(score, accreted, velocity):
    """One figure of each kind."""
    scan = metrics.scan_cuts(score, accreted, velocity, BINS, CUTS)
    variants = pd.DataFrame({"variant": ["none", "zm_last"], "sum_chi2": [0.02, 0.01], "purity": [0.3, 0.4]})
    history = pd.DataFrame({"loss": [3.0, 2.0, 1.0], "val_loss": [3.1, 2.2, 1.4], "learning_rate": [1e-3, 1e-3, 1e-4]})
    history["best"] = [False, False, True]
    sky = np.linspace(0.0, 360.0, N_STARS), np.degrees(np.arcsin(np.linspace(-1.0, 1.0, N_STARS)))
    return {
        "roc": figures.roc_figure({"5D": metrics.roc(score, accreted)}, {"V": (0.86, 0.045), "none": (0.0, 0.0)}),
        "toomre": figures.toomre_figure({"all": tuple(velocity.T), "accreted": tuple(velocity[accreted].T)}),
        "scan": figures.scan_figure(scan, 0.7),
        "velocity": figures.velocity_figure(velocity[accreted], {"S > 0.5": velocity[score > 0.5]}, BINS),
        "comparison": figures.comparison_figure(variants, chosen="zm_last"),
        "training": figures.training_figure(history),
        "sky": figures.sky_figure(*sky, title="stars"),
        "score": figures.score_figure(score, 0.75, accreted),
        "cmd": figures.cmd_figure({"all": (score, 10.0 * score), "none known": ([np.nan], [5.0])}),
    }


KINDS = ("roc", "toomre", "scan", "velocity", "comparison", "training", "sky", "score", "cmd")


def words(figure):
    """All text of a figure."""
    import matplotlib.text

    return " | ".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


@pytest.fixture(scope="module")
def drawn(stars, tmp_path_factory):
    """Every figure, saved."""
    made = all_figures(*stars)
    folder = tmp_path_factory.mktemp("figures")
    for kind, figure in made.items():
        figures.save_figure(figure, folder / f"{kind}.png")
    return made, folder


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_a_png_of_print_size_that_is_not_blank(drawn, kind):
    from PIL import Image

    with Image.open(drawn[1] / f"{kind}.png") as image:
        assert image.format == "PNG"
        assert 600 <= image.width <= 2400
        assert 300 <= image.height <= 1600
        assert "Software" not in image.info
        pixels = np.asarray(image.convert("L"))
    assert 0.005 < (pixels < 200).mean() < 0.7


def test_the_same_input_gives_the_same_bytes(stars, drawn, tmp_path):
    for kind, figure in all_figures(*stars).items():
        figures.save_figure(figure, tmp_path / "again.png")
        assert (tmp_path / "again.png").read_bytes() == (drawn[1] / f"{kind}.png").read_bytes(), kind


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("roc", ["5D", "V", r"$\varepsilon_A$", r"$1/\varepsilon_I$"]),
        ("toomre", ["all", "accreted", r"v_\phi", "km s", "fraction of stars per cell"]),
        ("scan", ["best cut 0.70", r"\Sigma\chi^2", "purity  [%]", "score cut"]),
        ("velocity", ["accreted (truth)", "S > 0.5", "$v_R$", r"$v_\phi$", "$v_z$", "fraction of stars per 20"]),
        ("comparison", ["no transfer", "ZM, last", "2.00", "40.0", "purity  [%]"]),
        ("training", ["epoch", "training", "validation", "learning rate reduced", "weights kept"]),
        ("sky", ["stars per deg", "Galactic longitude", "−60°", "120°"]),
        ("score", ["$S > 0.75$", "accreted (truth)", "in situ (truth)"]),
        ("cmd", ["[mag]", "$M_G$", "stars per cell"]),
    ],
)
def test_labels_and_units_are_on_the_figure(drawn, kind, wanted):
    text = words(drawn[0][kind])
    assert [label for label in wanted if label not in text] == []


def test_figures_do_not_load_pyplot_and_ignore_the_users_matplotlibrc(tmp_path):
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nlines.linewidth: 9\n")
    code = (
        "import sys; from pathlib import Path; import pandas as pd; from exsitu.evaluation import figures as f;"
        "f.save_figure(f.training_figure(pd.DataFrame({'loss': [3.0, 2.0]})), Path('loss.png'));"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    figures.save_figure(figures.training_figure(pd.DataFrame({"loss": [3.0, 2.0]})), tmp_path / "here.png")
    assert (tmp_path / "loss.png").read_bytes() == (tmp_path / "here.png").read_bytes()


def test_a_figure_that_cannot_be_written_leaves_the_old_one(tmp_path):
    class Broken:
        def savefig(self, *_, **__):
            raise RuntimeError("no")

    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(RuntimeError):
        figures.save_figure(Broken(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_scores_without_truth_are_drawn_as_one_distribution(stars):
    assert "all stars" in words(figures.score_figure(stars[0], 0.75))


def test_mollweide_puts_known_points_where_the_projection_does():
    x, y = maps.mollweide([0.0, 90.0, -90.0, 0.0, 0.0, 270.0], [0.0, 0.0, 0.0, 90.0, -90.0, 0.0])
    np.testing.assert_allclose(x, [0.0, -1.0, 1.0, 0.0, 0.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(y, [0.0, 0.0, 0.0, 1.0, -1.0, 0.0], atol=1e-6)


def test_mollweide_solves_its_equation():
    b = np.linspace(-89.0, 89.0, 90)
    t = np.arcsin(maps.mollweide(np.zeros_like(b), b)[1])
    np.testing.assert_allclose(2.0 * t + np.sin(2.0 * t), np.pi * np.sin(np.radians(b)), atol=1e-6)


def test_a_uniform_sky_has_its_mean_density_everywhere():
    rng = np.random.default_rng(1)
    n_stars = 400_000
    b = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n_stars)))
    figure = figures.sky_figure(rng.uniform(-180.0, 180.0, n_stars), b)
    density = np.asarray(figure.axes[0].collections[0].get_array())
    assert np.median(density) == pytest.approx(n_stars / 41252.96, rel=0.02)


def test_nothing_to_draw_is_refused_with_the_next_step():
    with pytest.raises(InputError, match="loosen"):
        figures.sky_figure([], [])
    with pytest.raises(InputError, match="km/s"):
        figures.toomre_figure({"far": ([9e3], [9e3], [9e3])})
