"""A registry to try promotions on: made-up models with runs that made them, in the working directory."""

import json
from pathlib import Path

from exsitu import tracking
from exsitu.provenance import sha256_file, sha256_json
from exsitu.registry import Candidate
from exsitu.settings import Tracking

SETTINGS = Tracking(uri="sqlite:///mlruns/mlflow.db", artifacts=Path("mlruns/artifacts"), model_name="exsitu")
FILE = Path("champion.json")
PASSED = {"passed": True, "reasons": [], "auc": 0.94, "purity": 0.41, "sum_chi2": 0.0102}


def model_files(folder, weights):
    """The two files of a made-up model."""
    folder.mkdir(parents=True)
    (folder / "weights.npz").write_bytes(weights)
    sha256 = sha256_file(folder / "weights.npz")
    card = {"weights_sha256": sha256, "digest": sha256_json(["card", sha256])}
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def candidate(name, *, evaluation=None, cut=0.75):
    """A model on disk, with a run that made it."""
    folder = Path("build") / name
    if not folder.is_dir():
        model_files(folder, name.encode())
    with tracking.start_run(SETTINGS, "transfer", name, data={"adaptation": "a" * 64}) as run:
        run.log_files([folder / "weights.npz", folder / "model.json"], tracking.MODEL_FILES)
    return Candidate(run.run_id, folder, "zm_last", cut, PASSED if evaluation is None else evaluation)


def versions():
    """All registered versions, by number."""
    client = tracking.connect(SETTINGS, create=False)
    found = client.search_model_versions("name = 'exsitu'")
    return {str(v.version): client.get_model_version("exsitu", v.version) for v in found}


def alias(name):
    """Version under an alias, or None."""
    models = tracking.connect(SETTINGS, create=False).search_registered_models("name = 'exsitu'")
    found = models[0].aliases.get(name) if models else None
    return None if found is None else str(found)
