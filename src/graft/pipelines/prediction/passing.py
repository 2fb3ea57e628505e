"""Pictures on their way from files to what a network gives: here, or by workers elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from graft.classifier.champion import Champion
from graft.compute.shards import ShardStore
from graft.compute.spreading import Spread, map_rows
from graft.compute.streams import count_workers
from graft.compute.workers import Failure, Item, Limits, map_isolated
from graft.images.colours import show_in_rgb
from graft.images.decoding import decode_picture, list_formats
from graft.images.deep_pictures import parse_range
from graft.models.passes_elsewhere import NetworkFile
from graft.pipelines.prediction.parameters import PredictionParameters
from graft.progress import track
from graft.sources.new_pictures import File, Hashes, read_files
from graft.sources.source import ImageSource

Element = TypeVar("Element")
# What the network gives for a picture, or why there is nothing.
Output = np.ndarray | Failure


def divide(items: Iterable[Element], size: int) -> Iterator[list[Element]]:
    """Neighbours, so many at a time."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def make_decoder(classifier: Champion) -> partial[np.ndarray]:
    """What makes pixels of bytes, as of the pictures that a classifier was trained on."""
    facts = classifier.facts
    return partial(
        decode_picture,
        image_size=facts["image_size"],
        max_pixels=facts["max_pixels"],
        colour=facts["colour"],
        value_range=parse_range(facts.get("value_range")),
    )


def decode_here(
    classifier: Champion, items: Iterable[Item | Failure], parameters: PredictionParameters
) -> Generator[Output, None, None]:
    """Pixels of pictures, made in processes of their own."""
    limits = Limits(parameters.seconds_per_picture, parameters.memory_mb)
    workers = parameters.workers or count_workers()
    return map_isolated(make_decoder(classifier), items, workers, limits, prepare=list_formats)


@dataclass(frozen=True)
class Fitting:
    """How pixels become what a network takes.

    Attributes:
        channels: Of the network's input.
        dtype: Of the network's input.
    """

    channels: int
    dtype: str

    def fit(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (n, H, W, 1 or 3), uint8, for the network."""
        shown = show_in_rgb(pixels) if self.channels == 3 else pixels
        return shown.astype(self.dtype, copy=False)


def find_fitting(network: Any) -> Fitting:
    """For a network of Keras of one input."""
    return Fitting(network.input_shape[-1], network.inputs[0].dtype)


def pass_decoded(
    results: Generator[Output, None, None],
    run: Callable[[np.ndarray], np.ndarray],
    fitting: Fitting,
    batch_size: int,
) -> Iterator[Output]:
    """Pass pictures through a network, those that could be decoded.

    Args:
        results: Of the decoders.
        run: Passes a batch.
        fitting: Of the network.
        batch_size: Pictures a pass.

    Yields:
        Of every picture the output, or why there is none, in their order.
    """
    with closing(results):
        for batch in divide(results, batch_size):
            good = [result for result in batch if not isinstance(result, Failure)]
            outputs = iter(run(fitting.fit(np.stack(good))) if good else ())
            for result in batch:
                # What broke a limit need not travel along.
                yield Failure(result.reason) if isinstance(result, Failure) else next(outputs)


@dataclass(frozen=True)
class PassFiles:
    """Reads, hashes, decodes and passes pictures, wherever it is called.

    Attributes:
        read_hashed: From a name to the bytes of a file and their SHA-256.
        decode: Bytes and crop to pixels; in a process of its own.
        limits: Of a picture.
        network: That they pass.
        fitting: Of the network.
    """

    read_hashed: Callable[[str], tuple[bytes, str]]
    decode: Callable[..., np.ndarray]
    limits: Limits
    network: NetworkFile
    fitting: Fitting

    def __call__(self, rows: Sequence[File]) -> Iterator[tuple[Output, str | None]]:
        """Of every picture the output, or why there is none, and the SHA-256 of its file."""
        hashes = Hashes()
        items = read_files(self.read_hashed, rows, hashes)
        results = map_isolated(self.decode, items, 1, self.limits, prepare=list_formats)
        run, size = self.network.open(), self.network.batch_size
        for output in pass_decoded(results, run, self.fitting, size):
            yield output, hashes.popleft()


@dataclass(frozen=True)
class Elsewhere:
    """Workers that pass files.

    Attributes:
        passing: What they do.
        spread: Where.
        store: Where they leave it.
        activity: What is being done, in a word, for the progress.
    """

    passing: PassFiles
    spread: Spread
    store: ShardStore
    activity: str

    def work(
        self, files: Sequence[File], origins: Sequence[str]
    ) -> Iterator[tuple[Output, str | None]]:
        """What workers make of files, in their order."""
        with closing(map_rows(self.passing, files, origins, self.spread, self.store)) as results:
            for result in track(results, len(files), self.activity, "pictures"):
                yield (result, None) if isinstance(result, Failure) else result


def list_files(source: ImageSource) -> list[File]:
    """Names and crops of all pictures of a source."""
    return list(zip(source.records["image_id"], source.records["crop"], strict=True))
