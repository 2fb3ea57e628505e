"""Nodes of the text classification; those that measure alone read the test part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.comparison import compare_paired
from graft.analysis.intervals import measure_with_intervals
from graft.analysis.metrics import count_confusions
from graft.pipelines.text_classification.parameters import TextParameters
from graft.pipelines.text_classification.tokens import (
    TokenTexts,
    pad_tokens,
    show_text,
    split_parts,
)
from graft.progress import tell
from graft.reporting.error_figures import draw_confusion
from graft.reporting.report import METRIC_TITLES, render_page
from graft.reporting.training_figures import draw_history
from graft.training.backup import TrainingBackup
from graft.types import KerasModel


def split_texts(raw_texts: TokenTexts, parameters: TextParameters) -> pd.DataFrame:
    """Take dev from train, class by class.

    Returns:
        ``text_splits``: ``text_id``, ``label``, ``label_index``, ``split``.

    Raises:
        GraftError: If a class has too few texts.
    """
    return split_parts(raw_texts, parameters.dev_share, parameters.seed)


def train_text_network(
    raw_texts: TokenTexts,
    text_splits: pd.DataFrame,
    backup: TrainingBackup,
    logs: Path,
    parameters: TextParameters,
) -> tuple[KerasModel, pd.DataFrame]:
    """Train the recurrent network on train, and stop by the loss on dev.

    Returns:
        ``text_classifier``: from word indices (N, length) int32 to probabilities (N, C).
        ``text_history``: a row an epoch.

    Raises:
        GraftError: If the loss does not fit the classes or is no longer a number, or another
            run trains the same network.
    """
    from graft.pipelines.text_classification.nodes import build_text_network
    from graft.training.devices import seed_everything
    from graft.training.fitting import fit
    from graft.training.losses import check_outputs
    from graft.training.views import pool_rows

    class_count = len(raw_texts.class_names)
    check_outputs(parameters.loss, class_count, class_count, parameters.stage)
    seed_everything(parameters.seed)
    network = build_text_network(
        parameters.length,
        parameters.vocabulary,
        class_count,
        parameters.units,
        parameters.dropout,
        parameters.seed,
    )
    words = pad_tokens(list(raw_texts.table["tokens"]), parameters.length, parameters.vocabulary)
    train, dev = pool_rows(words.__getitem__, text_splits, class_count, parameters)
    history = fit(network, train, dev, parameters, backup=backup, logs=logs)
    best = history.loc[history["dev_loss"].idxmin()]
    tell(
        "Texts", "%d epochs; best on dev is epoch %d: loss %.3f, accuracy %.3f",
        len(history), int(best["epoch"]), best["dev_loss"], best["dev_accuracy"],
    )  # fmt: skip
    return network, history


def draw_text_curves(text_history: pd.DataFrame) -> Figure:
    """Draw loss and accuracy on train and dev by epoch."""
    return draw_history(text_history, "Training on texts")


NETWORK, BASELINE = "network", "baseline"
_BATCH, _SHOWN_WORDS = 64, 120


def predict_texts(
    text_classifier: KerasModel,
    raw_texts: TokenTexts,
    text_splits: pd.DataFrame,
    parameters: TextParameters,
) -> pd.DataFrame:
    """Classify the texts of dev and test with the network, and with a linear baseline.

    The baseline is a logistic regression on the TF-IDF of all words of a text, fitted on train.

    Returns:
        ``text_predictions``: ``text_id``, ``split``, ``model``, ``label``, ``predicted`` and
        ``probability_<class>`` for every class.
    """
    from graft.models.inference import predict_rows

    tokens = raw_texts.table["tokens"].to_numpy()
    rows = np.flatnonzero(text_splits["split"] != "train")

    def read(chosen: np.ndarray) -> np.ndarray:
        return pad_tokens(tokens[chosen], parameters.length, parameters.vocabulary)

    given = {
        NETWORK: predict_rows(text_classifier, read, rows, _BATCH),
        BASELINE: _predict_linearly(tokens, text_splits, rows, parameters.seed),
    }
    names = raw_texts.class_names
    tables = []
    for model, probabilities in given.items():
        table = text_splits.iloc[rows][["text_id", "split", "label"]].reset_index(drop=True)
        table.insert(2, "model", model)
        table["predicted"] = np.array(names)[probabilities.argmax(axis=1)]
        columns = [f"probability_{name}" for name in names]
        tables.append(table.join(pd.DataFrame(probabilities, columns=columns)))
    whole = pd.concat(tables, ignore_index=True)
    return whole.astype({"model": "str", "predicted": "str"})


def _predict_linearly(
    tokens: np.ndarray, text_splits: pd.DataFrame, rows: np.ndarray, seed: int
) -> np.ndarray:
    """Probabilities (n, C), float32, of the baseline for the texts of ``rows``."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = np.array([" ".join(map(str, text)) for text in tokens], dtype=object)
    train = np.flatnonzero(text_splits["split"] == "train")
    labels = text_splits["label_index"].to_numpy()
    baseline = make_pipeline(
        TfidfVectorizer(token_pattern=r"\S+", sublinear_tf=True),
        LogisticRegression(max_iter=1000, random_state=seed),
    )
    baseline.fit(texts[train], labels[train])
    probabilities = np.zeros((len(rows), labels.max() + 1), np.float32)
    probabilities[:, baseline.classes_] = baseline.predict_proba(texts[rows])
    return probabilities


def measure_texts(
    text_predictions: pd.DataFrame, raw_texts: TokenTexts, parameters: TextParameters
) -> dict[str, Any]:
    """Measure network and baseline on dev and test, and compare them text by text.

    Returns:
        ``text_metrics``: model → split → ``n`` and the figures with their intervals; and
        ``comparison``: the baseline (first) against the network (second) on dev, which decides
        what is better; test is only shown.
    """
    metrics: dict[str, Any] = {}
    for (model, split), rows in text_predictions.groupby(["model", "split"], sort=False):
        labels = pd.Categorical(rows["label"], categories=raw_texts.class_names).codes
        figures = measure_with_intervals(
            labels.astype(np.int64),
            rows.filter(regex="^probability_").to_numpy(np.float64),
            parameters.bootstrap_draws,
            parameters.confidence,
            parameters.seed,
        )
        metrics.setdefault(model, {})[split] = {"n": len(rows), **figures}
    dev = text_predictions[text_predictions["split"] == "dev"]
    right = {
        model: (rows["label"] == rows["predicted"]).to_numpy()
        for model, rows in dev.groupby("model")
    }
    metrics["comparison"] = compare_paired(right[BASELINE], right[NETWORK], parameters.confidence)
    for model in (NETWORK, BASELINE):
        found = metrics[model]["test"]["accuracy"]
        tell(
            "On test", "%-9s accuracy %.3f (%.3f – %.3f)",
            model, found["value"], found["low"], found["high"],
        )  # fmt: skip
    return metrics


def draw_text_confusion(text_predictions: pd.DataFrame, raw_texts: TokenTexts) -> Figure:
    """Draw which classes of test the network takes for which."""
    test = text_predictions.query("split == 'test' and model == @NETWORK")
    return draw_confusion(count_confusions(test["label"], test["predicted"], raw_texts.class_names))


def write_text_report(
    text_metrics: dict[str, Any],
    text_predictions: pd.DataFrame,
    raw_texts: TokenTexts,
    text_confusion: bytes,
    text_curves: bytes,
    text_splits: pd.DataFrame,
    parameters: TextParameters,
) -> str:
    """Write the report: one HTML page that needs nothing but itself.

    Returns:
        ``text_report``: HTML, with the wrong texts of test, the most confident first.
    """
    test = text_predictions.query("split == 'test' and model == @NETWORK")
    wrong = test[test["label"] != test["predicted"]].copy()
    wrong["probability"] = wrong.filter(regex="^probability_").max(axis=1)
    wrong = wrong.sort_values(["probability", "text_id"], ascending=[False, True])
    tokens = raw_texts.table.set_index("text_id")["tokens"]
    shown = wrong.head(parameters.shown_texts)
    return render_page(
        "texts.html",
        metrics=text_metrics,
        titles=METRIC_TITLES,
        models={NETWORK: "Network (LSTM)", BASELINE: "Baseline (TF-IDF, linear)"},
        parameters=parameters,
        class_count=len(raw_texts.class_names),
        sizes=text_splits["split"].value_counts(),
        wrong_count=len(wrong),
        wrong=[
            row | {"text": show_text(tokens[row["text_id"]], raw_texts.words, _SHOWN_WORDS)}
            for row in shown[["text_id", "label", "predicted", "probability"]].to_dict("records")
        ],
        has_words=bool(raw_texts.words),
        confusion=text_confusion,
        curves=text_curves,
    )


def build_text_network(
    length: int, vocabulary: int, class_count: int, units: int, dropout: float, seed: int
) -> KerasModel:
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
    import keras

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
