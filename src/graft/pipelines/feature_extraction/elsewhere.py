"""What a worker does to pass pictures through a network: files in, features out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.compute.shards import ShardStore
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.models.forward_passes import Forward
    from graft.models.onnx_passes import Run


@dataclass(frozen=True)
class SpreadPasses:
    """Passes pictures through a network, wherever it is called; a function of row numbers.

    Attributes:
        images: File of all pictures, ``.npy``.
        network: File of the network, ``.onnx`` or ``.keras``.
        batch_size: Pictures a forward pass of Keras.
        output_shape: Of one picture.
    """

    images: str
    network: str
    batch_size: int
    output_shape: tuple[int, ...]

    def __call__(self, rows: Sequence[int]) -> Iterator[np.ndarray]:
        """Features of the pictures in these rows."""
        images = np.load(self.images, mmap_mode="r")
        run = _open(self.network, self.batch_size, self.output_shape)
        for start in range(0, len(rows), self.batch_size):
            yield from run(copy_pictures(images, np.asarray(rows[start : start + self.batch_size])))


def spread_passes(
    network: KerasModel, passes: Forward, images: np.ndarray, batch_size: int, store: ShardStore
) -> SpreadPasses:
    """Put what workers need into files.

    Args:
        network: From pictures to features.
        passes: How it is passed here: workers pass it the same way.
        images: All pictures, memory-mapped.
        batch_size: Pictures a forward pass of Keras.
        store: Where the network is left for the workers.

    Raises:
        GraftError: If the pictures are in no file.
    """
    if not isinstance(images, np.memmap) or images.filename is None:
        raise GraftError(
            "compute.engine dask: workers read pictures from the file of the catalog entry "
            f"'images', a NumpyArrayDataset; got {type(images).__name__} in memory"
        )
    name = f"{passes.identity[:32]}.network"
    if passes.content is not None:
        path = store.write(f"{name}.onnx", passes.content)
    else:
        store.folder.mkdir(parents=True, exist_ok=True)
        path = store.folder / f"{name}.keras"
        network.save(path)
    shape = tuple(network.output_shape[1:])
    return SpreadPasses(str(images.filename), str(path.absolute()), batch_size, shape)


@cache
def _open(path: str, batch_size: int, output_shape: tuple[int, ...]) -> Run:
    """The network, once a worker."""
    if path.endswith(".onnx"):
        from graft.models.onnx_passes import open_passes

        return open_passes(Path(path).read_bytes(), output_shape, threads=1)
    import keras

    from graft.models.inference import compile_forward

    return compile_forward(keras.models.load_model(path, compile=False), batch_size)
