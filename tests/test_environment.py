"""What a shell, a notebook or a read-only machine set otherwise is filled in, overruled or named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exsitu import environment
from exsitu.environment import COMMAND, is_writable, prepare, prepare_command


@pytest.fixture
def read_only(monkeypatch, tmp_path):
    """A machine on which only the folder of temporary files can be written."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr(environment, "is_writable", lambda folder: temporary in folder.parents)
    return temporary


def test_compiled_code_is_cached_in_the_package_if_that_can_be_written():
    found = {"HOME": "/nowhere"}
    prepare(found)  # the package of a checkout can be written
    assert Path(found["NUMBA_CACHE_DIR"]).parent == Path(environment.__file__).parent / "__pycache__"


def test_every_version_of_the_code_has_a_cache_of_its_own(tmp_path, monkeypatch):
    # numba looks at the file of a function alone, not at those of the functions it calls.
    places = []
    for name in environment._COMPILED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((Path(environment.__file__).parent / name).read_bytes())
    monkeypatch.setattr(environment, "_PACKAGE", tmp_path)
    for addition in ("", "# changed"):
        (tmp_path / "elementary.py").write_bytes((tmp_path / "elementary.py").read_bytes() + addition.encode())
        found = {"HOME": "/nowhere"}
        prepare(found)
        places.append(found["NUMBA_CACHE_DIR"])
        again = dict(found)
        prepare(again)
        assert again == found
    assert len(set(places)) == 2


def test_all_modules_that_numba_compiles_count():
    package = Path(environment.__file__).parent
    found = {p.relative_to(package).as_posix() for p in package.rglob("*.py") if "from numba import" in p.read_text()}
    assert found == set(environment._COMPILED)


def test_on_a_read_only_machine_compiled_code_is_cached_in_a_folder_of_the_user_alone(read_only):
    found = {"HOME": "/nowhere"}
    prepare(found)
    folder = Path(found["NUMBA_CACHE_DIR"]).parent
    assert folder == read_only / f"exsitu-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    named = {"HOME": "/nowhere", "NUMBA_CACHE_DIR": "mine"}
    prepare(named)
    assert Path(named["NUMBA_CACHE_DIR"]).parent == Path("mine")


def test_a_folder_that_others_can_write_is_not_used_for_what_is_run(read_only):
    planted = read_only / f"exsitu-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    found = {"HOME": "/nowhere"}
    prepare(found)
    assert Path(found["NUMBA_CACHE_DIR"]).parent != planted


def test_a_command_overrules_what_a_notebook_passes_on_and_gives_caches_a_place(read_only):
    found = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "KERAS_BACKEND": "torch", "HOME": "/nowhere"}
    prepare_command(found)
    assert {name: found[name] for name in COMMAND} == COMMAND
    assert all(Path(found[name]).is_dir() for name in ("MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"))


def test_a_home_that_can_be_written_stays_as_it_is(tmp_path):
    found = {"HOME": str(tmp_path)}
    prepare_command(found)
    assert found == {"HOME": str(tmp_path), **COMMAND}


def test_a_folder_that_is_not_there_yet_is_as_writable_as_the_nearest_that_is(tmp_path, monkeypatch):
    assert is_writable(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    assert not is_writable(tmp_path / "file")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert not is_writable(tmp_path / "a" / "b")


def _says(code, **variables):
    """What a fresh process prints of exsitu's Keras."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **variables}
    )
    return done.stdout.strip(), done.stderr.strip()


SHOW = """
from exsitu.model.runtime import keras
print(keras.config.backend(), keras.config.floatx(), keras.config.epsilon())
"""


@pytest.mark.slow
def test_another_engine_and_another_precision_are_put_right_and_named(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float64", "backend": "torch", "epsilon": 0.001}')
    found, said = _says(SHOW, KERAS_BACKEND="jax", KERAS_HOME=str(tmp_path))
    assert found == "tensorflow float32 1e-07"
    assert "KERAS_BACKEND=jax: exsitu's networks need tensorflow" in said
    assert "Keras was set to float64 and epsilon 0.001 (keras.json): exsitu sets float32" in said


@pytest.mark.slow
def test_a_process_whose_keras_runs_on_another_engine_already_is_refused_in_one_line():
    found, said = _says("import keras\nimport exsitu.model.runtime", KERAS_BACKEND="jax")
    assert found == ""
    assert said.splitlines()[-1].endswith("set KERAS_BACKEND=tensorflow and start again")
