"""A small convolutional network whose layers are parameters: what a search varies.

The family of the network for cats and dogs (:mod:`graft.models.networks.cats_vs_dogs`): blocks of
3×3 convolutions, a pooling and a batch normalisation with a momentum of 0.9, then dropout and a
dense layer. No search in it beat transfer learning by far (docs/search.md).
"""

from __future__ import annotations

import keras

from graft.errors import GraftError
from graft.models.networks.registry import NetworkSettings, register_network


@register_network("tunable", image_size=None, channels=None)
def build_tunable(pixels: keras.KerasTensor, settings: NetworkSettings) -> keras.KerasTensor:
    """Add the network to pixels (N, H, W, channels), 0 to 1.

    Raises:
        GraftError: If the picture is too small for so many poolings.
    """
    wanted = settings.architecture
    if wanted.image_size < 2**wanted.blocks:
        raise GraftError(
            f"from_scratch.architecture: {wanted.blocks} blocks halve a picture to nothing unless "
            f"it has {2**wanted.blocks} pixels a side; got image_size {wanted.image_size}"
        )
    if wanted.grey and pixels.shape[-1] == 3:
        pixels = keras.ops.image.rgb_to_grayscale(pixels)
    size = wanted.image_size
    if pixels.shape[1:3] != (size, size):
        pixels = keras.layers.Resizing(size, size, antialias=True, name="resizing")(pixels)
    x, position = pixels, 1
    for block in range(wanted.blocks):
        filters = round(wanted.filters * wanted.growth**block)
        for _ in range(wanted.convolutions):
            x = settings.make_convolution(filters, position, padding="same")(x)
            position += 1
        x = keras.layers.MaxPooling2D(2, name=f"pool{block + 1}")(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{block + 1}")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = settings.make_dropout(wanted.dropout, position)(x)
    if wanted.dense_units:
        x = settings.make_dense(wanted.dense_units, position + 1)(x)
        x = settings.make_dropout(wanted.dropout, position + 2)(x)
    return settings.make_output(position + 3)(x)
