"""A recurrent network for texts."""

from __future__ import annotations

import keras


def build_text_network(
    length: int, vocabulary: int, class_count: int, units: int, dropout: float, seed: int
) -> keras.Model:
    """Embedding, LSTM (Hochreiter and Schmidhuber, 1997) and a dense layer with softmax.

        layer                 output        weights, 500 words, 256 units, 2 classes
        words                 100                 0
        embedding             100 x 256     128,000
        lstm                  256           525,312
        dropout               256                 0
        probabilities         2                 514
                                            -------
                                            653,826

    Args:
        length: Words a text.
        vocabulary: Word indices are below this.
        class_count: Number of classes C.
        units: Length of the word vectors and of the state.
        dropout: Share of the word vectors' and of the state's numbers dropped in training.
        seed: Seed of start weights and dropout.

    Returns:
        Model from (N, length) int32 to probabilities (N, C) float32.
    """
    words = keras.Input((length,), dtype="int32", name="words")
    x = keras.layers.Embedding(
        vocabulary,
        units,
        embeddings_initializer=keras.initializers.RandomUniform(seed=10 * seed + 1),
        name="embedding",
    )(words)
    x = keras.layers.LSTM(
        units,
        dropout=dropout,
        kernel_initializer=keras.initializers.GlorotUniform(seed=10 * seed + 2),
        recurrent_initializer=keras.initializers.Orthogonal(seed=10 * seed + 3),
        seed=10 * seed + 4,
        name="lstm",
    )(x)
    x = keras.layers.Dropout(dropout, seed=10 * seed + 5, name="dropout")(x)
    probabilities = keras.layers.Dense(
        class_count,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(seed=10 * seed + 6),
        name="probabilities",
    )(x)
    return keras.Model(words, probabilities, name="text_classifier")
