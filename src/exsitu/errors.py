"""The errors a user can cause, each with one clear sentence: the value, the limit, the next step."""


class ExsituError(Exception):
    """Anything that stops a command for a reason the user can act on; printed without a traceback."""


class InputError(ExsituError):
    """A file or table that cannot be used as it is: a missing column, a wrong unit, duplicate ids, an empty file."""


class JsonError(InputError, ValueError):
    """A file that should hold JSON and does not: cut off, damaged, or of another kind."""


class SettingsError(ExsituError):
    """A key or value in ``params.yaml`` or on the command line that the settings do not know or allow."""


class GateError(ExsituError):
    """A table that failed its expectation suite; carries the path of the report that was left behind."""


class PromotionError(ExsituError):
    """A model that may not become champion, or a champion that changed under the promotion."""


class ReleaseError(ExsituError):
    """A release that exists already, is not complete, or does not verify."""
