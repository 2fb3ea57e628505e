"""What a search may change: the parameters of a space, and the range of each.

A range is short on purpose. What a search can choose from is also what it can overfit with: on
four small sets of ten, a free search over a whole grid ended below the frozen head
(docs/training.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Value = float | int | str | bool
Values = Mapping[str, Value]


@dataclass(frozen=True)
class Knob:
    """One parameter and the values that it may take.

    Attributes:
        path: As ``--params`` takes it: ``head_training.dropout``.
        low: The least value.
        high: The greatest value.
        is_log: Whether it is drawn evenly over its logarithm.
        is_integer: Whether it is a whole number.
        choices: All values that there are, in the place of a range.
    """

    path: str
    low: float = 0.0
    high: float = 0.0
    is_log: bool = False
    is_integer: bool = False
    choices: tuple[Value, ...] = ()

    def bring_in(self, value: Any) -> Value:
        """The value in the range that is nearest to one that may lie outside of it.

        Examples:
            >>> Knob("dropout", 0, 0.7).bring_in(0.9), Knob("units", choices=(0, 32)).bring_in(20)
            (0.7, 32)
        """
        if self.choices:
            if value in self.choices:
                return next(choice for choice in self.choices if choice == value)
            numbers = [one for one in self.choices if isinstance(one, int | float)]
            if len(numbers) < len(self.choices) or not isinstance(value, int | float):
                return self.choices[0]
            return min(numbers, key=lambda choice: abs(choice - value))
        found = min(max(float(value), self.low), self.high)
        return round(found) if self.is_integer else found

    def clean(self, value: Any) -> Value:
        """A value that was drawn, as YAML and Keras take it: four digits, whole numbers as int.

        Examples:
            >>> Knob("rate", 1e-4, 1e-1, is_log=True).clean(0.00123456)
            0.001235
        """
        if self.choices:
            return self.bring_in(value)
        if self.is_integer:
            return int(value)
        if value == 0:
            return 0.0
        return float(round(value, 3 - math.floor(math.log10(abs(value)))))


HEAD = (
    Knob("head_training.learning_rate", 3e-4, 3e-2, is_log=True),
    Knob("head_training.weight_decay", 1e-6, 1e-1, is_log=True),
    Knob("head_training.dropout", 0.0, 0.7),
    Knob("head_training.label_smoothing", 0.0, 0.2),
    Knob("head_training.hidden_units", choices=(0, 32)),
)
# Of a fine-tuning from the trained head. Its length is a rule of the size of the set, see
# graft.training.tuning_recipes, and no part of the search: longer is better and dearer.
RECIPES = (
    Knob("fine_tuning.learning_rate", 1e-4, 3e-3, is_log=True),
    Knob("fine_tuning.depth", 0.05, 1.0),
    Knob("fine_tuning.layer_decay", 0.6, 1.0),
    Knob("fine_tuning.augmentation_strength", 0.0, 2.0),
)
NETWORK = (
    Knob("from_scratch.learning_rate", 1e-4, 1e-2, is_log=True),
    Knob("from_scratch.architecture.blocks", 2, 4, is_integer=True),
    Knob("from_scratch.architecture.filters", 8, 48, is_log=True, is_integer=True),
    Knob("from_scratch.architecture.growth", choices=(1.0, 1.5, 2.0)),
    Knob("from_scratch.architecture.convolutions", choices=(1, 2)),
    Knob("from_scratch.architecture.dense_units", choices=(0, 64, 256)),
    Knob("from_scratch.architecture.dropout", 0.0, 0.6),
    Knob("from_scratch.l2", 1e-6, 1e-2, is_log=True),
)
SPACES: dict[str, Sequence[Knob]] = {"head": HEAD, "recipes": RECIPES, "network": NETWORK}


_chosen = "head"


def choose_space(parameters: Mapping[str, Any]) -> None:
    """Say which space the pipeline of this process searches.

    Kedro builds pipelines before it knows parameters, and what a space needs differs; a hook
    calls this first.

    Args:
        parameters: Of the run. A space that there is not is refused where they are checked.
    """
    global _chosen
    named = (parameters.get("search") or {}).get("space")
    _chosen = named if named in SPACES else "head"


def get_chosen_space() -> str:
    """The space that the pipeline of this process searches."""
    return _chosen


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as mappings in mappings, as a file of parameters has them.

    Examples:
        >>> nest({"head_training.dropout": 0.5, "head_training.hidden_units": 32})
        {'head_training': {'dropout': 0.5, 'hidden_units': 32}}
    """
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *folders, name = path.split(".")
        place = nested
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = value
    return nested
