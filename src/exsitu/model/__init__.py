"""The network: its inputs, shape, training, transfer, storage and scoring.

What TensorFlow and Keras read from the environment is set here, before any of them is imported; a value the user set
stays, but for Keras's engine. ``exsitu.model.runtime`` imports the two.
"""

import logging
import os
import sys

_ENGINE = "tensorflow"
_ENVIRONMENT = {
    "KERAS_BACKEND": _ENGINE,
    "TF_CPP_MIN_LOG_LEVEL": "2",  # errors only
    "TF_ENABLE_ONEDNN_OPTS": "0",  # its kernels pick the order of a sum by processor and by load
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
if os.environ["KERAS_BACKEND"] != _ENGINE and "keras" not in sys.modules:
    logging.getLogger(__name__).warning(
        "KERAS_BACKEND=%s: exsitu's networks need %s, which this process uses", os.environ["KERAS_BACKEND"], _ENGINE
    )
    os.environ["KERAS_BACKEND"] = _ENGINE
