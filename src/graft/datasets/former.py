"""Catalog type for what the last run left of an output that the next run makes anew."""

from __future__ import annotations

from typing import Any, NoReturn

from kedro.io import DatasetError

from graft.datasets.atomic import AtomicDataset


class FormerDataset(AtomicDataset):
    """Another entry's file, read before it is written anew; None before the first run.

    Kedro's graph has no way back, so an output that depends on its former self is read under a
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
