"""Nodes of the text classification that measure and show; they alone read the test part."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.figures.confusion import draw_confusion
from graft.figures.report import METRIC_TITLES, render_page
from graft.pipelines.text_classification.parameters import TextParameters
from graft.scores.comparison import compare_paired
from graft.scores.intervals import measure_with_intervals
from graft.scores.tables import count_confusions
from graft.texts.tokens import TokenTexts, pad_tokens, show_text
from graft.types import KerasModel

NETWORK, BASELINE = "network", "baseline"
_BATCH, _SHOWN_WORDS = 64, 120
logger = logging.getLogger(__name__)


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
    from graft.models.picture_rows import classify_batches

    tokens = raw_texts.table["tokens"].to_numpy()
    rows = np.flatnonzero(text_splits["split"] != "train")

    def read(chosen: np.ndarray) -> np.ndarray:
        return pad_tokens(tokens[chosen], parameters.length, parameters.vocabulary)

    given = {
        NETWORK: np.concatenate(list(classify_batches(text_classifier, read, rows, _BATCH))),
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
        logger.info(
            "On test      %-9s accuracy %.3f (%.3f – %.3f)",
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
