"""TensorFlow and Keras, imported once: quietly, and on a stated number of threads.

On one thread, with every random number drawn from an explicit seed, XLA's code gives the same bits each time (the tests
hold it to that). ``enable_op_determinism`` is not asked for: Keras then compiles nothing.

Modules that need the two write ``from exsitu.model.runtime import keras, tf``. Importing this module takes seconds.
"""

import contextlib
import ctypes
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

from exsitu.errors import InputError

__all__ = ["configure", "keras", "tf"]

log = logging.getLogger(__name__)

_EPSILON = 1e-7
"""Keras's own, which the losses use."""
_CHATTER = ("All log messages before absl::InitializeLog()", "cudart_stub.cc", "cuda_platform.cc")


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what TensorFlow's C++ writes on import whatever the log level; everything else is passed on."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines(keepends=True):
                if not any(words in line for words in _CHATTER):
                    sys.stderr.write(line)


_MALLOPT = {-3: 32 << 20, -1: 1 << 30, -2: 16 << 20}
"""Of glibc's ``malloc.h``: M_MMAP_THRESHOLD at its most, M_TRIM_THRESHOLD, M_TOP_PAD."""


def _keep_memory() -> None:
    """
    Keep memory that was freed for the next who asks, up to 1 GB.

    What XLA's threads free goes back to the system otherwise and is fetched again within the same training step, page
    by page: a third of the step where pages are dear.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library has other ways
        library = ctypes.CDLL("libc.so.6")
        for option, value in _MALLOPT.items():
            library.mallopt(option, value)


_keep_memory()

with _without_chatter():
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices("GPU")  # looks for one now, and complains here where there is none


def _require_engine() -> None:
    """Refuse another engine; take back what a user's keras.json changes of the numbers."""
    engine = keras.config.backend()
    if engine != "tensorflow":
        raise InputError(
            f"Keras runs on {engine} in this process, and exsitu's networks need tensorflow: set "
            "KERAS_BACKEND=tensorflow and start again"
        )
    if (keras.config.floatx(), keras.config.epsilon()) != ("float32", _EPSILON):
        log.warning("Keras was set to %s and epsilon %g (keras.json): exsitu sets float32 and %g",
                    keras.config.floatx(), keras.config.epsilon(), _EPSILON)  # fmt: skip
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(_EPSILON)


_require_engine()


def configure(threads: int = 1) -> None:
    """
    Set the number of threads of TensorFlow.

    Called with 1 on import: small layers gain nothing from a second thread, a process per core does.

    Parameters
    ----------
    threads : int
        Threads within an operation and between operations.

    Raises
    ------
    RuntimeError
        If TensorFlow has already computed something on another number of threads.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


with contextlib.suppress(RuntimeError):  # whoever used TensorFlow before has chosen
    configure()
