"""A folder as git and DVC leave it."""

import subprocess
from pathlib import Path


def git(root: Path, *words: str) -> None:
    """Run git in a folder as somebody."""
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def make_checkout(root: Path) -> Path:
    """Make a git and DVC repository of a folder, with one commit."""
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (root / "params.yaml").write_text("profile: quick\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "start")
    return root
