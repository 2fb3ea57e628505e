"""Heads: the small networks on top of frozen features."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def build_head(
    dimension: int,
    class_count: int,
    dropout: float,
    weight_decay: float,
    seed: int,
    output_count: int | None = None,
    hidden_units: int = 0,
) -> keras.Model:
    """Dropout and one dense layer with softmax, after a hidden layer if that is asked for.

    The dense layer starts at zero: every class is equally likely before training, and the loss
    of the first batch is log(class_count) (Kumar et al. 2022, and the BiT recipe).

    A head of one output has the logit z of the second of two classes and ends in the softmax of
    [0, z], which is [1 - p, p] with p = sigmoid(z).

    Args:
        dimension: Length D of a feature vector.
        class_count: Number of classes C.
        dropout: Share of features dropped in training, in [0, 1).
        weight_decay: Factor of the L2 penalty on the weights.
        seed: Seed of the dropout.
        output_count: Outputs of the dense layer, 1 (two classes only) or C; None is C.
        hidden_units: Units of a dense layer with ReLU before the dropout; 0 for none.

    Returns:
        Model from (N, D) float32 to probabilities (N, C) float32.
    """
    is_single = output_count == 1
    dense = keras.layers.Dense(
        1 if is_single else class_count,
        activation=None if is_single else "softmax",
        kernel_initializer="zeros",
        kernel_regularizer=keras.regularizers.L2(weight_decay) if weight_decay else None,
        name="logit" if is_single else "probabilities",
    )
    return keras.Sequential(
        [
            keras.Input((dimension,), name="feature"),
            *([_make_hidden(hidden_units, weight_decay, seed)] if hidden_units else ()),
            keras.layers.Dropout(dropout, seed=seed, name="dropout"),
            dense,
            *(_make_both_probabilities() if is_single else ()),
        ],
        name="head",
    )


def _make_hidden(units: int, weight_decay: float, seed: int) -> keras.layers.Layer:
    return keras.layers.Dense(
        units,
        activation="relu",
        kernel_initializer=keras.initializers.HeNormal(seed=seed),
        kernel_regularizer=keras.regularizers.L2(weight_decay) if weight_decay else None,
        name="hidden",
    )


def _make_both_probabilities() -> list[keras.Layer]:
    """From z to the softmax of [0, z], in a chain of plain layers."""
    return [
        keras.layers.Reshape((1, 1), name="logit_as_step"),
        keras.layers.ZeroPadding1D((1, 0), name="zero_before"),
        keras.layers.Flatten(name="logits"),
        keras.layers.Softmax(name="probabilities"),
    ]


def join_classifier(backbone: keras.Model, head: keras.Model) -> keras.Model:
    """Put a head on a backbone: one flat model from pictures to probabilities.

    Returns:
        Model from (N, H, W, 3) uint8 to probabilities (N, C) float32.
    """
    probabilities = backbone.output
    for layer in head.layers:
        probabilities = layer(probabilities)
    return keras.Model(backbone.input, probabilities, name="classifier")


def average_heads(heads: Sequence[keras.Model], backbone: keras.Model | None = None) -> keras.Model:
    """A flat model whose answer is the mean of the probabilities of several heads.

    Args:
        heads: Chains of layers from features (N, D) to probabilities (N, C).
        backbone: From pictures (N, H, W, 3) uint8 to features; None for a model from features.

    Returns:
        Model to probabilities (N, C) float32, with copies of the heads' layers and weights.
    """
    start = backbone.input if backbone is not None else keras.Input(heads[0].input_shape[1:])
    features = backbone.output if backbone is not None else start
    answers = []
    for number, head in enumerate(heads):
        answer = features
        for layer in head.layers:
            name = f"fold{number}_{layer.name}"
            copy = type(layer).from_config({**layer.get_config(), "name": name})
            answer = copy(answer)
            copy.set_weights(layer.get_weights())
        answers.append(answer)
    mean = keras.layers.Average(name="probabilities")(answers)
    return keras.Model(start, mean, name="fold_heads" if backbone is None else "classifier")
