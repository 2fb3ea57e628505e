"""What arrives at the boundary between a frozen trunk and the tail that is trained.

A trunk whose weights and statistics stay as they are gives the same output for the same picture
in every epoch. Computed once and stored, it need not be computed again: training the tail on it is
the same as training the tail within the whole network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from graft.compute.known_rows import TracedRows, copy_known, find_known, trace_results
from graft.compute.shards import ShardStore
from graft.compute.spreading import Spread, map_rows, refuse_lost
from graft.compute.streams import RowStream
from graft.fingerprints import fingerprint_code, hash_parts
from graft.images.colours import copy_pictures
from graft.models.kept_exports import KeptExports
from graft.models.passes_elsewhere import SpreadPasses, find_file, write_network
from graft.parameters.compute import HERE, ComputeParameters
from graft.parameters.fine_tuning import FineTuningParameters
from graft.parameters.forward import AUTO, ForwardParameters
from graft.progress import track
from graft.training.view_passes import SpreadViews, ViewPasses
from graft.types import KerasModel

if TYPE_CHECKING:
    import keras

    from graft.models.augmentation import PictureAugmenter

_TOO_FEW_BATCHES = 8


@dataclass(frozen=True)
class BoundaryPlan:
    """Which activations are stored, in which order.

    First all pictures to train on, each followed by its augmented views; then those of dev.

    Attributes:
        train: Rows of the pictures to train on, int (n,).
        dev: Rows of the pictures of dev.
        views: Augmented views of every picture to train on.
    """

    train: np.ndarray
    dev: np.ndarray
    views: int

    def __len__(self) -> int:
        return len(self.train) * (1 + self.views) + len(self.dev)

    def list_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Row of the picture and number of the view, of everything stored."""
        pictures = np.concatenate([np.repeat(self.train, 1 + self.views), self.dev])
        numbers = np.tile(np.arange(1 + self.views), len(self.train))
        return pictures, np.concatenate([numbers, np.zeros(len(self.dev), np.int64)])


class BoundaryRun:
    """Passes pictures and their views through a trunk.

    Args:
        trunk: From pictures (N, H, W, 3) uint8 to the boundary.
        read: Copies rows, given by their numbers, of the pictures of all splits.
        names: Name of every picture, for messages.
        augmenter: Makes the views.
        batch_size: Pictures a forward pass.
        seed: Seed of the views.
        dtype: ``float16`` or ``float32``, of what is stored.
        forward: What passes a batch through the trunk; None compiles it.
    """

    def __init__(
        self,
        trunk: keras.Model,
        read: Callable[[np.ndarray], np.ndarray],
        names: np.ndarray,
        augmenter: PictureAugmenter,
        batch_size: int,
        seed: int,
        dtype: str,
        forward: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        from graft.models.inference import compile_forward

        forward = forward or compile_forward(trunk, batch_size)
        self._passes = ViewPasses(forward, read, names, augmenter, seed, dtype)
        self._batch_size = batch_size

    def measure_seconds(self, plan: BoundaryPlan, rows: np.ndarray) -> float | None:
        """Estimated duration of :meth:`compute`, from a batch that is timed after one that is not.

        Returns:
            Seconds; None if so few rows are to be computed that measuring would take as long.
        """
        if len(rows) <= _TOO_FEW_BATCHES * self._batch_size:
            return None
        pictures, numbers = (listed[rows[: self._batch_size]] for listed in plan.list_rows())
        self._compute(pictures, numbers)
        started = time.perf_counter()
        self._compute(pictures, numbers)
        return (time.perf_counter() - started) * len(rows) / len(pictures)

    def compute(self, plan: BoundaryPlan, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Number and activations of some rows of the plan, in their order.

        An activation does not depend on what else is computed.

        Raises:
            GraftError: If an activation is too large for float16.
        """
        pictures, numbers = plan.list_rows()
        for start in range(0, len(rows), self._batch_size):
            some = rows[start : start + self._batch_size]
            yield from zip(some.tolist(), self._compute(pictures[some], numbers[some]), strict=True)

    def _compute(self, pictures: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        return self._passes(pictures, numbers)


# Plan, shape and dtype of what is stored, rows to compute, and the seconds they may take.
Tell = Callable[["BoundaryPlan", tuple[int, ...], str, int, "float | None"], None]


def stream_activations(
    trunk: KerasModel,
    plan: BoundaryPlan,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    previous: TracedRows | None,
    parameters: FineTuningParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
    tell: Tell | None = None,
    compute: ComputeParameters = HERE,
    store: ShardStore | None = None,
) -> RowStream:
    """Pass pictures and their views through the frozen blocks, as far as they are not known.

    Args:
        trunk: The frozen blocks.
        plan: Which pictures and views.
        images: All pictures.
        image_origins: Column ``origin``: what the rows of ``images`` were made of.
        splits: A row a picture.
        previous: Activations stored before, of whatever plan; rows of the same pixels and blocks
            are taken over.
        parameters: Of augmentation, type and batches.
        forward: Which runtime passes them.
        exports: Where converted networks are kept.
        tell: Called with what is to be done before it is.
        compute: Where they are passed.
        store: Where workers leave activations, if there are any.

    Returns:
        A stream that holds a batch at a time; it raises ``GraftError`` while it is stored if an
        activation is too large for its type.
    """
    from graft.models.augmentation import PictureAugmenter
    from graft.models.forward_passes import open_forward

    read, batch_size = partial(copy_pictures, images), parameters.activation_batch_size
    rows, _ = plan.list_rows()
    passes = open_forward(trunk, read, rows, batch_size, forward.engine, exports)
    names, is_here = splits["image_id"].to_numpy(), compute.engine == "serial" or store is None
    run = BoundaryRun(
        trunk,
        read,
        names,
        PictureAugmenter(parameters.augmentation, images.shape[1]),
        batch_size,
        parameters.seed,
        parameters.activation_dtype,
        passes.run,
    )
    shape = (len(plan), *trunk.output_shape[1:])
    origins = trace_views(plan, passes.identity, image_origins, parameters)
    known = previous or TracedRows(np.empty((0, 0)), [])
    found = find_known(origins, known.origins)
    new = np.flatnonzero(found < 0)
    if tell is not None:
        # How long workers take is not known of one pass in this process.
        seconds = run.measure_seconds(plan, new) if is_here else None
        tell(plan, shape, parameters.activation_dtype, len(new), seconds)
    if store is None or is_here:
        made = run.compute(plan, new)
    else:
        passing = SpreadViews(
            SpreadPasses(find_file(images), write_network(trunk, passes, batch_size, store)),
            names, parameters.augmentation, images.shape[1], parameters.seed,
            parameters.activation_dtype,
        )  # fmt: skip
        made = _compute_elsewhere(passing, plan, new, origins, compute, store)
    computed = track(made, len(new), "storing", "views")
    activations = chain(copy_known(known, found), computed)
    return RowStream(shape, parameters.activation_dtype, activations, origins)


def _compute_elsewhere(
    passing: SpreadViews,
    plan: BoundaryPlan,
    rows: np.ndarray,
    origins: Sequence[str],
    compute: ComputeParameters,
    store: ShardStore,
) -> Iterator[tuple[int, np.ndarray]]:
    """What :meth:`BoundaryRun.compute` yields, by workers."""
    pictures, numbers = (listed[rows] for listed in plan.list_rows())
    views = list(zip(pictures.tolist(), numbers.tolist(), strict=True))
    spread = Spread(**compute.model_dump()).align(passing.passes.network.batch_size)
    made = map_rows(passing, views, [origins[row] for row in rows], spread, store)
    whole = refuse_lost(made, passing.names[pictures].tolist())
    yield from zip(rows.tolist(), whole, strict=True)


def trace_views(
    plan: BoundaryPlan,
    forward: str,
    image_origins: pd.DataFrame,
    parameters: FineTuningParameters,
) -> list[str]:
    """Origins of the rows of a plan: pixels, network, and of a view how it is made.

    Args:
        plan: Which pictures and views.
        forward: Digest of all that the outputs of the frozen blocks are made of, but the pixels.
        image_origins: Of the decoding stage.
        parameters: Of augmentation, type and batches.
    """
    from graft.models.augmentation import PictureAugmenter

    stored = hash_parts(forward, parameters.activation_dtype)
    augmentation = hash_parts(
        fingerprint_code(PictureAugmenter),
        parameters.augmentation.model_dump_json(),
        parameters.seed,
    )
    pictures, numbers = plan.list_rows()
    plain = trace_results(image_origins["origin"], stored)
    return [
        hash_parts(plain[picture], augmentation, int(number)) if number else plain[picture]
        for picture, number in zip(pictures, numbers, strict=True)
    ]
