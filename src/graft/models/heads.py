"""Heads: the small networks on top of frozen features."""

from __future__ import annotations

import keras


def build_head(
    dimension: int, class_count: int, dropout: float, weight_decay: float, seed: int
) -> keras.Model:
    """Dropout and one dense layer with softmax.

    The dense layer starts at zero: every class is equally likely before training, and the loss
    of the first batch is log(class_count) (Kumar et al. 2022, and the BiT recipe).

    Args:
        dimension: Length D of a feature vector.
        class_count: Number of classes C.
        dropout: Share of features dropped in training, in [0, 1).
        weight_decay: Factor of the L2 penalty on the weights.
        seed: Seed of the dropout.

    Returns:
        Model from (N, D) float32 to probabilities (N, C) float32.
    """
    return keras.Sequential(
        [
            keras.Input((dimension,), name="feature"),
            keras.layers.Dropout(dropout, seed=seed, name="dropout"),
            keras.layers.Dense(
                class_count,
                activation="softmax",
                kernel_initializer="zeros",
                kernel_regularizer=keras.regularizers.L2(weight_decay),
                name="probabilities",
            ),
        ],
        name="head",
    )


def join_classifier(backbone: keras.Model, head: keras.Model) -> keras.Model:
    """Put a head on a backbone: one flat model from pictures to probabilities.

    Returns:
        Model from (N, H, W, 3) uint8 to probabilities (N, C) float32.
    """
    probabilities = backbone.output
    for layer in head.layers:
        probabilities = layer(probabilities)
    return keras.Model(backbone.input, probabilities, name="classifier")
