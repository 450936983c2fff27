"""Ask a server over HTTP."""

import json
import urllib.error
import urllib.request
from typing import Any

_PATIENCE_S = 5.0


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
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310
            said = answer.read().decode()
    except (OSError, urllib.error.URLError):
        return None
    try:
        return json.loads(said)
    except ValueError:
        return said
