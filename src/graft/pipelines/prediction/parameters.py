"""Parameters of the prediction pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from graft.parameters.base import StageParameters


class ImagenetParameters(StageParameters):
    """A pretrained network with its own 1,000 classes.

    Attributes:
        network: A network of ``keras.applications``.
        weights: ``imagenet``, or a file of the weights of the whole network, head included.
        class_index: Keras' ``imagenet_class_index.json``; None takes the one that Keras downloads.
        image_size: Side of the square pictures that it takes, in pixels.
    """

    network: str
    weights: str
    class_index: str | None
    image_size: PositiveInt


class PredictionParameters(StageParameters):
    """Which pictures are asked about, and whom.

    Attributes:
        source: A folder, an archive or a file of pictures; None takes the pictures of the index
            that have no label. It decides what the pipeline reads; the catalog has the place.
        classifier: ``champion``, or ``imagenet``.
        layer: Name of a layer of the classifier, whose outputs are kept instead of answers.
        top: Classes that are listed a picture, the most probable first.
        batch_size: Pictures a forward pass.
        max_pixels: Largest allowed width × height of a picture file.
        seconds_per_picture: Longest time that decoding one picture may take.
        memory_mb: Most memory that decoding one picture may take, in MiB; enforced on Linux.
        workers: Processes that decode; one a processor if None.
        imagenet: The network, if ``classifier`` is ``imagenet``.
    """

    # The pictures themselves count, wherever they lie. A picture that breaks a limit is tried
    # again in every run.
    not_fingerprinted: ClassVar[frozenset[str]] = frozenset({"source", "workers"})

    source: str | None
    classifier: Literal["champion", "imagenet"]
    layer: str | None
    top: PositiveInt
    batch_size: PositiveInt
    max_pixels: int = Field(gt=0, le=89_478_485)
    seconds_per_picture: float = Field(gt=0, allow_inf_nan=False)
    memory_mb: int = Field(ge=64)
    workers: PositiveInt | None
    imagenet: ImagenetParameters

    def list_files(self) -> list[Path]:
        if self.classifier != "imagenet":
            return []
        named = (self.imagenet.weights, self.imagenet.class_index or "")
        paths = (Path(name).expanduser() for name in named if name)
        return [path for path in paths if path.is_file()]
