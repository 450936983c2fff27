"""The house keeps its floors: modules import downward only, and each tool has its room."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "exsitu"

FLOORS = {
    "columns": 1,
    "coordinates": 1,
    "draws": 1,
    "elementary": 1,
    "environment": 1,
    "errors": 1,
    "evaluation": 1,
    "pages": 1,
    "parallel": 1,
    "phase_space": 1,
    "progress": 1,
    "provenance": 1,
    "quality": 1,
    "settings": 1,
    "formats": 2,
    "gates": 2,
    "model": 2,
    "table_formats": 2,
    "tables": 2,
    "tracking": 2,
    "labels": 3,
    "registry": 3,
    "surveys": 3,
    "catalog": 4,
    "mocks": 4,
    "partitions": 4,
    "samples": 4,
    "experiments": 5,
    "operations": 5,
    "stages": 5,
    "cli": 6,
    "cli_compare": 6,
    "cli_errors": 6,
    "cli_experiments": 6,
    "cli_help": 6,
    "cli_mocks": 6,
    "cli_operations": 6,
    "cli_paths": 6,
}

TOOLS = {
    "mlflow": {"tracking", "registry"},
    "great_expectations": {"gates"},
    "prefect": set(),
    "dvc": set(),
    "lsdb": {"partitions"},
    "xgboost": {"model"},
}


def _room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


MODULES = sorted(p for p in SOURCE.rglob("*.py") if p.name != "__init__.py" or p.parent != SOURCE)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_a_module_imports_from_its_own_floor_or_below(path: Path):
    room = _room(path)
    above = [
        name
        for name in _imports(path)
        if name.startswith("exsitu.")
        and (other := name.split(".")[1]) in FLOORS
        and other != room
        and FLOORS[other] > FLOORS[room]
    ]
    assert not above


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_each_tool_is_imported_in_its_room_alone(path: Path):
    strangers = [name for name in _imports(path) if _room(path) not in TOOLS.get(name.split(".")[0], {_room(path)})]
    assert not strangers


def test_every_room_has_a_floor():
    assert {_room(path) for path in MODULES} == FLOORS.keys()
