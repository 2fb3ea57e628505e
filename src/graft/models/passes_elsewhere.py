"""Networks that workers pass pictures through: the network in a file, the pictures in another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graft.compute.shards import ShardStore
from graft.errors import GraftError
from graft.images.colours import copy_pictures

if TYPE_CHECKING:
    import keras

    from graft.models.forward_passes import Forward
    from graft.models.onnx_passes import Run


@dataclass(frozen=True)
class NetworkFile:
    """A network on storage that all workers see, and how it is passed.

    Attributes:
        path: ``.onnx`` or ``.keras``.
        batch_size: Rows a forward pass of Keras.
        output_shape: Of one row.
        modules: In which layers of the network are defined that are not Keras' own.
    """

    path: str
    batch_size: int
    output_shape: tuple[int, ...]
    modules: tuple[str, ...]

    def open(self) -> Run:
        """What passes a batch through the network; it is opened once a worker."""
        return _open(self)


def write_network(
    network: keras.Model, passes: Forward, batch_size: int, store: ShardStore
) -> NetworkFile:
    """Put a network into a file for workers, who pass it in the way in which it is passed here.

    Args:
        network: Of one input and one output.
        passes: How it is passed here.
        batch_size: Rows a forward pass of Keras.
        store: Where the file goes.
    """
    name = f"{passes.identity[:32]}.network"
    if passes.content is not None:
        path = store.write(f"{name}.onnx", passes.content)
    else:
        store.folder.mkdir(parents=True, exist_ok=True)
        path = store.folder / f"{name}.keras"
        network.save(path)
    modules = {type(layer).__module__ for layer in network._flatten_layers()}
    own = tuple(sorted(name for name in modules if name.split(".")[0] != "keras"))
    return NetworkFile(str(path.absolute()), batch_size, tuple(network.output_shape[1:]), own)


def find_file(images: np.ndarray) -> str:
    """The file of a memory-mapped array, by which workers open it.

    Raises:
        GraftError: If it is in no file.
    """
    if not isinstance(images, np.memmap) or images.filename is None:
        raise GraftError(
            "compute.engine dask: workers read pictures from the file of the catalog entry "
            f"'images', a NumpyArrayDataset; got {type(images).__name__} in memory"
        )
    return str(images.filename)


@dataclass(frozen=True)
class SpreadPasses:
    """Passes pictures through a network, wherever it is called; a function of row numbers.

    Attributes:
        images: File of all pictures, ``.npy``, see :func:`find_file`.
        network: See :func:`write_network`.
    """

    images: str
    network: NetworkFile

    def __call__(self, rows: Sequence[int]) -> Iterator[np.ndarray]:
        """Outputs of the network for the pictures in these rows."""
        run, size = self.network.open(), self.network.batch_size
        for start in range(0, len(rows), size):
            yield from run(self.read(np.asarray(rows[start : start + size])))

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Copy pictures."""
        return copy_pictures(np.load(self.images, mmap_mode="r"), rows)


@cache
def _open(file: NetworkFile) -> Run:
    if file.path.endswith(".onnx"):
        from graft.models.onnx_passes import open_passes

        return open_passes(Path(file.path).read_bytes(), file.output_shape, threads=1)
    import keras

    from graft.models.inference import compile_forward

    for module in file.modules:
        import_module(module)
    return compile_forward(keras.models.load_model(file.path, compile=False), file.batch_size)
