import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Galactocentric, SkyCoord

from exsitu.errors import InputError
from exsitu.model.inputs import TABLE_2, input_columns
from exsitu.model.representations import REPRESENTATIONS, Measured, RestFrame, representation
from exsitu.model.runtime import keras
from exsitu.phase_space import SOLAR_MOTION, SolarFrame, galactocentric, icrs_to_galactic

COLUMNS = input_columns("6D+feh")


def test_measured_standardises_with_table_2():
    mean, sigma = np.array([TABLE_2[name] for name in COLUMNS], np.float32).T
    layer = Measured.for_inputs(COLUMNS)
    np.testing.assert_array_equal(layer(np.stack([mean, mean + sigma])).numpy()[0], 0.0)
    np.testing.assert_allclose(layer(np.stack([mean, mean + sigma])).numpy()[1], 1.0, rtol=1e-6)


def test_a_representation_has_no_weights():
    for kind in REPRESENTATIONS.values():
        layer = kind.for_inputs(COLUMNS)
        layer.build((None, len(COLUMNS)))
        assert layer.weights == []


def test_its_constants_make_the_layer_again():
    layer = Measured.for_inputs(COLUMNS)
    again = Measured(**layer.constants)
    stars = np.ones((3, len(COLUMNS)), np.float32)
    np.testing.assert_array_equal(layer(stars).numpy(), again(stars).numpy())


def test_keras_can_make_the_layer_again_from_its_configuration():
    layer = Measured.for_inputs(COLUMNS)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.constants == layer.constants
    assert again.name == "representation"


def test_constants_of_another_number_of_columns_or_without_spread_are_refused():
    with pytest.raises(InputError, match="2 columns need as many means"):
        Measured(("l", "b"), (0.0,), (1.0,))
    with pytest.raises(InputError, match="positive sigmas"):
        Measured(("l", "b"), (0.0, 0.0), (1.0, 0.0))


def test_an_unknown_representation_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="no representation 'mesured'; did you mean 'measured'"):
        representation("mesured")


SUN = SolarFrame(8.2, 0.0208, (11.1, 245.0, 7.25), "a test")


def sky(n_stars: int, seed: int = 3) -> dict[str, np.ndarray]:
    """Stars all over the sky, the celestial poles and the seam in l among them, as the survey states them."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0.0, 360.0, n_stars), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n_stars)))
    dec[:2] = 89.9, -89.9
    longitude, latitude = icrs_to_galactic(ra, dec)
    stars = {
        "l": longitude,
        "b": latitude,
        "pmra": rng.normal(0.0, 30.0, n_stars),
        "pmdec": rng.normal(0.0, 30.0, n_stars),
        "parallax": rng.uniform(0.25, 5.0, n_stars),
        "radial_velocity": rng.normal(0.0, 150.0, n_stars),
        "feh": rng.normal(-0.5, 0.4, n_stars),
    }
    return stars | {"ra": ra, "dec": dec}


def output(
    columns: tuple[str, ...], stars: dict[str, np.ndarray], layer: RestFrame | None = None
) -> dict[str, np.ndarray]:
    """What the layer gives, in physical units, by name."""
    layer = layer or RestFrame.at(columns, SUN)
    values = np.stack([stars[name] for name in layer.columns], axis=1).astype(np.float32)
    found = np.asarray(layer(values), np.float64)
    scale = layer.constants["scale"]
    physical = {name: found[:, i] * scale[name][1] + scale[name][0] for i, name in enumerate(scale)}
    return physical | {f"n_{a}": found[:, 6 + i] for i, a in enumerate(("r", "phi", "z"))} | {"rest": found[:, 9:]}


def test_rest_frame_of_six_dimensions_is_astropys_phase_space():
    stars = sky(500)
    frame = Galactocentric(
        galcen_distance=SUN.r_sun_kpc * u.kpc,
        z_sun=SUN.z_sun_kpc * u.kpc,
        galcen_v_sun=SUN.v_sun_kms * u.km / u.s,
    )
    seen = SkyCoord(
        ra=stars["ra"] * u.deg,
        dec=stars["dec"] * u.deg,
        distance=1.0 / stars["parallax"] * u.kpc,
        pm_ra_cosdec=stars["pmra"] * u.mas / u.yr,
        pm_dec=stars["pmdec"] * u.mas / u.yr,
        radial_velocity=stars["radial_velocity"] * u.km / u.s,
    ).transform_to(frame)
    seen.representation_type = "cylindrical"
    radius = seen.rho.to_value(u.kpc)
    found = output(input_columns("6D"), stars)
    np.testing.assert_allclose(found["r_kpc"], radius, atol=2e-5)
    np.testing.assert_allclose(found["z_kpc"], seen.z.to_value(u.kpc), atol=2e-5)
    np.testing.assert_allclose(found["v_r_kms"], seen.d_rho.to_value(u.km / u.s), atol=5e-3)
    rotation = -(seen.rho * seen.d_phi).to_value(u.km / u.s, equivalencies=u.dimensionless_angles())
    np.testing.assert_allclose(found["v_phi_kms"], rotation, atol=5e-3)
    np.testing.assert_allclose(found["v_z_kms"], seen.d_z.to_value(u.km / u.s), atol=5e-3)


def test_rest_frame_without_radial_velocity_is_the_velocity_less_its_part_along_the_line_of_sight():
    stars = sky(500)
    whole = galactocentric(
        stars["ra"], stars["dec"], 1.0 / stars["parallax"], stars["pmra"], stars["pmdec"], stars["radial_velocity"], SUN
    )
    found = output(input_columns("5D"), stars)
    axes = ("r", "phi", "z")
    sight = np.stack([found[f"n_{a}"] for a in axes], axis=1)
    np.testing.assert_allclose(np.linalg.norm(sight, axis=1), 1.0, atol=1e-6)
    velocity = np.stack([whole.v_r, whole.v_phi, whole.v_z], axis=1)
    expected = velocity - (velocity * sight).sum(axis=1, keepdims=True) * sight
    measured = np.stack([found[f"v_{a}_kms"] for a in axes], axis=1)
    np.testing.assert_allclose(measured, expected, atol=5e-3)
    np.testing.assert_allclose((measured * sight).sum(axis=1), 0.0, atol=5e-3)


def test_stars_that_bring_their_sun_get_what_a_layer_of_that_sun_gives():
    stars = sky(50)
    columns = input_columns("5D")
    told = {name: np.full(50, v) for name, v in zip(SOLAR_MOTION, SUN.v_sun_kms, strict=True)}
    elsewhere = SolarFrame(SUN.r_sun_kpc, SUN.z_sun_kpc, (0.0, 0.0, 0.0), "not looked at")
    own = output((), stars | told, RestFrame.at((*SOLAR_MOTION, *columns), elsewhere))
    fixed = output(columns, stars)
    for name, values in fixed.items():
        np.testing.assert_array_equal(own[name], values)


def test_another_sun_changes_the_velocities_by_its_motion_alone():
    stars = sky(50)
    columns = input_columns("6D")
    faster = SolarFrame(SUN.r_sun_kpc, SUN.z_sun_kpc, (11.1, 245.0, 17.25), "a test")
    here, there = output(columns, stars), output(columns, stars, RestFrame.at(columns, faster))
    np.testing.assert_allclose(there["v_z_kms"] - here["v_z_kms"], 10.0, atol=1e-3)
    np.testing.assert_array_equal(there["v_r_kms"], here["v_r_kms"])


@pytest.mark.parametrize("input_set", ["5D+phot", "5D+feh", "6D+feh"])
def test_rest_frame_standardises_the_other_inputs_as_measured_does(input_set):
    columns = input_columns(input_set)
    stars = sky(20) | {f"phot_{band}_mean_mag": np.linspace(9.0, 19.0, 20) for band in ("g", "bp", "rp")}
    others = [name for name in columns if name not in input_columns("6D")]
    measured = Measured.for_inputs(others)(np.stack([stars[n] for n in others], axis=1).astype(np.float32))
    np.testing.assert_allclose(output(columns, stars)["rest"], measured, rtol=1e-6)


def test_rest_frame_of_a_parallax_drawn_below_zero_stays_finite():
    stars = sky(4) | {"parallax": np.array([-0.1, 0.0, 1e-6, 0.3])}
    assert all(np.isfinite(values).all() for values in output(input_columns("5D"), stars).values())


def test_rest_frame_needs_a_parallax():
    with pytest.raises(InputError, match="rest_frame needs l, b, pmra, pmdec, parallax"):
        RestFrame.for_inputs(input_columns("4D"))


def test_keras_can_make_the_rest_frame_again_from_its_configuration():
    layer = RestFrame.at(COLUMNS, SUN)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.constants == layer.constants
    assert again.constants["v_sun_kms"] == list(SUN.v_sun_kms)
