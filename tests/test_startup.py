"""Help and refusals come before anything heavy is imported."""

import subprocess
import sys

import pytest

HEAVY = (
    "astropy", "dvc", "gala", "great_expectations", "h5py", "keras", "matplotlib", "mlflow", "numba", "numpy", "pandas",
    "prefect", "pyarrow", "pydantic", "scipy", "sklearn", "tensorflow", "tqdm", "yaml",
)  # fmt: skip


def imported(*words):
    """Heavy packages that a command has imported by the time it ends, and how it ended."""
    code = (
        "import sys\nfrom exsitu.cli import main\n"
        "try:\n    main(sys.argv[2:])\nexcept SystemExit as end:\n"
        "    print(end.code, *(name for name in sys.argv[1].split(',') if name in sys.modules), file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", code, ",".join(HEAVY), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    status, *names = done.stderr.splitlines()[-1].split()
    return names, int(status)


@pytest.mark.parametrize("words", [("--help",), ("mocks", "--help"), ("score", "--help"), ("--version",)])
def test_help_imports_nothing_heavy(words):
    assert imported(*words) == ([], 0)


@pytest.mark.parametrize(
    "words",
    [
        ("scoer",),
        ("score",),
        ("score", "--bad"),
        ("score", "--input", "x", "--cut", "2"),
        ("mocks", "make", "--galaxy", "x"),
    ],
    ids=" ".join,
)
def test_refused_arguments_import_nothing_heavy(words):
    assert imported(*words) == ([], 2)
