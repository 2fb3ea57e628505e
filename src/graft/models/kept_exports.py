"""Networks that were converted once, kept on the disk until others take their place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

_KEPT = 8


class KeptExports:
    """A folder of converted networks, by the digest of what each was made of.

    A file gets its name, which holds the SHA-256 of its content, when it is on the disk: what was
    cut short or altered counts as absent. Of more than eight the one that was used least recently
    is removed.

    Args:
        folder: The folder; it is made when it is first written to.
        is_forgotten: Whether what is there counts as absent.
    """

    def __init__(self, folder: Path, is_forgotten: bool = False) -> None:
        self._folder, self._is_forgotten = folder, is_forgotten

    def find(self, name: str, make: Callable[[], bytes]) -> bytes:
        """A converted network; it is made if it is not there.

        Args:
            name: Digest of all that it is made of.
            make: Converts it.
        """
        if not self._is_forgotten:
            for path in self._folder.glob(f"{name[:32]}.*.onnx"):
                content = path.read_bytes()
                if path.name == _name_file(name, content):
                    os.utime(path)
                    return content
        content = make()
        self._keep(name, content)
        return content

    def _keep(self, name: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".draft-{os.getpid()}-{name[:32]}"
        try:
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self._folder / _name_file(name, content))
        finally:
            draft.unlink(missing_ok=True)
        by_use = sorted(self._folder.glob("*.onnx"), key=lambda path: path.stat().st_mtime_ns)
        for path in by_use[:-_KEPT]:
            path.unlink()


def _name_file(name: str, content: bytes) -> str:
    return f"{name[:32]}.{hashlib.sha256(content).hexdigest()}.onnx"
