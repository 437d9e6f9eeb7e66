"""The viewer's page in a headless Chromium."""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
"""WebGL on the CPU, and nothing from the network: nerfstudio's logo is the only thing the page would fetch."""


def missing_browser() -> str | None:
    """Why there is no browser to test with; None if there is one."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed"
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"no {' and no '.join(absent)} on this machine" if absent else None


@contextmanager
def chromium_page(port: int, size: tuple[int, int] = (1280, 800)) -> Iterator[ChromiumPage]:
    """Open a viser server's page."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*FLAGS, f"--window-size={size[0]},{size[1]}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(shutil.which("chromedriver"))))
    try:
        browser.set_window_size(*size)
        browser.get(f"http://127.0.0.1:{port}")
        yield ChromiumPage(browser)
    finally:
        browser.quit()


class ChromiumPage:
    """What a person does with the page.

    Args:
        browser: Selenium's driver.
    """

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def wait_for(self, look: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
        """Look until something is there."""
        from selenium.common.exceptions import WebDriverException

        deadline = time.monotonic() + seconds
        while True:
            try:
                if found := look():
                    return found
            except WebDriverException:
                pass
            assert time.monotonic() < deadline, f"the page never showed {what}"
            time.sleep(0.05)

    def labels(self) -> list[str]:
        """Labels of the widgets that are shown; spaces of no width left out."""
        script = "return [...document.querySelectorAll('label')].map(l => l.offsetParent ? l.innerText : '')"
        return [text.replace("\u200b", "") for text in self.browser.execute_script(script) if text]

    def slider(self, label: str) -> Any:
        """The thumb of a slider."""
        script = """
            const label = [...document.querySelectorAll('label')]
                .find(l => l.innerText.replaceAll('\\u200b', '') == arguments[0] && l.offsetParent);
            return label && document.getElementById(label.htmlFor).querySelector('[role=slider]');"""
        return self.wait_for(lambda: self.browser.execute_script(script, label), f"a slider {label!r}")

    def move_slider(self, label: str, key: str) -> None:
        """Press a key on a slider's thumb: HOME and END go to its ends."""
        from selenium.webdriver.common.keys import Keys

        thumb = self.slider(label)
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].focus()", thumb)
        thumb.send_keys(getattr(Keys, key))

    def click(self, text: str) -> None:
        """Click a button or tab by its text."""
        script = "return [...document.querySelectorAll('button')].find(b => b.innerText.trim() == arguments[0])"
        self.wait_for(lambda: self.browser.execute_script(script, text), f"a button {text!r}").click()

    def canvas_box(self) -> tuple[int, int, int, int]:
        """Top, bottom, left, right of the 3D view in pixels of the screenshot, panel not counted."""
        script = """
            const box = document.querySelector('canvas[data-engine]').getBoundingClientRect();
            return [box.top, box.bottom, box.left, box.right];"""
        top, bottom, left, right = (round(value) for value in self.browser.execute_script(script))
        return top, bottom, left, right

    def screenshot(self) -> np.ndarray:
        """The whole page."""
        return np.array(Image.open(io.BytesIO(self.browser.get_screenshot_as_png())).convert("RGB"))

    def view(self) -> np.ndarray:
        """The 3D view."""
        top, bottom, left, right = self.canvas_box()
        return self.screenshot()[top:bottom, left:right]
