"""The state of a source of pictures: which files there are, and the hash of each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from graft.images.file_hashes import FileHashes, Identity, identify
from graft.sources.file_names import is_litter, to_text

Snapshot = dict[str, str]
# What can be told of a file without reading it.
Sighting = dict[str, Identity | str]


def look_at(roots: Iterable[Path]) -> Sighting:
    """Name and state of every file of a source; nothing is read.

    Args:
        roots: Files, archives or folders; of folders all below them counts, hidden files and
            the litter of desktops left out.

    Returns:
        Name (relative to its root, after the number of the root) to identity. What cannot be
        read, and links, stand there with what they are.
    """
    found: Sighting = {}
    for number, root in enumerate(roots):
        for path in _list_files(root):
            name = to_text(os.path.relpath(path, root)) if path != root else root.name
            found[f"{number}/{name}"] = _look_at_file(path)
    return dict(sorted(found.items()))


def read_sighting(sighting: Sighting, hashes: FileHashes) -> Snapshot:
    """What the files that were seen held then.

    Args:
        sighting: Of :func:`look_at`.
        hashes: Known hashes: a file is read only if it is not among them.

    Returns:
        Name to SHA-256, or to what it is in place of a hash. A file that has changed since it
        was seen, before anyone read it, stands there as such: no later content is equal to it.
    """
    return {name: _read_file(state, hashes) for name, state in sighting.items()}


def count_changes(old: Snapshot, new: Snapshot) -> str:
    """What happened between two snapshots, in words.

    Examples:
        >>> count_changes({"a": "1", "b": "2"}, {"b": "3", "c": "4", "d": "1"})
        '1 new, 1 renamed, 1 changed'
    """
    added, gone = new.keys() - old.keys(), old.keys() - new.keys()
    come, left = Counter(new[name] for name in added), Counter(old[name] for name in gone)
    renamed = (come & left).total()
    changed = sum(old[name] != new[name] for name in old.keys() & new.keys())
    counts = {
        "new": len(added) - renamed,
        "renamed": renamed,
        "changed": changed,
        "gone": len(gone) - renamed,
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _list_files(root: Path) -> Iterable[Path]:
    if not root.is_dir():
        yield from [root] if os.path.lexists(root) else []
        return
    for folder, subfolders, files in os.walk(root):
        links = [name for name in subfolders if os.path.islink(os.path.join(folder, name))]
        subfolders[:] = [name for name in subfolders if not is_litter(name)]
        yield from (Path(folder, name) for name in [*files, *links] if not is_litter(name))


def _look_at_file(path: Path) -> Identity | str:
    try:
        if path.is_symlink() and path.is_dir():
            return f"link to {os.readlink(path)}"
        return identify(path) if path.is_file() else "no regular file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _read_file(state: Identity | str, hashes: FileHashes) -> str:
    if isinstance(state, str):
        return state
    found = hashes.find(state)
    if found is not None:
        return found
    path = Path(state.name)
    try:
        found = hashes.hash(path)
        if identify(path) == state:
            return found
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return f"changed since it was seen, ctime {state.stamp[4]}"
