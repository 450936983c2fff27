import hashlib
import json
import os
import subprocess
import sys

import pytest

from exsitu.model.network import weights_of
from exsitu.model.runtime import tf

CHILD = """
import hashlib, importlib.util, json, sys
spec = importlib.util.spec_from_file_location("shared", sys.argv[1])
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)
from exsitu.model.inputs import stars_from_frame
from exsitu.model.network import build_network, weights_of
from exsitu.model.training import train
from exsitu.settings import Network, Training
network = build_network(Network(**json.loads(sys.argv[2])), seed=1)
stars = [stars_from_frame(shared.survey(n, seed), "5D", "accreted") for n, seed in ((4000, 1), (1500, 2))]
train(network, *stars, Training(**json.loads(sys.argv[3])), max_epochs=3, seed=2)
print(hashlib.sha256(b"".join(w.tobytes() for w in weights_of(network).values())).hexdigest())
"""


def test_one_thread_is_the_rule():
    assert tf.config.threading.get_intra_op_parallelism_threads() == 1
    assert tf.config.threading.get_inter_op_parallelism_threads() == 1


@pytest.mark.slow
def test_another_process_trains_the_same_bits_and_says_nothing(trained, spec, plan, repository):
    shared = repository / "tests" / "model" / "conftest.py"
    told = [json.dumps(settings.model_dump()) for settings in (spec, plan)]
    quiet = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS"))}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(shared), *told], capture_output=True, text=True, check=True, env=quiet
    )
    here = hashlib.sha256(b"".join(w.tobytes() for w in weights_of(trained.network).values())).hexdigest()
    assert done.stdout.strip() == here
    assert done.stderr == ""
