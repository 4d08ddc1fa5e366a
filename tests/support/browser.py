"""A headless Chromium, spoken to by its debugging protocol over two pipes."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HIGHEST = 16_000  # pixels that Chromium draws at once


class Browser:
    """One page of a Chromium; pages of the network take no longer than ``seconds`` to be there."""

    def __init__(self, program: str, profile: Path, seconds: float = 60) -> None:
        self._seconds = seconds
        inbox, self._out = os.pipe()
        self._in, outbox = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        flags += ["--hide-scrollbars", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        # Chromium reads from descriptor 3 and writes to 4. Debian's sh knows none above 9.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{inbox} 4>&{outbox}', program, *flags],
            pass_fds=(inbox, outbox),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(inbox)
        os.close(outbox)
        self._number, self._unread = 0, b""
        self._session: dict[str, str] = {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters} | self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self._note(answer)
        return answer["result"]

    def _note(self, event: dict[str, Any]) -> None:
        """Take note of what the page tells unasked; nothing does here."""

    def _read(self) -> Any:
        while b"\0" not in self._unread:
            more = os.read(self._in, 1 << 20)
            assert more, "Chromium has ended"
            self._unread += more
        message, self._unread = self._unread.split(b"\0", 1)
        return json.loads(message)

    def open(self, url: str, width: int = 1280, height: int = 800) -> None:
        """Go to a page; what an application draws there is to be waited for."""
        self.resize(width, height)
        self.call("Page.navigate", url="about:blank")  # another fragment alone loads nothing
        self.call("Page.navigate", url=url)

    def resize(self, width: int, height: int, mobile: bool = False) -> None:
        """Give the screen a size, in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    def text(self) -> str:
        """Return what a person reads on the page."""
        return self.evaluate("document.body ? document.body.innerText : ''") or ""

    def wait(self, expression: str) -> Any:
        """Return the value of an expression once it is true."""
        deadline = time.monotonic() + self._seconds
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < deadline, f"{expression}:\n{self.text()}"
            time.sleep(0.2)
        return value

    def wait_for(self, *texts: str) -> None:
        """Wait until texts stand on the page."""
        for text in texts:
            self.wait(f"document.body && document.body.innerText.includes({json.dumps(text)})")

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Draw what is to be seen, or the ``whole`` page, to a PNG file."""
        more = {}
        if whole:
            width, height = self.evaluate("[innerWidth, document.documentElement.scrollHeight]")
            clip = {"x": 0, "y": 0, "width": width, "height": min(height, _HIGHEST), "scale": 1}
            more = {"captureBeyondViewport": True, "clip": clip}
        found = self.call("Page.captureScreenshot", **more)
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        """End Chromium."""
        self.call("Browser.close")
        self.process.wait(30)
        os.close(self._in)
        os.close(self._out)


def program() -> str | None:
    """Return where Chromium is, if it is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.contextmanager
def browsing(profile: Path, kind: type[Browser] = Browser) -> Iterator[Any]:
    """Start Chromium with an empty profile, and end it."""
    found = program()
    assert found is not None
    browser = kind(found, profile)
    try:
        yield browser
    finally:
        browser.close()
