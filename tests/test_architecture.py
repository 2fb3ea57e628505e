"""The rooms of the house: every module imports only what its room allows."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
# The ground floor: small modules that every room may use.
GROUND = {
    "dotted_paths", "errors", "file_hashes", "fingerprints", "progress", "runtime", "spreadsheets",
    "types",
}  # fmt: skip
# Room (or module at the root) → rooms that it may import beside the ground floor.
ALLOWED: dict[str, set[str]] = {
    **{module: set() for module in GROUND},
    "parameters": set(),
    "backends": set(),
    "compute": set(),
    "images": {"compute.streams"},
    "sources": {"compute", "images", "parameters"},
    "labelling": {"analysis", "datasets.features", "images", "sources"},
    "models": {"backends", "compute.shards", "compute.streams", "images.colours"},
    "training": {"analysis", "backends", "compute", "images", "models", "parameters"},
    "analysis": set(),
    "search": {"analysis", "backends", "compute", "images", "models", "parameters", "training"},
    "reporting": {"analysis"},
    "classifier": {"analysis", "images", "models"},
    "export": {"backends", "models"},
    "serving": {"classifier", "compute", "datasets.receipts", "export", "images", "models"},
    "datasets": {
        "classifier", "compute", "images", "models", "reporting.embedding", "sources", "training",
    },
    "caching": {"datasets.atomic", "datasets.receipts"},
    "tracking": {"caching", "datasets.atomic"},
    "pipelines": {
        "analysis", "classifier", "compute", "datasets", "export", "images", "models",
        "parameters", "reporting", "search", "sources", "training",
    },
    # The doors: what Kedro and the command line call.
    "pipeline_registry": {"pipelines"},
    "settings": {
        "caching", "datasets.row_shards", "datasets.shared_models", "hooks", "pipeline_registry",
        "shared_values", "sources.stores", "text_values", "tracking",
    },
    "hooks": {
        "caching", "configuration", "datasets.atomic", "datasets.environments",
        "pipelines.candidates", "pipelines.prediction.pipeline", "search.spaces",
        "typed_parameters",
    },
    "shared_values": set(),
    "configuration": set(),
    "text_values": set(),
    "typed_parameters": {"text_values"},
    "cli": {"caching", "configuration", "label_command", "tracking", "typed_parameters"},
    "label_command": {"labelling", "pipelines.unlabelled", "sources"},
    "__main__": {"cli", "serving"},
}  # fmt: skip
# What a room may not import from outside.
FOREIGN = {
    "backends": {"kedro"},
    "caching": {"keras", "PIL"},
    "analysis": {"kedro", "keras"},
    "compute": {"kedro", "keras"},
    "images": {"kedro", "keras"},
    "labelling": {"kedro", "keras"},
    "models": {"kedro"},
    "search": {"kedro"},
    "serving": {"kedro", "keras", "pandas", "scipy"},
    "sources": {"kedro"},
    "tracking": {"keras"},
    "training": {"kedro"},
}
# What Keras works through is imported in `backends` alone; TensorBoard's writer is TensorFlow's.
BEHIND_KERAS = {"jax", "tensorflow"}
WRITES_FOR_TENSORBOARD = "training/callbacks.py"
# Of `pipelines`, what every stage may use.
SEAMS = ("graft.pipelines.candidates.", "graft.pipelines.unlabelled.")
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
    # A stage imports no other stage; the seams are for all.
    stage = f"{parts[1]}." if room == "pipelines" and len(parts) > 2 else ""
    own = [f"graft.{room}.{stage}", *(SEAMS if stage else ())]
    foreign = FOREIGN.get(room, set())
    if room != "backends" and "/".join(parts) != WRITES_FOR_TENSORBOARD:
        foreign = foreign | BEHIND_KERAS
    for name in sorted(_imports(path)):
        assert name.partition(".")[0] not in foreign, name
        if not name.startswith("graft.") or f"{name}.".startswith(tuple(own)) or room == "__init__":
            continue
        within = name.removeprefix("graft.")
        allowed = GROUND | ALLOWED[room] | {"__version__"}
        assert any(f"{within}.".startswith(f"{place}.") for place in allowed), name


def test_no_room_leads_back_to_itself() -> None:
    TopologicalSorter(
        {room: {place.partition(".")[0] for place in places} for room, places in ALLOWED.items()}
    ).prepare()


# What `graft.caching` loads of this package beside itself and the ground floor, also by the way.
LOADED_BY_CACHING = {
    "graft", "graft.datasets", "graft.datasets.atomic", "graft.datasets.receipts",
}  # fmt: skip


def test_caching_knows_no_pictures_and_no_keras() -> None:
    """It could be a package of its own."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import graft.caching, sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert not {"PIL", "keras", "tensorflow", "sklearn"} & set(loaded)
    ours = {name for name in loaded if name.partition(".")[0] == "graft"}
    ground = {f"graft.{module}" for module in GROUND}
    assert {name for name in ours - ground if not name.startswith("graft.caching")} == (
        LOADED_BY_CACHING
    )


def test_a_name_stands_on_one_floor_only() -> None:
    places = defaultdict(list)
    for path in MODULES:
        if path.name not in {
            "__init__.py",
            "nodes.py",
            "parameters.py",
            "pipeline.py",
            "predicting.py",
        }:
            places[path.stem].append(str(path.relative_to(SOURCE)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
