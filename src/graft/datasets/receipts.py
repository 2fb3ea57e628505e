"""Receipts: what a finished file or folder holds, written beside it.

A receipt lists the size and SHA-256 of every file. It may accept two states, the old and the
new one, so that at every moment of a save one of them is on disk and is trusted.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from graft.file_hashes import HASHES

State = dict[str, tuple[int, str]]


def receipt_path(path: Path) -> Path:
    """Where the receipt of ``path`` lies: hidden, in the same folder."""
    return path.with_name(f".{path.name}.receipt.json")


def describe_state(path: Path) -> State | None:
    """Size and SHA-256 of a file, or of every file below a folder; None if there is nothing."""
    if path.is_file():
        return {"": _describe_file(path)}
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return {file.relative_to(path).as_posix(): _describe_file(file) for file in files}
    return None


def write_receipt(path: Path, *states: State | None) -> None:
    """Put a receipt beside ``path`` that accepts any of the given states, in one step."""
    draft = path.with_name(f".{path.name}.draft-{os.getpid()}-receipt.json")
    draft.write_text(
        json.dumps({"states": [state for state in states if state is not None]}, indent=1)
    )
    sync(draft)
    os.replace(draft, receipt_path(path))
    sync(path.parent)


def read_receipt(path: Path) -> list[State]:
    """The states that the receipt of ``path`` accepts; none if it is missing or damaged."""
    try:
        states = json.loads(receipt_path(path).read_text())["states"]
        return [{name: tuple(facts) for name, facts in state.items()} for state in states]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def agrees_with_receipt(path: Path, content: Path | None = None) -> bool:
    """Whether ``content`` (by default ``path`` itself) is whole, by the receipt of ``path``."""
    states = read_receipt(path)
    return bool(states) and describe_state(content or path) in states


def rename(draft: Path, place: Path) -> None:
    """Move a finished file or folder to its place, in one step, and know what it holds there."""
    files = [file.relative_to(draft) for file in draft.rglob("*")] if draft.is_dir() else [Path()]
    os.replace(draft, place)
    for file in files:
        HASHES.follow(draft / file, place / file)


def sync(path: Path) -> None:
    """Flush a file, or the list of names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(path: Path) -> None:
    """Flush a file, or a folder and all below it, to the disk."""
    for entry in path.rglob("*") if path.is_dir() else ():
        sync(entry)
    sync(path)


def _describe_file(path: Path) -> tuple[int, str]:
    return path.stat().st_size, HASHES.hash(path, is_ours=True)
