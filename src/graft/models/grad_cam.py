"""Grad-CAM: which parts of a picture speak for a class.

Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from graft.models.feature_maps import FeatureMap

# Below it float32 has no inverse.
_SMALLEST = 1e-37


def compile_heat_maps(
    feature_map: FeatureMap, batch_size: int
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Compile Grad-CAM for batches of one shape.

    The channels of the map are summed, each weighted by the mean gradient of the class' score
    by that channel, and what is left below 0 speaks against the class and is cut. The score is
    the one before the softmax, which is the logarithm of the probability up to a number that
    all classes share; so the mean of all classes is taken off. A saturated probability does no
    harm to it, nor does a head with one output for two classes.

    Args:
        feature_map: As of :func:`~graft.models.feature_maps.find_last_map`.
        batch_size: Pictures a pass; short batches are filled up.

    Returns:
        Function of pictures (n, H, W, channels) uint8 and class indices int (n,), n at most
        ``batch_size``, to heat (n, h, w), float32, 0 to 1. The hottest place of a picture has
        1; all is 0 where nothing speaks for the class.
    """
    tf.config.experimental.enable_op_determinism()
    network = feature_map.network
    signature = [
        tf.TensorSpec((batch_size, *network.input_shape[1:]), network.inputs[0].dtype),
        tf.TensorSpec((batch_size,), tf.int64),
    ]

    @tf.function(input_signature=signature, autograph=False)
    def measure(pictures: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
        maps, probabilities = network(pictures, training=False)
        scores = tf.math.log(tf.maximum(tf.cast(probabilities, tf.float32), _SMALLEST))
        scores -= tf.reduce_mean(scores, axis=1, keepdims=True)
        # Pictures do not mix: the gradient of the sum holds that of every picture.
        (gradients,) = tf.gradients(tf.gather(scores, classes, batch_dims=1), [maps])
        weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
        heat = tf.nn.relu(tf.reduce_sum(tf.cast(weights * maps, tf.float32), axis=3))
        return tf.math.divide_no_nan(heat, tf.reduce_max(heat, axis=(1, 2), keepdims=True))

    def run(pictures: np.ndarray, classes: np.ndarray) -> np.ndarray:
        count = len(pictures)
        filled = np.zeros((batch_size, *pictures.shape[1:]), pictures.dtype)
        filled[:count] = pictures
        asked = np.zeros(batch_size, np.int64)
        asked[:count] = classes
        return measure(tf.convert_to_tensor(filled), tf.convert_to_tensor(asked)).numpy()[:count]

    return run


def make_heat_maps(
    feature_map: FeatureMap, pictures: np.ndarray, classes: np.ndarray, batch_size: int = 16
) -> np.ndarray:
    """Heat (n, h, w), uint8, 0 to 255, of pictures; see :func:`compile_heat_maps`.

    Args:
        feature_map: As there.
        pictures: (n, H, W, channels), uint8.
        classes: For which class, int (n,).
        batch_size: Pictures a pass.
    """
    height, width, _ = feature_map.shape
    heat = np.zeros((len(pictures), height, width), np.uint8)
    measure = compile_heat_maps(feature_map, batch_size)
    for start in range(0, len(pictures), batch_size):
        rows = slice(start, start + batch_size)
        heat[rows] = np.rint(255 * measure(pictures[rows], classes[rows]))
    return heat
