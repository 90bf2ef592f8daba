"""A headless Chromium, driven through a pipe: for images of the page, and for its tests."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from r3cnn.core.errors import UserError

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)  # fmt: skip
# Chromium reads its commands from descriptor 3 and answers on 4.
_ON_3_AND_4 = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_SECONDS = 60


def find_chromium() -> str | None:
    """The path of a Chromium on this machine, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of a headless Chromium; `messages` are its console's, `requests` what it asked for."""

    def __init__(self, path: str, width: int = 1600, height: int = 1000, scale: float = 1) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        self._numbers = itertools.count(1)
        self._buffer = b""
        self._loaded = False
        self._profile = tempfile.TemporaryDirectory(prefix="r3cnn-chromium-")
        self._start(path)
        try:
            self._attach()
            self.resize(width, height, scale)
        except UserError:
            self.close()
            raise

    def _attach(self) -> None:
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session: str | None = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def _start(self, path: str) -> None:
        self._session = None
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        command = [
            sys.executable, "-I", "-c", _ON_3_AND_4, str(to_read), str(to_write),
            path, *_OPTIONS, f"--user-data-dir={self._profile.name}", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command,
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and remove its profile."""
        os.close(self._write)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        shutil.rmtree(self._profile.name, ignore_errors=True)
        self._profile.cleanup()

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """Give the page a size in CSS pixels, and `scale` device pixels for each."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                   deviceScaleFactor=scale, mobile=False)  # fmt: skip

    def open(self, page: Path) -> None:
        """Load a file and wait until all of it is there. Raises: UserError."""
        self._loaded = False
        self._call("Page.navigate", url=page.resolve().as_uri())
        end = time.monotonic() + _SECONDS
        while not self._loaded:
            self._handle(self._next(end))

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are waited for. Raises: UserError."""
        done = self._call("Runtime.evaluate", expression=expression, returnByValue=True,
                          awaitPromise=True)  # fmt: skip
        if "exceptionDetails" in done:
            details = done["exceptionDetails"]
            text = (details.get("exception") or {}).get("description") or details["text"]
            raise UserError(f"the page's script: {text.splitlines()[0]}")
        return done["result"].get("value")

    def picture(self, selector: str | None = None, margin: int = 8) -> bytes:
        """A PNG of an element, or of the whole page. Raises: UserError."""
        element = f"document.querySelector({json.dumps(selector or 'html')})"
        box = self.evaluate(
            f"(() => {{ const b = {element}?.getBoundingClientRect(); return b && "
            "{x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height}; })()"
        )
        if not box:
            raise UserError(f"the page has no {selector}")
        if selector:
            box = {"x": max(box["x"] - margin, 0), "y": max(box["y"] - margin, 0),
                   "width": box["width"] + 2 * margin, "height": box["height"] + 2 * margin}  # fmt: skip
        done = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                          clip={**box, "scale": 1})  # fmt: skip
        return base64.b64decode(done["data"])

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + _SECONDS
        while True:
            answer = self._next(end)
            if answer.get("id") == number:
                if "error" in answer:
                    raise UserError(f"Chromium: {method}: {answer['error']['message']}")
                return answer["result"]
            self._handle(answer)

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, end - time.monotonic()))
            more = os.read(self._read, 1 << 20) if ready else b""
            if not more:
                raise UserError(f"Chromium: no answer within {_SECONDS} s; is it installed whole?")
            self._buffer += more
        text, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(text)

    def _handle(self, event: dict[str, Any]) -> None:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.consoleAPICalled":
            said = [str(a.get("value", a.get("description", ""))) for a in parameters["args"]]
            self.messages.append(" ".join(said))
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.messages.append(
                (details.get("exception") or {}).get("description", details["text"])
            )
        elif method == "Log.entryAdded":
            self.messages.append(parameters["entry"]["text"])
