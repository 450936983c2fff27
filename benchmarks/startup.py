"""What a user waits for before anything is done: CPU-seconds of help and of a refused argument, medians of five.

Each is a process of its own, user and system time together, in which nothing heavy may have been imported.
"""

import json
import resource
import statistics
import subprocess
import sys
from typing import Any

from figures import REPEATS, row

MOST = 0.5
COMMANDS = {("--help",): 0, ("score", "--bad"): 2}
"""Words of the command line, and the status they end with."""


def spent(words: tuple[str, ...], status: int) -> float:
    """CPU-seconds of one command, user and system."""
    code = "from exsitu.cli import main; main()"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run([sys.executable, "-c", code, *words], check=False, capture_output=True).returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended != status:
        raise RuntimeError(
            f"exsitu {' '.join(words)} ended with {ended}, not {status}: what was timed is something else"
        )
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure() -> list[dict[str, Any]]:
    """Start-up, after one round that fills the system's caches."""
    found = []
    for words, status in COMMANDS.items():
        times = [spent(words, status) for _ in range(REPEATS + 1)][1:]
        name = f"exsitu {' '.join(words)}"
        found.append(row(name, statistics.median(times), "CPU-s", limit=MOST, target=1.0, smaller=True))
    return found


def main() -> None:
    """Print the figures."""
    for figure in measure():
        print(json.dumps(figure))


if __name__ == "__main__":
    main()
