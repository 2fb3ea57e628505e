"""A small convolutional backbone for pictures of a few pixels, such as 8x8 characters.

Three VGG blocks (Simonyan and Zisserman, 2015) with batch normalisation (Ioffe and Szegedy, 2015).
The last map keeps a 2x2 layout instead of being averaged to one point: at this size *where* a
stroke lies tells a 6 from a 9.

    layer                      output, 8x8 input   weights
    pixels                     8 x 8 x 3                 0
    rescaling to 0..1          8 x 8 x 3                 0
    block1_conv1, _bn1, _relu1 8 x 8 x 32              992
    block1_conv2, _bn2, _relu2 8 x 8 x 48           14,016
    block1_pool                4 x 4 x 48                0
    block2_conv1, _bn1, _relu1 4 x 4 x 64           27,904
    block2_conv2, _bn2, _relu2 4 x 4 x 96           55,680
    block2_pool                2 x 2 x 96                0
    block3_conv1, _bn1, _relu1 2 x 2 x 96           83,328
    features                   384                       0
                                                   -------
                                                   181,920

A larger picture gives a larger last map; `block3_pool` then averages it to 2x2. The weights and
the 384 features therefore have the same shapes at every picture size.
"""

import keras
import numpy as np

from graft.errors import GraftError

SMALLEST_IMAGE_SIZE = 8
_FILTERS = ((32, 48), (64, 96), (96,))
_MAP_SIZE = 2


def build_small_cnn(image_size: int, seed: int) -> keras.Model:
    """Build the backbone with random weights.

    Args:
        image_size: height and width of the pictures in pixels, at least 8.
        seed: seed of the initial weights (He et al., 2015).

    Returns:
        A functional model: uint8 pictures (N, image_size, image_size, 3), 0..255, in; float32
        features (N, 384), none below 0, out. It holds built-in layers only.

    Raises:
        GraftError: the picture is too small for two halvings and a 2x2 map.
    """
    if image_size < SMALLEST_IMAGE_SIZE:
        raise GraftError(
            f"The small CNN takes pictures of at least {SMALLEST_IMAGE_SIZE} pixels a side. "
            f"Raise `image_size`. Received: {image_size}"
        )
    pictures = keras.Input(shape=(image_size, image_size, 3), dtype="uint8", name="pixels")
    x = keras.layers.Rescaling(1 / 255, name="rescaling")(pictures)
    for block, filters in enumerate(_FILTERS, start=1):
        for position, channels in enumerate(filters, start=1):
            # One seed for all layers would draw the same numbers again in each of them.
            layer_seed = 100 * seed + 10 * block + position
            x = _convolve(x, channels, f"block{block}", position, layer_seed)
        if block < len(_FILTERS):
            x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = _reduce_to_small_map(x, name=f"block{len(_FILTERS)}_pool")
    features = keras.layers.Flatten(name="features")(x)
    return keras.Model(pictures, features, name="small_cnn")


def collect_small_cnn_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Copy the weights: path, as in "block1_conv1/kernel", to a float32 array."""
    return {weight.path: keras.ops.convert_to_numpy(weight.value) for weight in model.weights}


def _convolve(
    x: keras.KerasTensor, channels: int, block: str, position: int, seed: int
) -> keras.KerasTensor:
    x = keras.layers.Conv2D(
        channels,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(seed=seed),
        name=f"{block}_conv{position}",
    )(x)
    x = keras.layers.BatchNormalization(name=f"{block}_bn{position}")(x)
    return keras.layers.Activation("relu", name=f"{block}_relu{position}")(x)


def _reduce_to_small_map(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Average a square map down to 2x2; the two windows a side overlap by one if it is odd."""
    size = x.shape[1]
    if size == _MAP_SIZE:
        return x
    stride = size // _MAP_SIZE
    return keras.layers.AveragePooling2D(size - stride, strides=stride, name=name)(x)
