"""Wiring of the search."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline

from graft.pipelines.search.nodes import (
    describe_environment,
    draw_search_coordinates,
    draw_search_history,
    draw_search_slices,
    search_heads,
    search_networks,
    search_recipes,
    write_search_page,
)
from graft.search.spaces import get_chosen_space

# What each space is searched with; a search of heads asks for no decoded picture.
_SEARCHES: dict[str, tuple[Callable[..., Any], list[str], list[str]]] = {
    "head": (search_heads, ["features"], ["params:head_training"]),
    "recipes": (
        search_recipes,
        ["features", "backbone", "images", "fine_tuned_recipe"],
        ["params:head_training", "params:fine_tuning"],
    ),
    "network": (search_networks, ["images"], ["params:from_scratch"]),
}


def create_pipeline(**_: object) -> Pipeline:
    """What a space needs → ``search_trials``, ``search_verdict``, its page and its environment."""
    function, data, settings = _SEARCHES[get_chosen_space()]
    return Pipeline(
        [
            Node(
                function,
                inputs=[
                    *data, "splits", "class_names", "search_backup", *settings, "params:search",
                ],
                outputs=["search_trials", "search_verdict"],
                name=function.__name__,
            ),
            Node(
                draw_search_history,
                inputs=["search_trials", "search_verdict"],
                outputs="search_history",
                name="draw_search_history",
            ),
            Node(
                draw_search_slices,
                inputs=["search_trials", "params:search"],
                outputs="search_slices",
                name="draw_search_slices",
            ),
            Node(
                draw_search_coordinates,
                inputs=["search_trials", "params:search"],
                outputs="search_coordinates",
                name="draw_search_coordinates",
            ),
            Node(
                write_search_page,
                inputs=[
                    "search_trials", "search_verdict", "search_history", "search_slices",
                    "search_coordinates", "params:search",
                ],
                outputs="search_page",
                name="write_search_page",
            ),
            Node(
                describe_environment,
                inputs=["search_verdict", "params:search"],
                outputs="search_environment",
                name="describe_environment",
            ),
        ],
        namespace="search",
        prefix_datasets_with_namespace=False,
    )  # fmt: skip
