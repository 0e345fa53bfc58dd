"""A headless Chromium that looks at pages on the disk, and notes what it was asked for."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.real.parts import find_tool

_SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # which needs user namespaces, that containers of CI have not
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--force-prefers-reduced-motion",
)


class Browser:
    """A window of Chromium."""

    def __init__(self, chrome: Chrome) -> None:
        self.chrome = chrome

    def open(self, page: Path, width: int = 1280, *, dark: bool = False) -> None:
        """Load a page in a window of some width, and forget what was noted before."""
        self._resize(width, 900)
        self._medium("", dark=dark)
        for kind in ("browser", "performance"):
            self.chrome.get_log(kind)  # type: ignore[no-untyped-call]
        self.chrome.get(page.as_uri())

    def print(self, *, dark: bool = False) -> None:
        """Show the page as it would be printed by a system of dark or light colours."""
        self._medium("print", dark=dark)

    def all(self, selector: str) -> list[WebElement]:
        """Return the elements that a CSS selector matches."""
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """Return the first element that a CSS selector matches."""
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def value(self, expression: str, *arguments: Any) -> Any:
        """Return what an expression of JavaScript is worth."""
        return self.chrome.execute_script(f"return {expression}", *arguments)

    def attributes(self, selector: str, name: str) -> list[str]:
        """Return an attribute of all elements that a selector matches, in one request."""
        found = f"[...document.querySelectorAll({json.dumps(selector)})]"
        values: list[str] = self.value(f"{found}.map((one) => one.getAttribute({name!r}))")
        return values

    def complaints(self) -> list[str]:
        """Return what the console was told since the page was opened."""
        log = self.chrome.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in log]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the page was opened."""
        log = self.chrome.get_log("performance")  # type: ignore[no-untyped-call]
        events = (json.loads(entry["message"])["message"] for entry in log)
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def picture(self, file: Path, width: int) -> bytes:
        """Write a picture of the whole page as a window of some width shows it."""
        height = int(self.value("document.documentElement.scrollHeight"))
        self._resize(width, min(height, 8000))
        self.chrome.save_screenshot(str(file))
        return file.read_bytes()

    def _medium(self, name: str, *, dark: bool) -> None:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._command("Emulation.setEmulatedMedia", media=name, features=[scheme])

    def _resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._command("Emulation.setDeviceMetricsOverride", **size)

    def _command(self, name: str, **values: Any) -> None:
        self.chrome.execute_cdp_cmd(name, values)


@contextmanager
def browser() -> Iterator[Browser]:
    """Run a Chromium with a profile of its own, that is gone afterwards.

    Raises:
        MissingPartError: Chromium or its driver is not installed.
    """
    options = ChromeOptions()
    options.binary_location = str(find_tool("chromium"))
    driver = ChromeService(str(find_tool("chromedriver")))
    with tempfile.TemporaryDirectory(prefix="orch-chromium-") as profile:
        for switch in (*_SWITCHES, f"--user-data-dir={profile}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        chrome = Chrome(options=options, service=driver)
        try:
            yield Browser(chrome)
        finally:
            chrome.quit()
