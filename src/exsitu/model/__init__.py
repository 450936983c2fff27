"""The network: its inputs, shape, training, transfer, storage and scoring.

What TensorFlow and Keras read from the environment is set here, before any of them is imported; a value the user set
stays. ``exsitu.model.runtime`` imports the two.
"""

import os

_ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only
    "TF_ENABLE_ONEDNN_OPTS": "0",  # its kernels pick the order of a sum by processor and by load
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
