"""Names for types whose real home is too heavy to import for a name's sake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras import Model as KerasModel
else:
    # Kedro evaluates the annotations of nodes whenever it reads parameters; with the real
    # class there, listing the pipelines would import TensorFlow.
    KerasModel = Any

__all__ = ["KerasModel"]
