"""What passes pictures through networks that are not being trained."""

from __future__ import annotations

from typing import Literal

from graft.parameters.base import StageParameters


class ForwardParameters(StageParameters):
    """Which runtime looks forward: for features, stored activations and predictions.

    Attributes:
        engine: ``keras``; ``onnx``: ONNX Runtime, if it gives what Keras gives; ``auto``: ONNX
            Runtime where pictures are many enough to pay for the conversion
            (:func:`graft.models.forward_passes.choose_engine`) and it is installed.
    """

    engine: Literal["auto", "keras", "onnx"] = "auto"


# As in the configuration of the project, for whoever calls a node by itself.
AUTO = ForwardParameters()
