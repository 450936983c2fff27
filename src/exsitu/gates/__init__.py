"""Gates: no table goes on before it has passed its expectation suite. The only room that knows Great Expectations."""

from exsitu.gates.gate import check
from exsitu.gates.suites import suites, write_suites

__all__ = ["check", "suites", "write_suites"]
