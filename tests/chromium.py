"""Debian's chromium without a window, driven over its DevTools protocol: go, read, click, take a picture."""

import base64
import contextlib
import io
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from websockets.sync.client import connect

PATIENCE_S = 90.0
_SIZE = (1280, 900)
_COLOURS = 96
"""Of a picture: pages of text and lines need no more, and stay small."""

_PLACE = """
(() => {
  const wanted = %s;
  const own = e => (e.innerText || e.value || e.getAttribute('aria-label') || '').trim();
  const found = [...document.querySelectorAll(%s)].filter(e => e.getClientRects().length && own(e) === wanted).pop();
  if (!found) return null;
  found.scrollIntoView({block: 'center'});
  const box = found.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()
"""
"""Middle of the innermost element that bears a label."""


def installed() -> bool:
    """Whether there is a chromium to drive."""
    return shutil.which("chromium") is not None


class Browser:
    """One page of a browser."""

    def __init__(self, address: str) -> None:
        self._socket = connect(address, max_size=None, open_timeout=PATIENCE_S)
        self._count = 0
        self.call("Page.enable")
        width, height = _SIZE
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def close(self) -> None:
        """Leave the page."""
        self._socket.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the browser; events that come before the answer are passed over."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if said.get("id") == self._count:
                assert "error" not in said, said
                return said["result"]

    def run(self, script: str) -> Any:
        """Value of a script on the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def go(self, address: str, *texts: str) -> None:
        """Go to a page and wait until it shows some texts."""
        self.call("Page.navigate", url=address)
        self.see(*texts)

    def text(self) -> str:
        """What the page shows."""
        return self.run("document.body ? document.body.innerText : ''") or ""

    def see(self, *texts: str) -> None:
        """Wait until the page shows some texts."""
        self.wait(lambda: all(text in self.text() for text in texts), f"a page with {texts}")

    def wait(self, question: Any, what: str) -> Any:
        """Wait until a question has an answer."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := question()):
            assert time.monotonic() < deadline, f"waited for {what}; the page shows:\n{self.text()[:3000]}"
            time.sleep(0.3)
        return found

    def click(self, label: str, kind: str = "body *") -> None:
        """Click with the mouse on what bears a label, as soon as it is there."""
        script = _PLACE % (json.dumps(label), json.dumps(kind))
        x, y = self.wait(lambda: self.run(script), f"something called {label!r}")
        for what in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=what, x=x, y=y, button="left", clickCount=1)

    def picture(self, path: Path) -> None:
        """Take a picture of the page, small enough for a repository."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(io.BytesIO(data)) as image:
            image.convert("RGB").quantize(_COLOURS).save(path, optimize=True)


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, ended with the block."""
    words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
             "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]  # fmt: skip
    with (folder.parent / "chromium.log").open("wb") as log:
        process = subprocess.Popen(["chromium", *words], stdout=log, stderr=log, process_group=0)
    try:
        note, deadline = folder / "DevToolsActivePort", time.monotonic() + PATIENCE_S
        while not (note.is_file() and note.read_text().strip()):
            assert process.poll() is None, (folder.parent / "chromium.log").read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, "chromium does not come"
            time.sleep(0.2)
        port = note.read_text().split()[0]
        request = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            page = Browser(json.load(answer)["webSocketDebuggerUrl"])
        with contextlib.closing(page):
            yield page
    finally:
        process.terminate()
        process.wait(30)
