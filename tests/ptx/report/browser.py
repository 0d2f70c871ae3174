"""A headless Chromium over its debugging pipe: no library, no port; a real page, real clicks and keys.

Chromium reads commands from file descriptor 3 and answers on 4, each message ended by a zero byte.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--hide-scrollbars"),
    *("--disable-extensions", "--disable-background-networking", "--no-first-run", "--mute-audio"),
)


class Browser:
    """One browser; :meth:`open` makes a page of it."""

    def __init__(self, folder):
        to_child, write = os.pipe()
        read, from_child = os.pipe()
        # the shell puts the pipes where Chromium looks for them
        command = f'exec "$0" "$@" 3<&{to_child} 4>&{from_child}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, CHROMIUM, *FLAGS, f"--user-data-dir={folder}"],
            pass_fds=(to_child, from_child),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        self.writer, self.reader = os.fdopen(write, "wb"), os.fdopen(read, "rb")
        self.count, self.left, self.events = 0, b"", []

    def send(self, method, session=None, **given):
        self.count += 1
        message = {"id": self.count, "method": method, "params": given}
        self.writer.write(json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        self.writer.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self.count:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def _next(self):
        while b"\0" not in self.left:
            got = self.reader.read1(1 << 20)
            assert got, "Chromium has ended"
            self.left += got
        one, _, self.left = self.left.partition(b"\0")
        return json.loads(one)

    def open(self, path, **options):
        return Page(self, path, **options)

    def close(self):
        self.send("Browser.close")
        self.process.wait(20)
        self.writer.close()
        self.reader.close()


class Page:
    """One page that was loaded from a file or an address, with what it logged and asked for."""

    def __init__(self, browser, path, *, width=1400, height=900, dark=False, choices="", patience=20):
        self.browser = browser
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self.target = target
        self.session = browser.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.events.clear()
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.resize(width, height)
        self.media(dark=dark)
        self.address = (path if str(path).startswith("http") else Path(path).resolve().as_uri()) + choices
        self.send("Page.navigate", url=self.address)
        self.wait("document.documentElement?.dataset.ready === 'yes'", patience)

    def send(self, method, **given):
        return self.browser.send(method, self.session, **given)

    def resize(self, width, height):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.send("Emulation.setDeviceMetricsOverride", **metrics)

    def media(self, *, dark=False, kind=""):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media=kind, features=[scheme])

    def run(self, script):
        """The value of a JavaScript expression."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition, seconds=20):
        """Wait until an expression is true, frame by frame."""
        script = f"""new Promise((done) => {{
          const end = performance.now() + {seconds * 1000};
          const look = () => ({condition}) ? done(true)
            : performance.now() > end ? done(false) : setTimeout(look, 25);
          look(); }})"""
        for _ in range(4):  # a page that is being loaded forgets what it was asked
            try:
                assert self.run(script), condition
            except AssertionError as error:
                if not any(word in str(error) for word in ("context", "navigated")):
                    raise
            else:
                return

    def texts(self, selector):
        """The visible words of all elements of a selector."""
        return self.run(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => one.innerText.trim())"
        )

    def show(self, selector):
        """Scroll an element into view, and let the page draw what has come near."""
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'start'}})")
        self.wait(f"document.querySelector({json.dumps(selector)}).querySelector('.body > *') !== null")

    def click(self, selector, dx=0.5, dy=0.5):
        """A real click inside an element, at a share of its width and height."""
        script = f"""(() => {{
          const one = document.querySelector({json.dumps(selector)});
          one.scrollIntoView({{block: 'center'}});
          const box = one.getBoundingClientRect();
          return [box.x + box.width * {dx}, box.y + box.height * {dy}]; }})()"""
        x, y = self.run(script)
        self.click_at(x, y)

    def click_at(self, x, y):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, name):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36}
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if name == "Enter" and kind == "keyDown" else {}
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=name,
                code=name,
                windowsVirtualKeyCode=codes[name],
                **text,
            )

    def choose(self, label, value):
        """Choose an option of the menu with that label."""
        self.run(f"""(() => {{ const one = document.querySelector('select[aria-label={json.dumps(label)}]');
          one.value = {json.dumps(str(value))}; one.dispatchEvent(new Event('change')); }})()""")

    def type(self, selector, text):
        self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        self.send("Input.insertText", text=text)

    def requests(self):
        """The addresses that the page asked for, beside its own file and data."""
        asked = [
            one["params"]["request"]["url"]
            for one in self.browser.events
            if one.get("method") == "Network.requestWillBeSent"
        ]
        return [
            url
            for url in asked
            if url.partition("#")[0] != self.address.partition("#")[0] and not url.startswith("data:")
        ]

    def errors(self):
        """What went wrong: exceptions, errors of the log, broken rules of the content security policy."""
        return [
            one["params"]
            for one in self.browser.events
            if one.get("method") == "Runtime.exceptionThrown"
            or (one.get("method") == "Log.entryAdded" and one["params"]["entry"]["level"] == "error")
        ]

    def picture(self, path, *, whole=False):
        """A picture of the screen, or of the whole page, as PNG."""
        found = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(found["data"]))

    def pdf(self):
        """The printed page."""
        found = self.send("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        return base64.b64decode(found["data"])

    def close(self):
        self.browser.send("Target.closeTarget", targetId=self.target)
