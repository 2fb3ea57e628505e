"""The rooms of the house: what lives where may import only what its room allows."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
# Small modules at the top that every room may use.
COMMON = {
    "graft.boundary_rows",
    "graft.errors",
    "graft.fine_tuning_parameters",
    "graft.fingerprints",
    "graft.parameters",
    "graft.progress",
    "graft.quiet",
    "graft.spreadsheets",
    "graft.training_backup",
    "graft.training_parameters",
    "graft.types",
}
ALLOWED = {
    "images": set(),
    "texts": set(),
    "datasets": {"images", "scores", "texts"},
    "caching": {"datasets", "images"},
    "models": {"scores"},
    "scores": set(),
    "figures": {"scores"},
    "tracking": {"caching", "datasets"},
    "pipelines": {"images", "texts", "datasets", "models", "scores", "figures"},
}
FOREIGN = {
    "images": {"kedro", "keras", "tensorflow"},
    "texts": {"kedro", "keras", "tensorflow"},
    "caching": {"keras", "tensorflow"},
    "models": {"kedro"},
    "scores": {"kedro", "keras", "tensorflow"},
    "tracking": {"keras", "tensorflow"},
}
MODULES = sorted(path for room in ALLOWED for path in (SOURCE / "graft" / room).rglob("*.py"))


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_what_its_room_allows(path: Path) -> None:
    room, *rest = path.relative_to(SOURCE / "graft").parts
    own = f"graft.{room}.{rest[0]}" if room == "pipelines" and len(rest) > 1 else f"graft.{room}"
    for name in _imports(path):
        assert name.partition(".")[0] not in FOREIGN.get(room, set())
        if name.startswith("graft.") and name not in COMMON and not name.startswith(own):
            assert name.split(".")[1] in ALLOWED[room], name
