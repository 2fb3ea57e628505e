"""Nodes of the pretraining stage."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from graft.pipelines.pretraining.letters import ALPHABETS, LETTERS, PICTURE_SIZE, render_letters
from graft.pipelines.pretraining.parameters import PretrainingParameters
from graft.progress import tell
from graft.types import KerasModel


def render_printed_letters(parameters: PretrainingParameters) -> tuple[np.ndarray, pd.DataFrame]:
    """Draw the letters; the pictures in the held-out fonts are the dev split.

    Returns:
        ``letter_images``: uint8 (N, 8, 8, 3), grey: three equal channels.
        ``letter_labels``: a row a picture, in their order: ``label`` (the letter),
        ``label_index`` (its place in ``LETTERS``), ``font``, ``split`` (train or dev).
    """
    images, label_indices, fonts = render_letters(parameters.count_per_letter, parameters.seed)
    labels = pd.DataFrame(
        {
            "label": [LETTERS[index] for index in label_indices],
            "label_index": label_indices,
            "font": fonts,
            "split": np.where(np.isin(fonts, parameters.dev_fonts), "dev", "train"),
        }
    )
    tell(
        "Letters",
        "%s pictures of %d letters (%d alphabets, %d fonts)",
        f"{len(labels):,}",
        labels["label"].nunique(),
        len(ALPHABETS),
        labels["font"].nunique(),
    )
    return np.repeat(images[..., np.newaxis], 3, axis=-1), labels


def pretrain_backbone(
    letter_images: np.ndarray, letter_labels: pd.DataFrame, parameters: PretrainingParameters
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Train the small CNN under a softmax head to name the letters; the head is thrown away.

    Every epoch is run: the dev split measures and chooses nothing.

    Returns:
        ``pretrained_weights``: weight path to float32 array, 181,920 weights in all.
        ``pretraining_history``: a row an epoch: ``epoch``, ``loss``, ``accuracy``, ``dev_loss``,
        ``dev_accuracy``.
    """
    from graft.models.backbones import build_small_cnn, collect_small_cnn_weights
    from graft.training.devices import seed_everything

    seed_everything(parameters.seed)
    one_hot = np.eye(len(LETTERS), dtype=np.float32)[letter_labels["label_index"]]
    is_train = (letter_labels["split"] == "train").to_numpy()
    backbone = build_small_cnn(PICTURE_SIZE, parameters.seed)
    classifier = _build_classifier(backbone, int(is_train.sum()), parameters)
    history = classifier.fit(
        letter_images[is_train],
        one_hot[is_train],
        batch_size=parameters.batch_size,
        epochs=parameters.epochs,
        validation_data=(letter_images[~is_train], one_hot[~is_train]),
        verbose=0,
    )
    table = _tabulate_history(history.history)
    tell(
        "Pretrained",
        "%d epochs; %.1f %% right of the letters in fonts held out (%s)",
        parameters.epochs,
        100 * table["dev_accuracy"].iloc[-1],
        ", ".join(parameters.dev_fonts),
    )
    return collect_small_cnn_weights(backbone), table


def _build_classifier(
    backbone: KerasModel, train_count: int, parameters: PretrainingParameters
) -> KerasModel:
    """Put a softmax head on the backbone; AdamW with linear warm-up and cosine decay."""
    import keras

    dropped = keras.layers.Dropout(parameters.dropout, seed=parameters.seed)(backbone.output)
    glorot = keras.initializers.GlorotUniform(seed=parameters.seed)
    head = keras.layers.Dense(len(LETTERS), activation="softmax", kernel_initializer=glorot)
    classifier = keras.Model(backbone.input, head(dropped))
    steps = parameters.epochs * math.ceil(train_count / parameters.batch_size)
    warmup_steps = int(parameters.warmup_share * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=steps - warmup_steps,
        warmup_target=parameters.learning_rate,
        warmup_steps=warmup_steps,
    )
    classifier.compile(
        keras.optimizers.AdamW(schedule, weight_decay=parameters.weight_decay),
        keras.losses.CategoricalCrossentropy(label_smoothing=parameters.label_smoothing),
        metrics=["accuracy"],
    )
    return classifier


def _tabulate_history(history: dict[str, list[float]]) -> pd.DataFrame:
    table = pd.DataFrame(history).rename(columns=lambda name: name.replace("val_", "dev_"))
    table.insert(0, "epoch", np.arange(1, len(table) + 1))
    return table
