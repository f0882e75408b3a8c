"""Headless Chromium, driven over the pipe of its DevTools protocol: one page, photographed whole."""

import base64
import contextlib
import json
import os
import select
import subprocess
import tempfile
import time

WIDTH = 1600  # CSS pixels: a dashboard on a wide screen
PATIENCE = 90  # seconds for a page to say that it stands

CHROMIUM = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
CHROMIUM += ["--disable-dev-shm-usage", "--force-color-profile=srgb", "--remote-debugging-pipe"]


@contextlib.contextmanager
def camera():
    """A browser that is there for the block."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # Chromium reads commands from descriptor 3 and answers on 4.
    handed = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["bash", "-c", handed, "bash", *CHROMIUM, f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            command, pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Camera(ours_out, ours_in)
        finally:
            os.close(ours_out)
            os.close(ours_in)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Camera:
    def __init__(self, commands, answers):
        self.commands, self.answers, self.unread, self.last, self.session = commands, answers, b"", 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def take(self, url):
        """The picture, what the page says of its panels, and the ids of panels in which nothing is drawn."""
        self.size(900)
        self.call("Page.navigate", url=url)
        panels = self.told()
        height = self.run("document.documentElement.scrollHeight")
        self.size(height)
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")
        png = self.call("Page.captureScreenshot", format="png")["data"]
        return base64.b64decode(png), panels, self.run(f"window.blank({json.dumps(png)})")

    def told(self):
        """What `window.picture` resolves to, once the page has it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if told := self.run("window.picture"):
                return told["panels"]
            time.sleep(0.05)
        raise RuntimeError("the page never began to draw")

    def size(self, height):
        self.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=height, deviceScaleFactor=1, mobile=False)

    def run(self, script):
        """The value of an expression in the page, or of its promise."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if failed := answer.get("exceptionDetails"):
            raise RuntimeError(failed.get("exception", failed).get("description", failed["text"]))
        return answer["result"].get("value")

    def call(self, method, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.write(json.dumps(message).encode() + b"\0")
        while (answer := self.read()).get("id") != self.last:
            pass  # events
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def write(self, data):
        while data:
            data = data[os.write(self.commands, data) :]

    def read(self):
        while b"\0" not in self.unread:
            if not select.select([self.answers], [], [], PATIENCE)[0]:
                raise RuntimeError(f"Chromium says nothing for {PATIENCE} s")
            some = os.read(self.answers, 1 << 20)
            if not some:
                raise RuntimeError("Chromium ended by itself")
            self.unread += some
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)
