"""The plan of a run: which nodes are fresh, which are stale, and why."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from kedro.io import AbstractDataset, DataCatalog
from kedro.io.core import is_parameter
from kedro.pipeline import Node, Pipeline

from graft.caching.ledger import Ledger, describe_hash
from graft.caching.recipes import (
    Recipe,
    describe_code,
    describe_parameters,
    describe_python,
    find_models,
)
from graft.caching.snapshots import Sighting, Snapshot, count_changes, look_at
from graft.datasets.atomic import AtomicDataset, PreviousDataset, SourceDataset
from graft.file_hashes import HASHES

WIDTH = 80
_STAGE_WIDTH = 20
NEVER_MADE = "never made"


def compare_recipes(
    old: Recipe, new: Recipe, read_snapshot: Callable[[str], Snapshot | None]
) -> list[str]:
    """What differs between two recipes, the most telling first; nothing if they are the same.

    Args:
        old: As recorded.
        new: Of today.
        read_snapshot: Gives the snapshot of pictures by its digest, if there is one.
    """
    reasons: list[str] = []
    for section in ("parameter", "input", "file", "code", "library", "python", "catalog"):
        before, now = old.get(section, {}), new.get(section, {})
        if not isinstance(before, dict):
            before = {}
        for name in [*now, *(name for name in before if name not in now)]:
            if before.get(name, _ABSENT) != now.get(name, _ABSENT):
                told = _TELL[section](name, before.get(name), now.get(name))
                if section == "input":
                    told = _tell_pictures(before.get(name), now.get(name), read_snapshot) or told
                reasons.append(told)
    return reasons


def format_plan(verdicts: Iterable[tuple[str, list[str]]], everything: bool = False) -> list[str]:
    r"""The plan as lines of at most 80 columns, a stage each; shorter before the first run.

    Args:
        verdicts: Stage, and why something in it is stale.
        everything: Whether all runs regardless.

    Examples:
        >>> print("\n".join(format_plan([("ingestion", []), ("splitting", ["never made"])])))
        Plan
          ingestion           fresh
          splitting           stale  never made
        >>> format_plan([("ingestion", ["never made"]), ("splitting", ["never made"])])
        ['Plan         nothing is made yet: ingestion, splitting']
    """
    verdicts = list(verdicts)
    if len(verdicts) > 1 and all(set(reasons) == {NEVER_MADE} for _, reasons in verdicts):
        stages = ", ".join(stage for stage, _ in verdicts)
        return textwrap.wrap(
            f"Plan         nothing is made yet: {stages}", WIDTH, subsequent_indent=" " * 13
        )
    lines = ["Plan"]
    for stage, reasons in verdicts:
        told = list(dict.fromkeys(reasons))
        head = f"  {stage:<{_STAGE_WIDTH}}" + ("stale  " if told else "fresh")
        if not told:
            lines.append(head + (", made again as asked" if everything else ""))
            continue
        room = WIDTH - len(head)
        more = f", +{len(told) - 1} more" if len(told) > 1 else ""
        line = told[0] + (more if len(told[0] + more) <= room else "")
        lines.append(head + (line if len(line) <= room else f"{line[: room - 1]}…"))
    return lines


_ABSENT = object()


def _tell_parameter(name: str, old: Any, new: Any) -> str:
    return f"parameter {name} {_show(old)} → {_show(new)}"


def _tell_version(name: str, old: Any, new: Any) -> str:
    return f"{name} {old or 'unused'} → {new or 'unused'}"


def _tell_code(name: str, old: Any, new: Any) -> str:
    *_, room, module = ["", *name.split(".")]
    happened = "changed" if old and new else "is used now" if new else "is no longer used"
    _, is_template, template = name.partition(".templates.")
    return f"{f'template {template}' if is_template else f'{module}.py of {room}'} {happened}"


def _tell_change(what: str) -> Callable[[str, Any, Any], str]:
    return lambda name, old, new: f"{what}{name} changed"


_TELL: dict[str, Callable[[str, Any, Any], str]] = {
    "parameter": _tell_parameter,
    "input": _tell_change(""),
    "file": _tell_change("file "),
    "code": _tell_code,
    "library": _tell_version,
    "python": _tell_version,
    "catalog": _tell_change("catalog entry "),
}


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}".replace("e-0", "e-")
    return "null" if value is None else str(value)


def _tell_pictures(
    old: str | None, new: str | None, read_snapshot: Callable[[str], Snapshot | None]
) -> str:
    before, now = (read_snapshot(digest) if digest else None for digest in (old, new))
    if now is None:
        return ""
    if before is None:
        return "other pictures"
    first, _, rest = count_changes(before, now).partition(", ")
    noun = "picture" if first.startswith("1 ") else "pictures"
    return f"{first} {noun}" + (f", {rest}" if rest else "")


ALWAYS = "always"  # tag of nodes that run every time, such as checks


@dataclass
class Verdict:
    """What is to be done about a node.

    Attributes:
        node: The node.
        recipe: Of today, without what its inputs hold if these have to be made first.
        reasons: Why it is stale by itself.
        waits: What is made again before it.
    """

    node: Node
    recipe: Recipe
    reasons: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)

    @property
    def all_reasons(self) -> list[str]:
        """Why it must run; none if it is fresh."""
        return [*self.reasons, *self.waits]


class Plan:
    """Verdicts on all nodes of a pipeline, and the record of what becomes of them.

    Args:
        pipeline: The nodes to run and, before them, all that make what these read.
        catalog: Catalog of their datasets.
        ledger: Where recipes are written down.
    """

    def __init__(self, pipeline: Pipeline, catalog: DataCatalog, ledger: Ledger) -> None:
        self._catalog, self._ledger = catalog, ledger
        for name in pipeline.datasets():
            catalog.get(name)  # An entry reads otherwise as long as nobody has asked for it.
        self._entries: dict[str, Any] = catalog.to_config()[0]
        self._makers = {name: node.name for node in pipeline.nodes for name in node.outputs}
        self._models = {name: m for node in pipeline.nodes for name, m in find_models(node).items()}
        self._contents: dict[str, str | None] = {}
        # Pictures that were seen and need not be read yet: the first stage will.
        self._sightings: dict[str, Sighting] = {}
        self._reading = Lock()
        self._made_from: dict[str, set[str]] = {}
        self.verdicts: dict[str, Verdict] = {}
        for node in pipeline.nodes:
            self.verdicts[node.name] = self._judge(node)

    def is_fresh(self, output: str) -> bool | None:
        """Whether an output needs not be made; None if no node of the plan makes it."""
        maker = self._makers.get(output)
        return None if maker is None else not self.verdicts[maker].all_reasons

    def find_stale(self, names: set[str]) -> dict[str, Verdict]:
        """Those of some datasets that are stale, with the verdict on their makers."""
        return {
            name: self.verdicts[self._makers[name]]
            for name in sorted(names)
            if self.is_fresh(name) is False
        }

    def note_input(self, name: str) -> None:
        """Look at what an input holds, just before it is loaded."""
        if not is_parameter(name) and not isinstance(self._get(name), SourceDataset):
            # A source counts as it was before the run: if it changes during it, what is made
            # of it is stale.
            self._contents[name] = self._ledger.describe_content(self._get(name))

    def record(self, output: str) -> None:
        """Write down by which recipe an output was made."""
        dataset, maker = self._get(output), self._makers.get(output)
        if maker is None or not isinstance(dataset, AtomicDataset):
            return
        verdict = self.verdicts[maker]
        inputs = {name: self.find_content(name) for name in self._list_inputs(verdict.node)}
        self._ledger.write_entry(dataset, {**verdict.recipe, "input": inputs})
        self._made_from[output] = set(filter(None, inputs.values()))
        # A later node of this run reads it anew.
        self._contents.pop(output, None)

    def find_content(self, name: str) -> str | None:
        """Digest of what an input holds, or held when the plan was made if it is pictures."""
        with self._reading:
            sighting = self._sightings.pop(name, None)
            if sighting is not None:
                self._contents[name] = self._ledger.describe_pictures(sighting)
        return self._contents.get(name)

    def describe_outputs(self) -> dict[str, str]:
        """SHA-256 of every output that is there: of a file itself, of a folder over its files."""
        found = {name: describe_hash(self._get(name)) for name in sorted(self._makers)}
        return {name: sha256 for name, sha256 in found.items() if sha256}

    def close(self) -> None:
        """Keep for the next run what it need not read again, and no name of a previous picture."""
        self._ledger.close(set().union(*self._made_from.values()))

    def _get(self, name: str) -> AbstractDataset | None:
        return self._catalog.get(name)

    def _list_inputs(self, node: Node) -> list[str]:
        names = [name for name in node.inputs if not is_parameter(name)]
        return sorted({n for n in names if not isinstance(self._get(n), PreviousDataset)})

    def _judge(self, node: Node) -> Verdict:
        inputs = self._list_inputs(node)
        waits_for = [name for name in inputs if self.is_fresh(name) is False]
        for name in set(inputs) - set(waits_for) - self._contents.keys() - self._sightings.keys():
            dataset = self._get(name)
            if isinstance(dataset, SourceDataset):
                self._sightings[name] = look_at(dataset.walk())
            else:
                self._contents[name] = self._ledger.describe_content(dataset)
        # What was never made needs nothing to be compared with: its pictures are read once, by it.
        unread = set() if self._was_made(node) else self._sightings.keys()
        verdict = Verdict(node, self._make_recipe(node, inputs, {*waits_for, *unread}))
        verdict.reasons = self._find_reasons(node, verdict.recipe, set(waits_for))
        stages = {name_stage(self.verdicts[self._makers[name]].node) for name in waits_for}
        verdict.waits = [f"follows {stage}" for stage in sorted(stages)]
        return verdict

    def _was_made(self, node: Node) -> bool:
        datasets = map(self._get, node.outputs)
        atomic = (dataset for dataset in datasets if isinstance(dataset, AtomicDataset))
        return any(self._ledger.read_entry(dataset) is not None for dataset in atomic)

    def _make_recipe(self, node: Node, inputs: list[str], left_out: set[str]) -> Recipe:
        used = {name: self._get(name) for name in [*inputs, *node.outputs]}
        datasets = {name: dataset for name, dataset in used.items() if dataset is not None}
        parameters, modules = describe_parameters(node, self._load_parameter, HASHES.hash)
        return {
            **parameters,
            "input": {name: self.find_content(name) for name in inputs if name not in left_out},
            **describe_code(node, datasets, self._entries, modules),
            **describe_python(),
        }

    def _load_parameter(self, name: str) -> Any:
        """A parameter as its stage sees it, also for a node of another stage that only copies it.

        Kedro validates only the parameters of nodes that were asked for.
        """
        value, model = self._catalog[name].load(), self._models.get(name)
        return model.model_validate(value) if model and isinstance(value, dict) else value

    def _find_reasons(self, node: Node, recipe: Recipe, waits_for: set[str]) -> list[str]:
        reasons = ["runs every time"] if ALWAYS in node.tags else []
        for name in node.outputs:
            dataset = self._get(name)
            if isinstance(dataset, AtomicDataset):
                reasons += self._inspect(name, dataset, recipe, waits_for)
            else:
                reasons.append(f"{name} is not kept")
        return list(dict.fromkeys(reasons))

    def _inspect(
        self, name: str, dataset: AtomicDataset, recipe: Recipe, waits_for: set[str]
    ) -> list[str]:
        """Why an output is stale."""
        file = dataset.filepath.name
        # Asked first: a dataset brings back what a kill has put aside.
        whole = dataset.filepath.exists() or dataset.exists()
        content = self._ledger.describe_content(dataset) if whole else None
        entry = self._ledger.read_entry(dataset)
        if content is None:
            return [f"{file} is gone" if entry else NEVER_MADE]
        if entry is None:
            return [f"nobody wrote down how {file} was made"]
        if entry["content"] != content or not dataset.exists():
            return [f"{file} was cut short or altered"]
        then = entry["recipe"].get("input", {})
        self._made_from[name] = set(filter(None, then.values()))
        known = {key: value for key, value in then.items() if key not in waits_for}
        then_recipe = {**entry["recipe"], "input": known}
        return compare_recipes(then_recipe, recipe, self._ledger.read_snapshot)


def name_stage(node: Node) -> str:
    """The stage of a node, as a person calls it; one that repeats others is one stage."""
    return (node.namespace or node.name).partition(".")[0]
