"""Gates: no table goes on before it has passed its expectation suite. The only room that knows Great Expectations."""

from exsitu.gates.gate import check, checked
from exsitu.gates.plausible import Plausibility
from exsitu.gates.suites import suites, write_suites
from exsitu.gates.survey import SurveyGate

__all__ = ["Plausibility", "SurveyGate", "check", "checked", "suites", "write_suites"]
