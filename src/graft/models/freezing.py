"""Freezing a network up to a block, and cutting it there into a trunk and a tail."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

import keras

from graft.errors import GraftError
from graft.models.blocks import Block, divide, find_blocks
from graft.models.heads import join_classifier


@dataclass(frozen=True)
class CutBackbone:
    """A backbone with a boundary in it.

    Attributes:
        trunk: The frozen part, from pictures to the boundary; None if nothing is frozen.
        frozen: Its blocks, from input to output.
        unfrozen: The blocks after it.
    """

    trunk: keras.Model | None
    frozen: list[Block]
    unfrozen: list[Block]


@dataclass(frozen=True)
class CutClassifier(CutBackbone):
    """A classifier in two parts that share their layers with the whole.

    Attributes:
        whole: From pictures (N, H, W, 3) uint8 to probabilities (N, C).
        tail: What comes after the trunk, head included; the whole if nothing is frozen.
    """

    whole: keras.Model
    tail: keras.Model


def cut_backbone(backbone: keras.Model, unfreeze: str | int) -> CutBackbone:
    """Cut a backbone before the first unfrozen block; the part before it shares its layers.

    Args:
        backbone: From pictures to features (N, D).
        unfreeze: As of :func:`cut_classifier`.

    Raises:
        GraftError: If there is no such block.
    """
    blocks = find_blocks(backbone)
    first = find_first_unfrozen(blocks, unfreeze)
    if first == 0:
        return CutBackbone(None, [], blocks)
    trunk = keras.Model(backbone.input, blocks[first - 1].output, name="trunk")
    trunk.trainable = False
    return CutBackbone(trunk, blocks[:first], blocks[first:])


def cut_classifier(backbone: keras.Model, head: keras.Model, unfreeze: str | int) -> CutClassifier:
    """Join backbone and head, and cut the result before the first unfrozen block.

    Afterwards exactly the weights of the unfrozen blocks and of the head are trainable, apart
    from those of BatchNormalization: it stays in inference mode, statistics and scale as they
    are (LP-FT, Kumar et al. 2022, and the guide to transfer learning of Keras).

    Args:
        backbone: From pictures to features (N, D).
        head: From features to probabilities; trained.
        unfreeze: Name of the first block to train, the number of last blocks, ``"all"`` or
            ``"none"``.

    Raises:
        GraftError: If there is no such block.
    """
    whole = join_classifier(backbone, head)
    cut = cut_backbone(backbone, unfreeze)
    trainable = {name for block in cut.unfrozen for name in block.layers}
    for layer in backbone.layers:
        _set_trainable(layer, layer.name in trainable)
    for layer in head.layers:
        layer.trainable = True
    tail = whole
    if cut.trunk is not None:
        tail = keras.Model(cut.trunk.output, whole.output, name="tail")
    return CutClassifier(cut.trunk, cut.frozen, cut.unfrozen, whole, tail)


def divide_tuned(classifier: keras.Model) -> tuple[keras.Model | None, keras.Model]:
    """Divide a classifier that was tuned before its first layer with weights that were trained.

    Returns:
        The part before, from pictures to the boundary, and the rest, to probabilities. Without
        frozen weights in front the first is None, the second the whole.
    """
    boundary, has_weights = None, False
    for segment in divide(classifier):
        layers = [node.operation for node in segment if isinstance(node.operation, keras.Layer)]
        if any(layer.trainable_weights for layer in layers):
            break
        boundary = segment[-1].output_tensors[0]
        has_weights |= any(layer.weights for layer in layers)
    if boundary is None or not has_weights:
        return None, classifier
    trunk = keras.Model(classifier.input, boundary, name="trunk")
    return trunk, keras.Model(boundary, classifier.output, name="tail")


def join_for_training(cut: CutClassifier) -> keras.Model:
    """The whole with a trunk that leaves nothing to chance, for training on pictures.

    Frozen layers that drop out at random, as in EfficientNet, would do so in training too.
    ``trunk(pictures, training=False)`` does not help: a functional model hands what it is called
    with on to all layers. So those layers are left out; all others are shared.
    """
    if cut.trunk is None:
        return cut.whole
    frozen = {layer.name for layer in cut.trunk.layers}

    def share(layer: keras.Layer) -> keras.Layer:
        is_random = hasattr(layer, "seed_generator")
        return keras.layers.Identity() if is_random and layer.name in frozen else layer

    return keras.models.clone_model(cut.whole, clone_function=share)


def find_first_unfrozen(blocks: list[Block], unfreeze: str | int) -> int:
    """Place of the first block to train; the number of blocks if none is.

    Raises:
        GraftError: If there is no such block; names the closest and all others.

    Examples:
        >>> from graft.models.backbones import build_small_cnn
        >>> blocks = find_blocks(build_small_cnn(8, seed=0))
        >>> find_first_unfrozen(blocks, "block3"), find_first_unfrozen(blocks, 2)
        (2, 1)
    """
    names = [block.name for block in blocks]
    if isinstance(unfreeze, int):
        if unfreeze > len(blocks):
            raise GraftError(
                f"unfreeze: the backbone has {len(blocks)} blocks ({_list_shortly(names)}); give "
                f"at most so many, or 'all'; got {unfreeze}"
            )
        return len(blocks) - unfreeze
    if unfreeze in names:
        return names.index(unfreeze)
    if unfreeze in ("all", "none"):
        return 0 if unfreeze == "all" else len(blocks)
    around = [block.name for block in blocks if unfreeze in block.layers]
    if around:
        raise GraftError(
            f"unfreeze: this is a layer inside the block {around[0]}, and a network is unfrozen "
            f"by whole blocks; give unfreeze={around[0]}; got '{unfreeze}'"
        )
    close = get_close_matches(unfreeze, names, n=1, cutoff=0.4)
    hint = f"did you mean '{close[0]}'? " if close else ""
    raise GraftError(
        f"unfreeze: unknown block; {hint}allowed are {_list_shortly(names)}, the number of last "
        f"blocks, 'all' and 'none'; got '{unfreeze}'"
    )


def _set_trainable(layer: keras.Layer, trainable: bool) -> None:
    if isinstance(layer, keras.Model):
        # The switch of a nested model would reach its BatchNormalization too.
        for inner in layer.layers:
            _set_trainable(inner, trainable)
    elif not isinstance(layer, keras.layers.InputLayer):
        layer.trainable = trainable and not isinstance(layer, keras.layers.BatchNormalization)


def _list_shortly(names: list[str]) -> str:
    if len(names) <= 30:
        return ", ".join(names)
    return f"{', '.join(names[:5])}, …, {', '.join(names[-20:])}"
