"""Parameters that several stages share."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from graft.errors import GraftError


class StageParameters(BaseModel):
    """Base of every stage's parameters: unknown names are refused, values never change.

    Attributes:
        not_fingerprinted: Names of parameters that say how the work is done and cannot change what comes
            out of it, such as the number of processes. Changing them makes nothing stale.
    """

    not_fingerprinted: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Check the parameters of a stage, as Kedro does before any node runs.

        Raises:
            GraftError: Says in one line which parameter is wrong and what is allowed.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise GraftError("; ".join(cls._explain(fault) for fault in error.errors())) from error

    def list_files(self) -> list[Path]:
        """Files outside the catalog that the parameters name; their content counts with them."""
        return []

    def list_code(self) -> list[str]:
        """Dotted paths of the user's own functions and classes that the parameters name."""
        return []

    @classmethod
    def _explain(cls, fault: Any) -> str:
        name = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            close = difflib.get_close_matches(name, cls.model_fields, n=1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            return f"unknown name; {hint}allowed are {', '.join(cls.model_fields)}; got '{name}'"
        message = fault["msg"].removeprefix("Value error, ")
        # A fault of several parameters together has no name and says itself what was given.
        return f"{name}: {message}; got {fault['input']!r}" if name else message


class BackboneParameters(StageParameters):
    """The pretrained network.

    Attributes:
        name: A network of ``keras.applications``, or ``small_cnn``.
        weights: ``imagenet``, ``random``, ``printed_letters`` (of ``small_cnn``), or a file.
        image_size: Side of the pictures that it takes, in pixels.
        match: ``exact``: all weights of a file, or none; ``by_name``: those of the layers whose
            names the file has, for a network that differs from the file's in others.
        seed: Seed of random weights.
    """

    name: str
    weights: str
    match: Literal["exact", "by_name"] = "exact"
    image_size: PositiveInt
    seed: int = Field(ge=0)

    def list_files(self) -> list[Path]:
        own = Path(__file__).parents[1] / "models" / "weights" / f"{self.name}_{self.weights}.npz"
        candidates = (own, Path(self.weights).expanduser())
        return [path for path in candidates if path.is_file()][:1]
