"""A headless Chromium, driven by Playwright: for the pictures of the page, and for its tests."""

import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import Error, sync_playwright

from r3cnn.core.errors import UserError

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_OPTIONS = ("--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb")
_SECONDS = 60


def find_chromium() -> str | None:
    """The path of a Chromium on this machine, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of a headless Chromium; `messages` are its console's, `requests` what it asked for.

    scale: device pixels for each CSS pixel.
    """

    def __init__(self, path: str, width: int = 1600, height: int = 1000, scale: float = 1) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        self._driver = sync_playwright().start()
        try:
            self._chromium = self._driver.chromium.launch(executable_path=path, args=[*_OPTIONS])
            self.page = self._chromium.new_page(
                viewport={"width": width, "height": height}, device_scale_factor=scale
            )
        except Error as error:
            self._driver.stop()
            said = error.message.splitlines()[0]
            raise UserError(
                f"{path}: Chromium does not start ({said}); is it installed whole?"
            ) from error
        self.page.set_default_timeout(1000 * _SECONDS)
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

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
        """End the browser."""
        self._chromium.close()
        self._driver.stop()

    def resize(self, width: int, height: int) -> None:
        """Give the page a size in CSS pixels."""
        self.page.set_viewport_size({"width": width, "height": height})

    def open(self, page: Path) -> None:
        """Load a file and wait until all of it is there."""
        self.page.goto(page.resolve().as_uri())

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are waited for. Raises: UserError."""
        try:
            return self.page.evaluate(expression)
        except Error as error:
            said = error.message.removeprefix("Page.evaluate: ").splitlines()[0]
            raise UserError(f"the page's script: {said}") from error

    def picture(self, selector: str | None = None, margin: int = 8) -> bytes:
        """A PNG of an element with a margin, or of the whole page. Raises: UserError."""
        if selector is None:
            return self.page.screenshot(full_page=True)
        box = self.page.locator(selector).first.bounding_box() if self._has(selector) else None
        if box is None:
            raise UserError(f"the page has no {selector}")
        scrolled = self.evaluate("({x: scrollX, y: scrollY})")
        left, top = (max(box[axis] + scrolled[axis] - margin, 0) for axis in ("x", "y"))
        return self.page.screenshot(
            full_page=True,
            clip={
                "x": left,
                "y": top,
                "width": box["width"] + 2 * margin,
                "height": box["height"] + 2 * margin,
            },
        )

    def _has(self, selector: str) -> bool:
        return self.page.locator(selector).count() > 0
