"""A headless Chromium, driven by its own protocol: enough to use a page as a person does."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class NodeGoneError(Exception):
    """An element belongs to a page that is there no more."""


class Page:
    """One page of a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0
        self.faults: list[str] = []
        for domain in ("Page", "DOM", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._socket.recv(timeout=60))
            if told.get("method") == "Log.entryAdded":
                entry = told["params"]["entry"]
                if entry["level"] == "error":
                    self.faults.append(f"{entry['text']} {entry.get('url', '')}")
            if told.get("method") == "Runtime.exceptionThrown":
                self.faults.append(str(told["params"]["exceptionDetails"]))
            if told.get("id") == self._number:
                if "Could not find node" in str(told.get("error")):
                    raise NodeGoneError
                assert "error" not in told, told
                return told["result"]

    def evaluate(self, script: str) -> Any:
        """The value of an expression of JavaScript."""
        told = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        return told["result"].get("value")

    def wait_for(self, script: str, seconds: float = 60) -> Any:
        """Wait until an expression is true."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := self.evaluate(script):
                return found
            time.sleep(0.1)
        raise AssertionError(
            f"{script} never came true; {self.evaluate('document.body.innerText')}"
        )

    def open(self, address: str) -> None:
        """Go to an address and wait for it."""
        self.call("Page.navigate", url=address)
        self.wait_for(f"document.readyState == 'complete' && location.href.startsWith('{address}')")

    def choose(self, selector: str, files: Sequence[Path]) -> None:
        """Choose files in the dialog of an input."""
        self.use(selector, "DOM.setFileInputFiles", files=[str(file) for file in files])

    def use(self, selector: str, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method on an element once it is there; it needs no JavaScript of the page.

        While a page gives way to the next one, an element that was found is gone a moment later.
        """
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(NodeGoneError):
                root = self.call("DOM.getDocument")["root"]["nodeId"]
                node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
                if node:
                    return self.call(method, nodeId=node, **parameters)
            assert time.monotonic() < until, f"{selector} never came"
            time.sleep(0.1)

    def press(self, key: str) -> None:
        """Press and release a key: a letter, a digit, a sign, ``Enter``, ``Tab`` or ``Escape``."""
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        code = {"Enter": 13, "Tab": 9, "Escape": 27}.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )  # fmt: skip

    def photograph(self, file: Path, width: int, height: int, scheme: str = "light") -> None:
        """Write a picture of the page at a size, in light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def browse(folder: Path) -> Iterator[Page]:
    """A browser with an empty profile in a folder."""
    assert CHROMIUM
    process = subprocess.Popen(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--remote-debugging-port=0",
            f"--user-data-dir={folder}", "about:blank",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port = folder / "DevToolsActivePort"
        until = time.monotonic() + 60
        while not (port.exists() and port.read_text().strip()):
            assert time.monotonic() < until, "Chromium does not start"
            time.sleep(0.1)
        number = port.read_text().splitlines()[0]
        pages = httpx.get(f"http://127.0.0.1:{number}/json", timeout=60).json()
        address = next(one["webSocketDebuggerUrl"] for one in pages if one["type"] == "page")
        with connect(address, max_size=2**26) as socket:
            yield Page(socket)
    finally:
        process.kill()
        process.wait()
