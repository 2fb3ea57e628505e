"""The ledger: beside every output the recipe that it was made by, and what it held then."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from graft.caching.recipes import Recipe
from graft.caching.snapshots import Sighting, Snapshot, look_at, read_sighting
from graft.datasets.atomic import AtomicDataset, PreviousDataset, SourceDataset, UserFileDataset
from graft.datasets.receipts import describe_state, sync
from graft.file_hashes import HASHES
from graft.fingerprints import hash_parts


class Ledger:
    """Reads and writes the recipes of outputs, and tells what files hold.

    Args:
        folder: Where hashes and snapshots are kept between runs; None keeps nothing, and every
            file is read in every run.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._snapshots: dict[str, Snapshot] = {}
        # Something may have happened since the last run of this process.
        HASHES.reopen(folder / "hashes.json" if folder else None)

    def describe_content(self, dataset: AbstractDataset | None) -> str | None:
        """Digest of what the files of a catalog entry hold; None if there are none.

        A source of the user is described by a snapshot, which :meth:`read_snapshot` gives back.
        An entry that is no file of ours has no content that could be known: also None.
        """
        if isinstance(dataset, SourceDataset):
            return self.describe_pictures(look_at(dataset.walk()))
        if isinstance(dataset, UserFileDataset):
            held = [(file.name, HASHES.hash(file)) for file in dataset.list_files()]
            return hash_parts(json.dumps(held)) if held else None
        if not isinstance(dataset, AtomicDataset) or isinstance(dataset, PreviousDataset):
            return None
        state = describe_state(dataset.filepath)
        return hash_parts(json.dumps(state)) if state is not None else None

    def describe_pictures(self, sighting: Sighting) -> str:
        """Digest of what pictures held when they were seen; what nobody has read since is read."""
        snapshot = read_sighting(sighting, HASHES)
        digest = hash_parts(json.dumps(snapshot))
        self._snapshots[digest] = snapshot
        return digest

    def read_entry(self, dataset: AtomicDataset) -> dict[str, Any] | None:
        """Recipe and content of an output as it was made; None if nobody wrote them down."""
        try:
            entry = json.loads(_entry_path(dataset.filepath).read_text())
            return entry if {"recipe", "content"} <= entry.keys() else None
        except (OSError, ValueError, AttributeError):
            return None

    def write_entry(self, dataset: AtomicDataset, recipe: Recipe) -> None:
        """Write down, in one step, by which recipe an output was made just now."""
        content = self.describe_content(dataset)
        _write(_entry_path(dataset.filepath), {"content": content, "recipe": recipe})
        for digest in recipe["input"].values():
            self._keep_snapshot(digest)

    def read_snapshot(self, digest: str) -> Snapshot | None:
        """The snapshot of a digest of this or of a previous run; None if it was not kept."""
        if digest in self._snapshots or self._folder is None:
            return self._snapshots.get(digest)
        try:
            return json.loads((self._folder / f"snapshot-{digest[:16]}.json").read_text())
        except (OSError, ValueError):
            return None

    def close(self, used: Iterable[str]) -> None:
        """Keep the hashes for the next run; sweep snapshots that no output was made from."""
        HASHES.save()
        if self._folder is not None and self._folder.is_dir():
            kept = {f"snapshot-{digest[:16]}.json" for digest in used}
            for path in self._folder.glob("snapshot-*.json"):
                if path.name not in kept:
                    path.unlink(missing_ok=True)

    def _keep_snapshot(self, digest: str | None) -> None:
        if self._folder is None or digest not in self._snapshots:
            return
        path = self._folder / f"snapshot-{digest[:16]}.json"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(path, self._snapshots[digest])


def describe_hash(dataset: AbstractDataset | None) -> str | None:
    """SHA-256 of the file of an output, or over the list of files of a folder; None if none."""
    if not isinstance(dataset, AtomicDataset):
        return None
    state = describe_state(dataset.filepath)
    if state is None:
        return None
    return state[""][1] if [*state] == [""] else hash_parts(json.dumps(state))


def _entry_path(filepath: Path) -> Path:
    return filepath.with_name(f".{filepath.name}.recipe.json")


def _write(path: Path, content: Any) -> None:
    # The name is that of a draft of `AtomicDataset`, which sweeps those of dead processes.
    owner = path.name.removeprefix(".").removesuffix(".recipe.json")
    draft = path.with_name(f".{owner}.draft-{os.getpid()}-recipe.json")
    draft.write_text(json.dumps(content, indent=1, ensure_ascii=False))
    sync(draft)
    os.replace(draft, path)
    sync(path.parent)
