"""A copy of the project to run things in: its own git and DVC repository, its own Prefect home, a tiny profile."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]

TINY = {
    "mocks": {
        "source": "builtin",
        "stars_per_viewpoint": 30000,
        "particle_mass_msun": 150000.0,
        "accreted_particle_mass_msun": 150000.0,
        "error_profile": "ananke",
    },
    "milky_way": {"source": "standin", "gaia_stars": 30000, "spectroscopic_stars": 20000},
    "samples": {"validation_stars": 6000, "test_stars": 15000, "transfer_stars": 8000},
    "epochs": {"pretraining": 2, "transfer": 2},
    "chunk_rows": 20000,
}
"""A profile that goes the whole way in minutes; too small to say anything about stars."""


def free_port() -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(root: Path, **more: str) -> dict[str, str]:
    """Environment of a command run in a copy of the project: its own Prefect home, this Python's commands first."""
    commands = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PREFECT_HOME": str(root / ".prefect"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        "DVC_NO_ANALYTICS": "1",
        "DO_NOT_TRACK": "true",
        **more,
    }


def run(root: Path, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a copy of the project and keep what it said."""
    return subprocess.run(
        command, cwd=root, env=environment(root, **more), capture_output=True, text=True, check=False, timeout=1500
    )


def copy_project(root: Path) -> Path:
    """Copy what git tracks or would track into a folder: a git and DVC repository of its own, with the tiny profile."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    results = {"data.dvc", "dvc.lock", "champion.json", "promotions.jsonl"}
    for name in filter(None, listed.stdout.split("\0")):
        if name not in results and (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, root / name)
    params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    params["profiles"]["tiny"] = TINY
    params["profile"] = "tiny"
    params["evaluation"]["min_selected"] = 20
    params["labels"]["zm"] = {"min_height_kpc": 0.5, "max_feh": -1.2}  # few stars, of which some must pass
    # So little training proves nothing; what is tested is the way, not the stars.
    params["evaluation"]["acceptance"] = {
        "min_auc": 0.5,
        "min_purity": 0.0,
        "min_efficiency_accreted": 0.0,
        "max_sum_chi2": 10.0,
    }
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "copy"]):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
    return root
