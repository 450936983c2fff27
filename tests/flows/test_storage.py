"""A team's storage: artefacts and data in S3, served over HTTP by moto."""

import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from project import REPOSITORY, copy_project, free_port, run
from team import Team

from exsitu import tracking
from exsitu.model.inputs import input_columns
from exsitu.provenance import sha256_file
from exsitu.settings import Network, Tracking

pytestmark = pytest.mark.long

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The bucket ``bucket`` of a server on this machine."""
    import boto3
    from botocore.config import Config

    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    log = tmp_path_factory.mktemp("storage") / "log"
    with log.open("wb") as said, subprocess.Popen(words, stdout=said, stderr=said) as server:
        try:
            storage = boto3.resource(
                "s3",
                endpoint_url=f"http://127.0.0.1:{port}",
                aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
                config=Config(retries={"max_attempts": 10}),  # until the server is there
            )
            yield storage.create_bucket(Bucket="bucket")
        finally:
            server.terminate()


def address(bucket: Any) -> str:
    return bucket.meta.client.meta.endpoint_url


def kept(bucket: Any, folder: str) -> dict[str, int]:
    """Name and size of what lies in a folder of the bucket."""
    return {entry.key.removeprefix(folder): entry.size for entry in bucket.objects.filter(Prefix=folder)}


@pytest.fixture
def server(bucket: Any, postgres: int, tmp_path: Path) -> Iterator[str]:
    """Address of the compose file's MLflow, whose artefacts go into the bucket."""
    there = Team(
        tmp_path,
        postgres,
        ARTEFACTS="s3://bucket/mlflow",
        S3_ENDPOINT=address(bucket),
        S3_KEY=KEYS["AWS_ACCESS_KEY_ID"],
        S3_SECRET=KEYS["AWS_SECRET_ACCESS_KEY"],
    )
    found = f"http://127.0.0.1:{there.ports['mlflow']}"
    try:
        there.start("mlflow")
        there.wait(lambda: urllib.request.urlopen(f"{found}/health", timeout=30))
        yield found
    finally:
        there.stop_all()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras on its own variables
def test_a_model_goes_into_the_bucket_and_comes_back_by_the_server_alone(server, bucket, tmp_path, monkeypatch):
    from exsitu.model.network import ModelCard, build_network, load_model, save_model

    for name in ("MLFLOW_TRACKING_URI", *KEYS):  # who asks the server needs no key of the storage
        monkeypatch.delenv(name, raising=False)
    settings = Tracking(uri=server, artifacts=tmp_path, model_name="exsitu")
    spec = Network(input_set="5D", representation="measured", hidden=(16, 16))
    network, columns = build_network(spec, seed=1), input_columns(spec.input_set)
    card = ModelCard(spec.input_set, spec.representation, spec.hidden, dict.fromkeys(columns, (0.0, 1.0)))
    folder = tmp_path / "model"
    card = save_model(folder, network, card)
    with tracking.start_run(settings, "transfer", "transfer none") as run:
        run.log_model(network, card, pd.DataFrame(0.5, range(3), columns), folder=folder)

    inside = {name.rsplit("/", 1)[-1] for name in kept(bucket, "mlflow/")}
    assert inside >= {"weights.npz", "model.json", "MLmodel", "model.keras"}
    back = tracking.download(settings, run.run_id, tracking.MODEL_FILES)
    assert sha256_file(back / "weights.npz") == card.weights_sha256
    _, told = load_model(back, weights_sha256=tracking.find_run(settings, run.run_id).tags["weights_sha256"])
    assert told.digest == card.digest
    shutil.rmtree(back.parent)


def test_what_one_clone_pushes_another_pulls_byte_by_byte(bucket, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    copy_project(first)
    (first / "data").mkdir()
    for name, size in {"small": 10, "of-several-parts": 60_000_000}.items():
        (first / "data" / name).write_bytes(np.random.default_rng(size).bytes(size))

    def ok(root: Path, *words: str) -> None:
        done = run(root, *words, **KEYS)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"

    ok(first, "dvc", "add", "--quiet", "data")
    page = (REPOSITORY / "docs" / "team.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"^    (dvc remote add .*)$", page, re.MULTILINE)
    ok(first, "sh", "-ec", told.replace("https://storage.team.example.org", address(bucket)))
    ok(first, "git", "add", "-A")
    ok(first, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "-m", "data")
    ok(first, "dvc", "push")
    assert sorted(kept(bucket, "dvc/").values())[::2] == [10, 60_000_000]  # between them, the list of both

    ok(tmp_path, "git", "clone", "-q", str(first), str(second))
    ok(second, "dvc", "pull", "--allow-missing")
    digests = [{p.name: sha256_file(p) for p in (root / "data").iterdir()} for root in (first, second)]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 2
