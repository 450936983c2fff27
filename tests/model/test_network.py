import dataclasses
import hashlib
import io
import json
import pickle
import time
import zipfile
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.model import network as module
from exsitu.model.inputs import TABLE_2, input_columns, stars_from_frame
from exsitu.model.network import (
    CARD,
    WEIGHTS,
    ModelCard,
    build_network,
    load_model,
    rebuilt,
    save_model,
    seen_from,
    weights_of,
)
from exsitu.phase_space import PhaseSpace, frame, galactic_to_icrs, galactocentric, observables
from exsitu.settings import Network

DOMAIN = {"l": (-180.0, 180.0), "b": (-90.0, 90.0), "pmra": (-9.0, 9.0), "pmdec": (-9.0, 9.0), "parallax": (0.1, 5.0)}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def forge(folder: Path, content: bytes) -> None:
    """Put other weights in a model's folder and make its card agree with them."""
    (folder / WEIGHTS).write_bytes(content)
    card = ModelCard.from_json(json.loads((folder / CARD).read_text()))
    card = dataclasses.replace(card, weights_sha256=hashlib.sha256(content).hexdigest())
    (folder / CARD).write_text(json.dumps({**card.to_json(), "digest": card.digest}))


def test_layers_carry_their_names_and_widths():
    network = build_network(Network(input_set="5D", representation="measured", hidden=(7, 6, 5)), seed=1)
    assert [layer.name for layer in network.layers] == [
        "stars",
        "representation",
        "first",
        "hidden_2",
        "hidden_3",
        "last",
        "score",
    ]
    assert {name: w.shape for name, w in weights_of(network).items() if name.endswith("kernel")} == {
        "first/kernel": (5, 7),
        "hidden_2/kernel": (7, 6),
        "hidden_3/kernel": (6, 5),
        "last/kernel": (5, 1),
    }


def test_the_network_takes_raw_columns_and_standardises_them_itself(spec):
    network = build_network(spec, seed=1)
    mean, sigma = np.array([TABLE_2[name] for name in network.get_layer("representation").columns]).T
    raw = np.random.default_rng(0).normal(mean, sigma, (200, 5))
    signal, weights = (raw - mean) / sigma, weights_of(network)
    for name in ("first", "hidden_2"):
        signal = np.maximum(signal @ weights[f"{name}/kernel"] + weights[f"{name}/bias"], 0.0)
    expected = 1.0 / (1.0 + np.exp(-(signal @ weights["last/kernel"] + weights["last/bias"])))
    np.testing.assert_allclose(network(raw.astype(np.float32)).numpy(), expected, atol=1e-6)


def test_the_same_seed_gives_the_same_weights_and_another_others(spec):
    first, again, other = (weights_of(build_network(spec, seed=seed)) for seed in (5, 5, 6))
    assert same(first, again)
    assert not same(first, other)
    assert not np.array_equal(first["first/kernel"][:5], first["hidden_2/kernel"][:5])


def test_first_weights_are_glorot_uniform(spec):
    kernel = weights_of(build_network(spec, seed=5))["hidden_2/kernel"]
    limit = np.sqrt(6.0 / (16 + 16))
    assert 0.95 * limit < np.abs(kernel).max() <= limit


def test_the_digest_covers_all_that_changes_a_score_or_a_flag():
    card = ModelCard("5D", "measured", (16, 16), DOMAIN, weights_sha256="a" * 64)
    swapped = ("l", "b", "pmdec", "pmra", "parallax")
    scaler = {**card.constants, "sigma": [1.0] * 5}
    others = [
        dataclasses.replace(card, inputs=swapped, constants={}),
        dataclasses.replace(card, constants=scaler),
        dataclasses.replace(card, hidden=(16, 17)),
        dataclasses.replace(card, domain={**DOMAIN, "b": (-90.0, 89.0)}),
        dataclasses.replace(card, weights_sha256="b" * 64),
    ]
    assert len({card.digest, *(other.digest for other in others)}) == 6
    assert dataclasses.replace(card, provenance={"stage": "transfer"}).digest == card.digest
    assert others[1].representation_digest != card.representation_digest == others[2].representation_digest


def test_a_card_whose_parts_name_other_columns_is_refused():
    with pytest.raises(InputError, match="must name the same columns"):
        ModelCard("4D", "measured", (16,), DOMAIN)
    with pytest.raises(InputError, match="must name the same columns"):
        ModelCard("5D", "measured", (16,), DOMAIN, inputs=("l", "b", "pmdec", "pmra", "parallax"),
                  constants=ModelCard("5D", "measured", (16,), DOMAIN).constants)  # fmt: skip


def test_a_saved_model_comes_back_bit_for_bit(trained, saved):
    network, card = load_model(saved)
    assert same(weights_of(network), weights_of(trained.network))
    assert card.weights_sha256 == hashlib.sha256((saved / WEIGHTS).read_bytes()).hexdigest()
    assert dataclasses.replace(card, weights_sha256="") == trained.card
    np.testing.assert_array_equal(
        network(trained.validation.values).numpy(), trained.network(trained.validation.values).numpy()
    )


def test_the_bytes_of_weights_do_not_depend_on_the_version_of_python():
    # Taken by 3.11.2 and 3.11.7, between which np.savez changes its own.
    weights = {"first/kernel": np.arange(12, dtype=np.float32).reshape(3, 4), "last/bias": np.ones(1, np.float32)}
    content = module._archive(weights)
    assert hashlib.sha256(content).hexdigest() == "7b404735530bcc7e098aec4bd3e8724d0efa0ac58c2563512d8ca24a8d6679b6"
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        assert {name: found[name].tolist() for name in found.files} == {n: w.tolist() for n, w in weights.items()}


def test_the_same_model_saved_at_another_time_is_the_same_bytes(trained, saved, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    save_model(tmp_path / "again", trained.network, trained.card)
    for name in (WEIGHTS, CARD):
        assert (saved / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_saving_leaves_other_files_of_the_folder_alone(trained, saved):
    (saved / "metrics.json").write_text("{}")
    save_model(saved, trained.network, trained.card)
    assert sorted(p.name for p in saved.iterdir()) == ["metrics.json", CARD, WEIGHTS]


def test_one_flipped_sign_bit_is_refused(saved):
    content = bytearray((saved / WEIGHTS).read_bytes())
    kernel = np.load(saved / WEIGHTS)["first/kernel"]
    where = bytes(content).index(kernel.tobytes())
    content[where + 3] ^= 0x80
    (saved / WEIGHTS).write_bytes(content)
    flipped = np.frombuffer(bytes(content[where : where + 4]), np.float32)[0]
    assert flipped == -kernel.flat[0]
    with pytest.raises(InputError, match=r"SHA-256 .* expected"):
        load_model(saved)


def test_another_model_than_the_promoted_one_is_refused(saved):
    with pytest.raises(InputError, match=f"expected {'0' * 64}"):
        load_model(saved, weights_sha256="0" * 64)


def test_pickled_content_is_refused_even_with_the_right_digest(trained, saved, tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    weights = {name: w.astype(object) if name == "last/bias" else w for name, w in weights_of(trained.network).items()}
    weights["last/bias"][0] = Bomb()
    buffer = io.BytesIO()
    np.savez(buffer, **weights)
    for content in (buffer.getvalue(), pickle.dumps(Bomb())):
        forge(saved, content)
        with pytest.raises(InputError, match="not an archive of plain arrays"):
            load_model(saved)
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_shape_name_or_type_are_refused(trained, saved):
    good = weights_of(trained.network)
    wrong = [
        {**good, "first/kernel": good["first/kernel"][:, :8]},
        {**good, "last/bias": good["last/bias"].astype(np.float64)},
        {("frist/bias" if name == "first/bias" else name): w for name, w in good.items()},
    ]
    for weights in wrong:
        buffer = io.BytesIO()
        np.savez(buffer, **weights)
        forge(saved, buffer.getvalue())
        with pytest.raises(InputError, match="the card's architecture needs"):
            load_model(saved)


def test_weights_that_are_not_finite_are_refused(trained, saved):
    weights = weights_of(trained.network)
    weights["last/bias"][0] = np.nan
    buffer = io.BytesIO()
    np.savez(buffer, **weights)
    forge(saved, buffer.getvalue())
    with pytest.raises(InputError, match="last/bias is not finite"):
        load_model(saved)


def test_a_card_changed_by_hand_is_refused(saved):
    held = json.loads((saved / CARD).read_text())
    held["representation"]["config"]["sigma"][2] = 11.6
    (saved / CARD).write_text(json.dumps(held))
    with pytest.raises(InputError, match="changed after it was written"):
        load_model(saved)


def test_a_card_that_is_none_is_refused(saved):
    (saved / CARD).write_text('{"input_set": "5D"}')
    with pytest.raises(InputError, match="not a model card"):
        load_model(saved)
    (saved / CARD).write_text("half a ca")
    with pytest.raises(InputError, match="is not JSON"):
        load_model(saved)


def test_a_missing_file_is_named(saved):
    (saved / WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"weights\.npz is missing"):
        load_model(saved)


def test_arrays_are_stored_plainly_by_layer(saved):
    with zipfile.ZipFile(saved / WEIGHTS) as archive:
        assert "hidden_2/kernel.npy" in archive.namelist()
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_network_of_the_rest_frame_scores_another_survey_under_that_surveys_sun():
    columns = input_columns("5D")
    here, there = frame("m12i/lsr0"), frame("m12f/lsr1")
    card = seen_from(ModelCard("5D", "rest_frame", (8, 8), dict.fromkeys(columns, (0.0, 1.0))), here)
    network = build_network(card, seed=4)
    moved = rebuilt(network, seen_from(card, there))
    for name, weights in weights_of(network).items():
        np.testing.assert_array_equal(weights_of(moved)[name], weights)
    star = np.array([[30.0, 10.0, 5.0, -4.0, 0.8]], np.float32)
    faster = np.subtract(there.v_sun_kms, here.v_sun_kms)
    towards = galactocentric(*galactic_to_icrs(30.0, 10.0), 1 / 0.8, 5.0, -4.0, 0.0, here)
    # The same star in space is seen elsewhere by a Sun that moves otherwise: only then are the scores alike.
    seen = observables(PhaseSpace(*(np.atleast_1d(x) for x in astuple(towards))), there)
    same = np.array([[30.0, 10.0, seen.pmra[0], seen.pmdec[0], 0.8]], np.float32)
    assert np.linalg.norm(faster) > 10.0
    np.testing.assert_allclose(moved(same), network(star), atol=1e-6)
    assert abs(float(moved(star)[0, 0] - network(star)[0, 0])) > 1e-5


def test_a_network_that_is_told_each_stars_sun_has_the_weights_of_one_that_is_not(make_survey):
    stars = stars_from_frame(make_survey(50, 3), "5D", "accreted")
    sun = frame("m12i/lsr1")
    card = ModelCard("5D", "rest_frame", (8, 8), dict.fromkeys(stars.columns, (0.0, 1.0)))
    told = build_network(seen_from(card, frame("m12i/lsr0"), own_sun=True), seed=4)
    plain = rebuilt(told, seen_from(card, sun))
    np.testing.assert_array_equal(told(stars.with_solar_motion(sun.v_sun_kms).values), plain(stars.values))


def test_the_measured_representation_knows_of_no_sun(trained):
    assert seen_from(trained.card, frame("m12f/lsr0")) is trained.card
