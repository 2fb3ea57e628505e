"""Catalog type for an environment: a folder of configuration that a run has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from graft.datasets.atomic import AtomicDataset, LocalDataset
from graft.datasets.receipts import agrees_with_receipt
from graft.errors import GraftError


@dataclass(frozen=True)
class Basis:
    """The configuration of the run that found it.

    Attributes:
        folder: Of its environment; None if it has none.
        given: What ``--params`` gave.
        declared: Names of the global values, such as ``source``.
    """

    folder: Path | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()


_basis = Basis()


def choose_basis(basis: Basis) -> None:
    """Say in which environment this process runs; a hook calls it before anything is saved.

    Environments do not stack: what is found in one is of use only together with all of it.
    """
    global _basis
    _basis = basis


@dataclass(frozen=True)
class FoundEnvironment:
    """What is to be written.

    Attributes:
        parameters: Stage → name → value, nested.
        comment: How it was found, lines without ``#``.
    """

    parameters: Mapping[str, Any]
    comment: list[str]


class EnvironmentFolderDataset(LocalDataset[FoundEnvironment, dict[str, str]]):
    """Files of an environment: those of the one it was found in, changed where it says so."""

    def load(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted(self._filepath.glob("*.yml"))}

    def save(self, data: FoundEnvironment) -> None:
        self._filepath.mkdir(parents=True, exist_ok=True)
        for name, text in make_files(data, _basis).items():
            (self._filepath / name).write_text(text, encoding="utf-8")


def make_files(found: FoundEnvironment, basis: Basis) -> dict[str, str]:
    """Name to text of every file: those of the basis, with what was found and what was given.

    Args:
        found: What is to be written.
        basis: The configuration of the run that found it.
    """
    texts = {}
    if basis.folder is not None:
        texts = {
            path.name: path.read_text(encoding="utf-8")
            for path in sorted(basis.folder.glob("*.yml"))
            if not path.name.startswith("credentials")
        }
    shared = {name: value for name, value in basis.given.items() if name in basis.declared}
    others = {name: value for name, value in basis.given.items() if name not in shared}
    if shared:
        _merge_into(texts, "globals.yml", shared, ["Given by --params when it was found."])
    kept = {name: value for name, value in others.items() if name not in ("search",)}
    comment = [*found.comment]
    if kept:
        comment.append(f"Given by --params as well, and to be given again: {kept}")
    for stage, values in found.parameters.items():
        holders = [
            name
            for name, text in texts.items()
            if name.startswith("parameters") and stage in (yaml.safe_load(text) or {})
        ]
        name = holders[0] if holders else f"parameters_{stage}.yml"
        _merge_into(texts, name, {stage: values}, comment)
    return texts


def _merge_into(
    texts: dict[str, str], name: str, values: Mapping[str, Any], comment: list[str]
) -> None:
    merged = _merge(yaml.safe_load(texts.get(name, "")) or {}, values)
    lines = "".join(f"# {line}\n" for line in comment)
    texts[name] = lines + yaml.safe_dump(merged, sort_keys=False, allow_unicode=True)


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        is_deeper = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merge(merged[name], value) if is_deeper else value
    return merged


class EnvironmentDataset(AtomicDataset):
    """An environment that a run writes, and never over one that a person has made or changed.

    Args:
        filepath: Its folder in the configuration.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        kind = f"{__name__}.{EnvironmentFolderDataset.__name__}"
        super().__init__(filepath=filepath, dataset=kind, metadata=metadata)

    def save(self, data: FoundEnvironment) -> None:
        """Write it.

        Raises:
            GraftError: If there is another environment of this name, or it was changed since.
        """
        if self.filepath.exists() and not agrees_with_receipt(self.filepath):
            raise GraftError(
                "there is an environment of this name that the search has not written, or that "
                "was changed since: it stays as it is, and so does what was found; name another "
                "with --params search_environment=NAME, or move this one away; got "
                f"'{self.filepath.name}'"
            )
        super().save(data)
