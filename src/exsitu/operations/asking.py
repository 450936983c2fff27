"""Ask a server over HTTP."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

_PATIENCE_S = 5.0
_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)
_BUSY = 503
"""What Prefect's server answers while another holds its SQLite database; its own client asks again, and so do we."""


def ask(url: str, body: Any = None, *, method: str | None = None) -> Any:
    """
    Ask a server of this machine.

    Parameters
    ----------
    url : str
        Its address, http.
    body : object, optional
        Sent as JSON; the method is POST then, else GET.
    method : str, optional
        Another method.

    Returns
    -------
    object
        The answer, as JSON where it is that, else as text; None where there is none, or the server refuses.
    """
    data = None if body is None else json.dumps(body).encode()
    kind = {"content-type": "application/json"}
    request = urllib.request.Request(url, data, kind, method=method)  # noqa: S310 - http on loopback
    said = _answer(request)
    for pause_s in _PAUSES_S:
        if said != _BUSY:
            break
        time.sleep(pause_s)
        said = _answer(request)
    if not isinstance(said, str):
        return None
    try:
        return json.loads(said)
    except ValueError:
        return said


def _answer(request: urllib.request.Request) -> str | int | None:
    """Text of the answer, or the status of a refusal; None where nobody answers."""
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
            return str(answer.read().decode())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return int(refusal.code)
    except OSError:
        return None
