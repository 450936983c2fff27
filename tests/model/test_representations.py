import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.model.inputs import TABLE_2, input_columns
from exsitu.model.representations import REPRESENTATIONS, Measured, representation
from exsitu.model.runtime import keras

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
