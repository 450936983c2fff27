"""Whoever makes the mock data, wherever: the same bytes; and a last bit that differs stays a last bit."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exsitu import elementary
from exsitu.mocks.make import make_mocks
from exsitu.mocks.standin import make_standin
from exsitu.provenance import sha256_tree
from exsitu.settings import Galaxy, MilkyWay, Mocks
from exsitu.tables import read_parquet

HERE = Path(__file__).parent
STANDIN = MilkyWay(source="standin", gaia_stars=5_000, spectroscopic_stars=800)
MOCKS = Mocks(
    source="builtin",
    stars_per_viewpoint=8_000,
    particle_mass_msun=2.0e5,
    accreted_particle_mass_msun=2.0e5,
    error_profile="ananke",
)
ELEMENTARY = ("sin", "cos", "tan", "arcsin", "arctan2", "arctanh", "cosh", "exp", "log", "log10", "power", "exp10")


def make(folder: Path) -> None:
    """Mock surveys of both kinds of a galaxy, and the stand-in."""
    galaxy = Galaxy(galaxy="m12f", viewpoints=(0,))
    make_mocks(folder, galaxy, MOCKS, seed=3, max_fractional_parallax_error=0.1, progress=False)
    make_standin(folder / "milkyway", STANDIN, MOCKS, seed=3, progress=False)


def _optional_features() -> str:
    """What this processor offers beyond what NumPy was built for, and NumPy would use."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name))


def _run(folder: Path, environment: dict[str, str]) -> float:
    """Make the data in a process of its own; the sine of 1 to 999, added up, as that process's C library has it."""
    code = (
        "import math, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]); import test_repeatability as t; "
        "t.make(Path(sys.argv[1])); print(repr(sum(math.sin(i) for i in range(1, 1000))))"
    )
    compiled = {"NUMBA_CACHE_DIR": str(folder.with_name(f"{folder.name}-numba"))}
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(HERE)],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | compiled | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The data as this machine makes them, and its sum of sines."""
    folder = tmp_path_factory.mktemp("data") / "plain"
    return folder, _run(folder, {})


@pytest.mark.slow
def test_another_c_library_makes_the_same_bytes(plain, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to make another C library with")
    library = tmp_path / "other_libm.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-fno-builtin", "-O1", str(HERE / "other_libm.c"), "-o", str(library), "-ldl"],
        check=True,
    )
    sines = _run(tmp_path / "other", {"LD_PRELOAD": str(library)})
    assert sines != plain[1]  # it is another one
    assert sha256_tree(tmp_path / "other") == sha256_tree(plain[0])
    assert len(list(plain[0].rglob("*.*"))) == 7


@pytest.mark.slow
def test_a_processor_that_offers_less_makes_the_same_bytes(plain, tmp_path):
    reduced = {
        "NPY_DISABLE_CPU_FEATURES": _optional_features(),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA",
        "NUMBA_CPU_NAME": "nehalem",
    }
    _run(tmp_path / "reduced", reduced)
    assert sha256_tree(tmp_path / "reduced") == sha256_tree(plain[0])


@pytest.mark.slow
def test_a_last_bit_that_differs_stays_a_last_bit(plain, tmp_path, monkeypatch):
    moved = np.random.default_rng(1)

    def off(function):
        @functools.wraps(function)
        def by_one_unit(*values):
            result = np.asarray(function(*values), np.float64)
            with np.errstate(invalid="ignore"):
                return result + moved.integers(-1, 2, result.shape) * np.spacing(result)

        return by_one_unit

    for name in ELEMENTARY:
        monkeypatch.setattr(elementary, name, off(getattr(elementary, name)))
    make(tmp_path / "moved")
    monkeypatch.undo()
    assert sha256_tree(tmp_path / "moved") != sha256_tree(plain[0])
    for path in sorted(plain[0].rglob("*.parquet")):
        _agree(read_parquet(path), read_parquet(tmp_path / "moved" / path.relative_to(plain[0])))


def _agree(first: pd.DataFrame, second: pd.DataFrame) -> None:
    """The same stars, whole numbers and words, and every other number within 1e-9 of its column's scale."""
    assert len(first) == len(second)
    for name in first:
        if first[name].dtype.kind != "f":
            assert (first[name] == second[name]).all(), name
            continue
        a, b = first[name].to_numpy(), second[name].to_numpy()
        allowed = max(1e-9, 2.0 * float(np.finfo(a.dtype).eps))
        np.testing.assert_allclose(a, b, rtol=allowed, atol=allowed * np.nanmax(np.abs(a)), err_msg=name)
