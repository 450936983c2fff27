import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from exsitu.errors import InputError
from exsitu.model.checkpoints import FILE
from exsitu.model.network import build_network, weights_of
from exsitu.model.training import train
from exsitu.settings import Plateau

SEED = 2


class KilledError(Exception):
    pass


def stop_after(epoch: int):
    def on_epoch(number: int, losses: dict[str, float]) -> None:
        if number == epoch + 1:  # in the middle of what follows the checkpoint
            raise KilledError

    return on_epoch


def assert_same(network, other) -> None:
    for name, weights in weights_of(network).items():
        np.testing.assert_array_equal(weights, weights_of(other)[name])


@pytest.fixture
def hasty(plan):
    return plan.model_copy(update={"plateau": Plateau(factor=0.1, patience=1, floor=1e-6), "stop_patience": 3})


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(spec, hasty, training, validation, tmp_path, epoch):
    whole, parted = build_network(spec, seed=1), build_network(spec, seed=1)
    expected = train(whole, training, validation, hasty, max_epochs=6, seed=SEED)
    assert len(expected) > epoch + 1
    assert expected["learning_rate"].nunique() > 1  # or the plateau's state would not be tested
    with pytest.raises(KilledError):
        train(
            parted,
            training,
            validation,
            hasty,
            max_epochs=6,
            seed=SEED,
            checkpoints=tmp_path,
            on_epoch=stop_after(epoch),
        )
    seen = []
    parted = build_network(spec, seed=1)
    history = train(
        parted,
        training,
        validation,
        hasty,
        max_epochs=6,
        seed=SEED,
        checkpoints=tmp_path,
        on_epoch=lambda number, _: seen.append(number),
    )
    assert seen == list(range(epoch + 1, len(expected) + 1))
    assert history.equals(expected)
    assert_same(parted, whole)


def test_a_training_that_ended_is_not_repeated(spec, hasty, training, validation, tmp_path):
    upside_down = validation.take(np.arange(len(validation)))
    upside_down.label[:] = 1 - upside_down.label
    networks = [build_network(spec, seed=1) for _ in range(2)]
    histories = [
        train(network, training, upside_down, hasty, max_epochs=50, seed=SEED, checkpoints=tmp_path)
        for network in networks
    ]
    assert len(histories[0]) < 50
    assert histories[0].equals(histories[1])
    assert_same(*networks)


def test_a_checkpoint_of_another_training_is_refused(spec, plan, training, validation, tmp_path):
    def go(network=1, stars=training, plan=plan, seed=SEED) -> None:
        train(build_network(spec, seed=network), stars, validation, plan, max_epochs=1, seed=seed, checkpoints=tmp_path)

    go()
    kept = (tmp_path / FILE).read_bytes()
    longer = plan.model_copy(update={"draws_per_star": 6})
    for changed, named in (
        ({"network": 2}, "network"),
        ({"stars": training.take(np.arange(3000))}, "training stars"),
        ({"plan": longer}, "plan"),
        ({"seed": 3}, "seed"),
    ):
        with pytest.raises(InputError, match=f"is of a training with other {named}; remove it"):
            go(**changed)
    assert (tmp_path / FILE).read_bytes() == kept


def test_a_file_that_is_no_checkpoint_is_refused_and_nothing_in_it_is_run(spec, plan, training, validation, tmp_path):
    for content in (b"", b"no archive", b"\x80\x04."):
        (tmp_path / FILE).write_bytes(content)
        with pytest.raises(InputError, match="is not a checkpoint"):
            train(
                build_network(spec, seed=1), training, validation, plan, max_epochs=1, seed=SEED, checkpoints=tmp_path
            )
    with (tmp_path / FILE).open("wb") as out:
        np.savez(out, state=np.array([print], dtype=object))
    with pytest.raises(InputError, match="is not a checkpoint"):
        train(build_network(spec, seed=1), training, validation, plan, max_epochs=1, seed=SEED, checkpoints=tmp_path)


def test_the_file_holds_arrays_and_json(spec, plan, training, validation, tmp_path):
    train(build_network(spec, seed=1), training, validation, plan, max_epochs=1, seed=SEED, checkpoints=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    with np.load(tmp_path / FILE, allow_pickle=False) as archive:
        state = json.loads(str(archive["state"]))
        assert {name.split("/")[0] for name in archive.files} == {"state", "weights", "optimizer", "best"}
    assert state["epoch"] == 1
    assert len(state["history"]) == 1


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import conftest
from exsitu.model.inputs import stars_from_frame
from exsitu.model.network import build_network, save_model, ModelCard
from exsitu.model.training import train
from exsitu.settings import Network, Plateau, Training
plan = Training(noise="errors", draws_per_star=5, accreted_per_batch=5, accreted_weight=0.2, learning_rate=3e-3,
                plateau=Plateau(factor=0.1, patience=5, floor=1e-6), stop_patience=10, cores=1)
spec = Network(input_set="5D", representation="measured", hidden=(16, 16))
samples = [stars_from_frame(conftest.survey(n, seed), "5D", "accreted") for n, seed in ((4000, 1), (1500, 2))]
network = build_network(spec, seed=1)
def on_epoch(number, losses):
    print(number, flush=True)
    time.sleep(0.2 if len(sys.argv) > 3 else 0.0)
history = train(network, *samples, plan, max_epochs=5, seed=2, checkpoints=Path(sys.argv[2]), on_epoch=on_epoch)
history.to_json(Path(sys.argv[2]) / "history.json", double_precision=15)
card = ModelCard("5D", "measured", spec.hidden, {name: (-1e3, 1e3) for name in samples[0].columns})
save_model(Path(sys.argv[2]), network, card)
"""


@pytest.mark.fault
@pytest.mark.slow
def test_a_training_killed_at_any_time_ends_with_the_same_files(tmp_path):
    here = str(Path(__file__).parent)

    def command(folder: Path, *more: str) -> list[str]:
        return [sys.executable, "-W", "ignore", "-c", CHILD, here, str(folder), *more]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    subprocess.run(command(whole), check=True, capture_output=True)
    for epochs in (2, 1):  # killed in its third epoch, then in its fourth
        with subprocess.Popen(command(killed, "slow"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            for _ in range(epochs + 1):
                last = child.stdout.readline()
            os.kill(child.pid, signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        assert last.strip()
    again = subprocess.run(command(killed), check=True, capture_output=True, text=True)
    assert again.stdout.split()[-1] == "5"
    assert again.stdout.split()[0] != "1"
    for name in ("history.json", "weights.npz"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes()
