"""One wrapper that makes any local dataset, file or folder, atomic and checked.

And the other roles that an entry of a catalog may have for :mod:`graft.caching`, which knows
these classes and no other: a source or a file of the user's, and what only saves work.
"""

from __future__ import annotations

import copy
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from uuid import uuid4

from kedro.io.core import AbstractDataset, DatasetError, parse_dataset_definition

from graft.datasets.receipts import (
    agrees_with_receipt,
    describe_state,
    read_receipt,
    receipt_path,
    rename,
    sync_all,
    write_receipt,
)
from graft.errors import GraftError

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class LocalDataset(AbstractDataset[Saved, Loaded]):
    """Base of datasets that are one local file or folder; it neither writes nor reads.

    Args:
        filepath: The file or folder.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class UserDataset(AbstractDataset[Any, Loaded]):
    """Base of entries that the user brings and may change at any time: read, never written.

    Args:
        filepath: The file or folder.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = filepath
        self.metadata = metadata

    def save(self, data: Any) -> NoReturn:
        raise DatasetError(f"{self} is the user's own: it is read, never written")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class SourceDataset(UserDataset[Loaded]):
    """Base of entries of many files, such as pictures, of which a plan tells what happened to them.

    It counts as it was when a run was planned.
    """

    @abstractmethod
    def walk(self) -> Iterator[tuple[str, str]]:
        """A name, each once, and the place of every file that counts, in any order."""


class UserFileDataset(UserDataset[Any]):
    """Base of entries whose content is a file, or a few of them; it counts as it is when loaded."""

    def list_files(self) -> list[Path]:
        """The files that are there now: outputs made from others are stale."""
        path = Path(self._filepath).expanduser()
        if path.is_dir():
            return sorted(file for file in path.rglob("*") if file.is_file())
        return [path] if path.is_file() else []

    def _exists(self) -> bool:
        return bool(self.list_files())


class WorkSaver(ABC):
    """Base of entries without which the outputs would be the same, only later."""

    @abstractmethod
    def forget(self) -> None:
        """Be absent from now on: everything is to be made again."""


class AtomicDataset(AbstractDataset[Any, Any]):
    """A dataset that is either the whole old or the whole new one, whenever it is killed.

    The wrapped dataset writes beside its place; the result is flushed, hashed into a receipt
    (:mod:`graft.datasets.receipts`) and moved there in one step. ``exists()`` and ``load()``
    trust only what agrees with the receipt, so a torn or altered file counts as missing.

    Examples:
        ::

            splits:
              type: graft.datasets.AtomicDataset
              filepath: data/03_primary/digits/splits.parquet
              dataset: {type: pandas.ParquetDataset}

    Args:
        filepath: Where the file or folder lies, on a local file system.
        dataset: Definition of the wrapped dataset, without its ``filepath``.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        dataset: dict[str, Any] | str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = Path(filepath)
        definition = {"type": dataset} if isinstance(dataset, str) else dataset
        self._type: Callable[..., AbstractDataset[Any, Any]]
        self._type, self._arguments = parse_dataset_definition(copy.deepcopy(definition))
        self.metadata = metadata
        wrapped = self._wrap(self._filepath)
        if hasattr(wrapped, "preview") and self._filepath.exists():
            # kedro-viz calls the method if there is one, and reads the kind off its annotation.
            self.preview = wrapped.preview

    @property
    def filepath(self) -> Path:
        """Where the file or folder lies."""
        return self._filepath

    @property
    def kind(self) -> Callable[..., AbstractDataset[Any, Any]]:
        """The wrapped type, which alone decides what is written."""
        return self._type

    @property
    def imports(self) -> tuple[str, ...]:
        """Modules that the wrapped dataset imports before it loads."""
        return tuple(self._arguments.get("imports", ()))

    def load(self) -> Any:
        if not self._exists():
            message = (
                f"'{self._filepath}' is missing, cut short or altered since it was saved; "
                "run the stage that makes it again"
            )
            raise DatasetError(message) from GraftError(message)
        return self._wrap(self._filepath).load()

    def save(self, data: Any) -> None:
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        self._recover()
        draft = self._beside("draft")
        try:
            self._wrap(draft).save(data)
            if not draft.exists():
                raise DatasetError(f"nothing was written for '{self._filepath}'")
            sync_all(draft)
            self._publish(draft)
        finally:
            _remove(draft)

    def _publish(self, draft: Path) -> None:
        """Move the draft into place; a kill between any two lines loses neither state."""
        new, old = describe_state(draft), describe_state(self._filepath)
        accepted = [new, old] if old in read_receipt(self._filepath) else [new]
        write_receipt(self._filepath, *accepted)
        aside = self._beside("aside")
        if self._filepath.is_dir() or (draft.is_dir() and self._filepath.exists()):
            # rename(2) replaces no folder; `_recover` undoes a kill in between.
            os.replace(self._filepath, aside)
        rename(draft, self._filepath)
        write_receipt(self._filepath, new)
        _remove(aside)

    def _recover(self) -> None:
        """Bring back a folder that a kill left aside, and sweep what dead processes left."""
        for leftover in list(self._filepath.parent.iterdir()):
            prefix, _, rest = leftover.name.partition(f".{self._filepath.name}.")
            kind, process, *_ = [*rest.split("-", 2), ""]
            if prefix or kind not in {"draft", "aside"} or _is_alive(process):
                continue
            if (
                kind == "aside"
                and not self._filepath.exists()
                and agrees_with_receipt(self._filepath, content=leftover)
            ):
                os.replace(leftover, self._filepath)
            else:
                _remove(leftover)

    def _exists(self) -> bool:
        if not self._filepath.exists() and receipt_path(self._filepath).exists():
            self._recover()
        return agrees_with_receipt(self._filepath)

    def _beside(self, kind: str) -> Path:
        # The suffix stays last: some datasets choose their format by it.
        unique = f"{kind}-{os.getpid()}-{uuid4().hex[:8]}{self._filepath.suffix}"
        return self._filepath.with_name(f".{self._filepath.name}.{unique}")

    def _wrap(self, path: Path) -> AbstractDataset[Any, Any]:
        return self._type(filepath=str(path), **copy.deepcopy(self._arguments))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "dataset": getattr(self._type, "__name__", "")}


def _is_alive(process: str) -> bool:
    if not process.isdigit() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class PreviousDataset(AtomicDataset, WorkSaver):
    """Another entry's file, read before it is written anew; None before the first run.

    Kedro's graph has no way back, so an output that depends on its previous self is read under a
    second name. A file that was cut short or altered counts as absent.

    Args:
        only_saves_work: Whether the output would be the same without it. Then it can be forgotten.
        arguments: Of :class:`AtomicDataset`.
    """

    def __init__(self, *, only_saves_work: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._only_saves_work = only_saves_work
        self._is_forgotten = False

    def forget(self) -> None:
        """Be absent from now on, if that only costs work: everything is to be made again."""
        self._is_forgotten = self._only_saves_work

    def load(self) -> Any:
        return super().load() if self._exists() and not self._is_forgotten else None

    def save(self, data: Any) -> NoReturn:
        raise DatasetError(f"{self} is read, never written: the entry of the same file is")
