import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.labels import selections as module
from exsitu.labels.selections import select_v, select_vm, select_zm
from exsitu.phase_space import PhaseSpace
from exsitu.settings import HeightMetallicity, VelocityMixture

MIXTURE = VelocityMixture(max_feh=-1.0, disc_mean_kms=(0.0, 224.0, 0.0), halo_mean_kms=(0.0, 40.0, 0.0))
LIMITS = HeightMetallicity(min_height_kpc=1.5, max_feh=-1.5)


def moving(velocities) -> PhaseSpace:
    v = np.asarray(velocities, float).T
    still = np.zeros_like(v[0])
    return PhaseSpace(still, still, still, v[0], v[1], v[2])


@pytest.fixture(scope="module")
def galaxy():
    """A rotating disc with a tenth of halo stars: velocities, [Fe/H] and which are halo."""
    rng = np.random.default_rng(4)
    halo = rng.random(20_000) < 0.1
    disc = rng.normal((0.0, 205.0, 0.0), (38.0, 27.0, 22.0), (20_000, 3))
    round_ = rng.normal((0.0, 15.0, 0.0), (140.0, 95.0, 95.0), (20_000, 3))
    feh = np.where(halo, rng.normal(-1.4, 0.3, 20_000), rng.normal(-0.3, 0.3, 20_000))
    return np.where(halo[:, None], round_, disc), feh, halo


def test_v_selects_what_moves_faster_than_the_lsr_against_it():
    stars = moving([[0, 224, 0], [0, 0, 0], [0, -1, 0], [225, 224, 0], [0, 224, -225], [150, 60, 150], [0, 449, 0]])
    assert select_v(stars, 224.0).tolist() == [False, False, True, True, True, True, True]


def test_v_does_not_select_stars_without_velocity():
    assert select_v(moving([[np.nan, -500.0, 0.0]]), 224.0).tolist() == [False]


def test_vm_selects_metal_poor_stars_of_the_halo_component(galaxy):
    velocities, feh, halo = galaxy
    selected = select_vm(moving(velocities), feh, MIXTURE, seed=1)
    assert (feh[selected] < -1.0).all()
    assert halo[selected].mean() > 0.97
    assert selected[halo & (feh < -1.0)].mean() > 0.95
    poor_disc = ~halo & (feh < -1.0)
    assert not selected[poor_disc & (np.abs(velocities[:, 0]) < 20) & (np.abs(velocities[:, 1] - 205) < 20)].any()


def test_vm_knows_the_disc_whichever_component_it_starts_as(galaxy):
    velocities, feh, _ = galaxy
    turned = MIXTURE.model_copy(update={"halo_mean_kms": (0.0, 40.0, 0.0), "disc_mean_kms": (0.0, 224.0, 0.0)})
    distant = MIXTURE.model_copy(update={"halo_mean_kms": (50.0, -100.0, 50.0)})
    expected = select_vm(moving(velocities), feh, turned, seed=1)
    assert np.mean(select_vm(moving(velocities), feh, distant, seed=1) != expected) < 1e-3


def test_vm_does_not_select_what_lacks_a_number_and_is_not_led_astray_by_it(galaxy):
    velocities, feh, _ = galaxy
    plain = select_vm(moving(velocities), feh, MIXTURE, seed=1)
    chosen = np.flatnonzero(plain)[:3]
    lacking, unknown = velocities.copy(), feh.copy()
    lacking[chosen[0], 2], lacking[chosen[1], 0], unknown[chosen[2]] = np.nan, np.inf, np.nan
    selected = select_vm(moving(lacking), unknown, MIXTURE, seed=1)
    assert not selected[chosen].any()
    assert np.count_nonzero(selected != plain) <= 5


def test_vm_gives_the_same_answer_every_time(galaxy, monkeypatch):
    velocities, feh, _ = galaxy
    monkeypatch.setattr(module, "_FIT_STARS", 5000)
    first, again, other = (select_vm(moving(velocities), feh, MIXTURE, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.mean(first != other) < 0.01


def test_vm_leaves_the_order_of_stars_free(galaxy):
    velocities, feh, _ = galaxy
    order = np.random.default_rng(0).permutation(len(feh))
    plain = select_vm(moving(velocities), feh, MIXTURE, seed=1)
    turned = select_vm(moving(velocities[order]), feh[order], MIXTURE, seed=1)
    assert np.count_nonzero(turned != plain[order]) <= 2


def test_vm_is_refused_for_too_few_stars():
    with pytest.raises(InputError, match="3 stars have a 3D velocity; the VM selection needs 100"):
        select_vm(moving(np.zeros((3, 3))), np.zeros(3), MIXTURE, seed=1)


def test_vm_is_refused_where_the_mixture_does_not_converge(galaxy, monkeypatch):
    monkeypatch.setattr(module, "_ITERATIONS", 1)
    with pytest.raises(InputError, match="did not converge in 1 iterations on 20000 stars"):
        select_vm(moving(galaxy[0]), galaxy[1], MIXTURE, seed=1)


def test_vm_without_a_metal_poor_star_selects_none(galaxy):
    assert not select_vm(moving(galaxy[0]), np.zeros(20_000), MIXTURE, seed=1).any()


def test_zm_selects_metal_poor_stars_far_from_the_plane_on_both_sides():
    z = [1.6, -1.6, 1.5, 1.6, 0.0, np.nan, 2.0]
    feh = [-1.6, -1.6, -1.6, -1.5, -3.0, -3.0, np.nan]
    assert select_zm(z, feh, LIMITS).tolist() == [True, True, False, False, False, False, False]
