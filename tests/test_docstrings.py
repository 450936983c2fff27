"""Public docstrings say what a reader needs; numpydoc checks them as it sees them at run time."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest
from numpydoc.validate import validate

import exsitu

# Codes of numpydoc.validate that the house style does without, and why.
NOT_ASKED = {
    "EX01": "examples live in docs/ and tests/",
    "SA01": "modules are small: what is related stands beside it",
    "ES01": "an extended summary only where there is something to add",
    "GL01": "one-line docstrings start on their first line",
    "GL02": "likewise",
    "GL08": "pydantic's validators and Keras's overrides are documented where they are defined",
    "YD01": "a generator's Yields reads as its Returns",
    "RT01": "properties and one-line helpers return what their summary says",
    "RT02": "a single return value needs no name",
    "RT03": "nor a description where its type says all",
    "PR08": "descriptions may start with a symbol: z, b, v_phi",
    "PR09": "and need no full stop to be read",
    "RT04": "likewise",
    "RT05": "likewise",
    "SS05": "verbs that look like third person to the checker",
    "SS06": "a summary may take two lines",
}


def _public() -> Iterator[str]:
    for module in pkgutil.walk_packages(exsitu.__path__, "exsitu."):
        found = importlib.import_module(module.name)
        for name, thing in vars(found).items():
            own = getattr(thing, "__module__", None) == module.name
            if own and not name.startswith("_") and (inspect.isfunction(thing) or inspect.isclass(thing)):
                yield f"{module.name}.{name}"


def _faults(name: str) -> list[str]:
    result = validate(name)
    one_line = "\n" not in (result["docstring"] or "").strip()
    # One line is enough for errors, settings models and click commands, whose fields and options explain themselves.
    excused = NOT_ASKED.keys() | ({"PR01"} if one_line else set())
    return [f"{code} {text}" for code, text in result["errors"] if code not in excused]


def test_every_public_docstring_is_complete():
    faults = {name: found for name in _public() if (found := _faults(name))}
    assert not faults, "\n".join(f"{name}: {'; '.join(found)}" for name, found in faults.items())


def test_a_function_with_parameters_has_more_than_one_line():
    short = []
    for name in _public():
        module, thing = name.rsplit(".", 1)
        found = getattr(importlib.import_module(module), thing)
        if inspect.isfunction(found) and module not in {"exsitu.cli", "exsitu.elementary"}:
            documented = "Parameters\n" in (inspect.getdoc(found) or "")
            if inspect.signature(found).parameters and not documented:
                short.append(name)
    assert not short


def test_an_undocumented_parameter_is_found(monkeypatch: pytest.MonkeyPatch):
    def stranger(a: int, b: int) -> int:
        """
        Add.

        Parameters
        ----------
        a : int
            One number.

        Returns
        -------
        int
            The sum.
        """
        return a + b

    stranger.__module__ = "exsitu.columns"
    monkeypatch.setattr("exsitu.columns.stranger", stranger, raising=False)
    assert any(fault.startswith("PR01") for fault in _faults("exsitu.columns.stranger"))
