"""The rooms of the house: every module imports only what its room allows."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
# The ground floor: small modules that every room may use.
GROUND = {"dotted_paths", "errors", "file_hashes", "fingerprints", "progress", "runtime", "types"}
# Room (or module at the root) → rooms that it may import beside the ground floor.
ALLOWED: dict[str, set[str]] = {
    **{module: set() for module in GROUND},
    "parameters": set(),
    "images": set(),
    "sources": {"images"},
    "compute": set(),
    "models": set(),
    "training": {"analysis", "models", "parameters", "compute"},
    "analysis": set(),
    "reporting": {"analysis"},
    "classifier": {"images", "models"},
    "datasets": {"images", "sources", "compute", "models", "training", "classifier"},
    "caching": {"datasets.atomic", "datasets.receipts"},
    "tracking": {"caching"},
    "pipelines": {
        "analysis", "classifier", "compute", "datasets", "images", "models", "parameters",
        "reporting", "sources", "training",
    },
    # The doors: what Kedro and the command line call.
    "pipeline_registry": {"pipelines"},
    "settings": {"caching", "hooks", "pipeline_registry", "tracking"},
    "hooks": {"caching", "datasets.atomic"},
    "cli": {"caching"},
}  # fmt: skip
# What a room may not import from outside.
FOREIGN = {
    "caching": {"keras", "tensorflow", "PIL"},
    "analysis": {"kedro", "keras", "tensorflow"},
    "compute": {"kedro", "keras", "tensorflow"},
    "images": {"kedro", "keras", "tensorflow"},
    "models": {"kedro"},
    "sources": {"kedro", "tensorflow"},
    "tracking": {"keras", "tensorflow"},
    "training": {"kedro"},
}
MODULES = sorted((SOURCE / "graft").rglob("*.py"))


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _room(parts: tuple[str, ...]) -> str:
    return parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_what_its_room_allows(path: Path) -> None:
    parts = path.relative_to(SOURCE / "graft").parts
    room = _room(parts)
    own = f"graft.{room}." + (f"{parts[1]}." if room == "pipelines" and len(parts) > 2 else "")
    for name in sorted(_imports(path)):
        assert name.partition(".")[0] not in FOREIGN.get(room, set()), name
        if not name.startswith("graft.") or f"{name}.".startswith(own) or room == "__init__":
            continue
        within = name.removeprefix("graft.")
        allowed = GROUND | ALLOWED[room] | {"__version__"}
        assert any(f"{within}.".startswith(f"{place}.") for place in allowed), name


def test_a_name_stands_on_one_floor_only() -> None:
    places = defaultdict(list)
    for path in MODULES:
        if path.name not in {"__init__.py", "nodes.py", "parameters.py", "pipeline.py"}:
            places[path.stem].append(str(path.relative_to(SOURCE)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
