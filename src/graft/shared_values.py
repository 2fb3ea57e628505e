"""Values that stand in several places of the configuration: all of them must say the same.

Each has one place of its own, ``conf/<env>/globals.yml``, from which the others copy it. Whoever
overrides a copy alone (``--params decoding.image_size=16``) would have pictures of one size and a
network for another, or pictures that pass the first check and break the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl

from graft.errors import GraftError

# By the name in globals.yml: the parameters that copy it.
COPIES = {
    "image_size": ("backbone.image_size", "decoding.image_size"),
    "max_pixels": (
        "ingestion.max_pixels",
        "decoding.max_pixels",
        "exploration.max_pixels",
        "prediction.max_pixels",
    ),
    "seconds_per_picture": (
        "ingestion.seconds_per_picture",
        "decoding.seconds_per_picture",
        "prediction.seconds_per_picture",
    ),
    "memory_mb": ("ingestion.memory_mb", "decoding.memory_mb", "prediction.memory_mb"),
    "near_duplicate_radius": (
        "ingestion.near_duplicate_radius",
        "splitting.near_duplicate_radius",
    ),
}


class SharedValuesHook:
    """Refuses, before any work, parameters that say two things about one."""

    def __init__(self) -> None:
        self._folder = Path()
        self._other: Any = None

    @hook_impl(trylast=True)  # once it is known that there is such an environment
    def after_context_created(self, context: KedroContext) -> None:
        """Learn where the project is, and which run it is to be compared with."""
        self._folder = Path(context.project_path)
        given = context._runtime_params or {}
        self._other = given.get("other", context.config_loader["globals"].get("other"))

    @hook_impl
    def after_catalog_created(
        self, conf_catalog: dict[str, Any], parameters: dict[str, Any]
    ) -> None:
        """Compare all places of every value.

        Raises:
            GraftError: Names two places that disagree, and the one that goes for both.
        """
        for name, copies in COPIES.items():
            _refuse_two(name, {copy: parameters[f"params:{copy}"] for copy in copies})
        run = "compare_runs.other"
        # The catalog takes the name of the folder from the global value.
        _refuse_two("other", {run: parameters[f"params:{run}"], "other": self._other})
        self._refuse_other_review(conf_catalog, parameters["params:label_issues.review_file"])

    def _refuse_other_review(self, conf_catalog: dict[str, Any], told: str) -> None:
        read = conf_catalog.get("label_review", {}).get("filepath")
        if read is not None and Path(read) != self._folder / Path(told).expanduser():
            raise GraftError(
                "label_issues.review_file is the file that people are told to fill, and must be "
                "that which the catalog reads as label_review; change both or none; "
                f"got '{told}' beside '{read}'"
            )


def _refuse_two(name: str, values: Mapping[str, Any]) -> None:
    first, *others = values.items()
    for place, value in others:
        if value != first[1]:
            raise GraftError(
                f"{first[0]} and {place} are one value; give it once, with --params {name}=… or "
                f"as {name} in globals.yml; got {first[1]} and {value}"
            )
