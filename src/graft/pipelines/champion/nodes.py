"""Nodes of the champion stage."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from graft.analysis.familiarity import fit_familiarity, unpack_familiarity
from graft.classifier.champion import Champion
from graft.datasets.features import FeatureTable
from graft.images.colours import make_reader
from graft.models.kept_exports import KeptExports
from graft.parameters.base import BackboneParameters
from graft.parameters.fine_tuning import FineTuningParameters
from graft.parameters.forward import AUTO, ForwardParameters
from graft.parameters.from_scratch import ScratchTrainingParameters
from graft.parameters.remembering import FamiliarityParameters
from graft.pipelines.candidates import draw_train
from graft.pipelines.champion.facts import (
    add_evaluation,
    compare_on_dev,
    count_evaluations,
    describe_data,
    describe_preprocessing,
    list_versions,
    round_table,
    simplify,
)
from graft.pipelines.champion.parameters import ChampionParameters
from graft.progress import tell
from graft.reporting.model_card import render_model_card
from graft.types import KerasModel

# Pictures by which stored features are compared with the classifier's own.
_COMPARED = 8


def count_test_evaluations(
    predictions: pd.DataFrame,
    metrics: dict[str, Any],
    splits: pd.DataFrame,
    previous_test_evaluations: list[dict[str, str]] | None,
) -> list[dict[str, str]]:
    """Count how often test was looked at, over all runs: what is shown is counted.

    Returns:
        ``test_evaluations``: a look for every model of which ``metrics`` has figures on test, see
        :func:`~graft.pipelines.champion.facts.add_evaluation`.
    """
    looks = previous_test_evaluations or []
    for model in (model for model, figures in metrics.items() if "test" in figures):
        looks = add_evaluation(looks, predictions[predictions["model"] == model], splits)
    return looks


def describe_champion(
    chosen_predictions: pd.DataFrame,
    metrics: dict[str, Any],
    class_metrics: pd.DataFrame,
    splits: pd.DataFrame,
    class_names: list[str],
    calibration: dict[str, Any],
    label_issues_counts: dict[str, Any],
    error_breakdown: dict[str, Any],
    test_evaluations: list[dict[str, str]],
    backbone: BackboneParameters,
    decoding: dict[str, Any],
    parameters: ChampionParameters,
    *unlabelled_verdicts: dict[str, Any],
    titles: dict[str, str],
    on_backbone: list[str],
) -> dict[str, Any]:
    """Say which model was chosen on dev, why, and what is known of it.

    ``titles`` maps the name of every candidate to what it is, in a line; ``on_backbone`` names
    those that are built on the backbone.

    Returns:
        ``champion_facts``: ``name``, ``model``, ``title``, ``models`` (all, as they are on
        dev), ``metrics`` of the chosen one, ``baseline`` (how it compares with saying one class
        always), ``class_metrics`` (rows, on test), ``class_names``, ``backbone``, ``picture``
        (``image_size``, ``colour``, ``max_pixels``, ``preprocessing``),
        ``temperature``, ``threshold``, ``labels`` (sentences on wrong ones), ``test_evaluations``
        (``now`` and ``all``), ``data``, ``unlabelled`` (verdicts on what pictures without a label
        added) and ``intended_use``.
    """
    model = str(chosen_predictions["model"].iloc[0])
    pictures = simplify(decoding)
    on_test = class_metrics.query("split == 'test' and model == @model")
    looks = count_evaluations(test_evaluations, splits)
    ranges = splits["value_range"].dropna() if "value_range" in splits else pd.Series(dtype="str")
    # Integers and fractions have ranges of their own; a new picture is taken for the commoner.
    value_range = ranges.mode().iloc[0] if len(ranges) else None
    tell(
        "Champion",
        "%s, best on dev; test was looked at %d×",
        model.replace("_", "-"),
        looks["now"],
    )
    return {
        "name": parameters.name,
        "model": model,
        "title": titles[model],
        "models": compare_on_dev(metrics, model),
        "metrics": metrics[model],
        "baseline": error_breakdown["models"][model]["baseline"],
        "class_metrics": round_table(on_test.drop(columns=["model", "split"])),
        "class_names": class_names,
        "backbone": (
            f"{backbone.name}, weights {backbone.weights.rpartition('/')[2]}"
            if model in on_backbone
            else None
        ),
        "picture": {
            **{name: pictures[name] for name in ("image_size", "colour", "max_pixels")},
            **({"value_range": value_range} if value_range else {}),
            "preprocessing": describe_preprocessing(
                pictures["image_size"], pictures["colour"], value_range
            ),
        },
        "temperature": calibration["temperature"],
        "threshold": calibration["threshold"],
        "labels": [part["sentence"] for part in label_issues_counts["parts"] if part["sentence"]],
        "test_evaluations": looks,
        "data": describe_data(splits, class_names),
        "unlabelled": list(unlabelled_verdicts),
        "intended_use": parameters.intended_use,
    }


def measure_familiarity(
    chosen_classifier: KerasModel,
    features: FeatureTable,
    images: np.ndarray,
    splits: pd.DataFrame,
    parameters: FamiliarityParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
) -> dict[str, np.ndarray]:
    """Remember what some pictures of train look like to the classifier, and how near dev is.

    Where the stored features are those that arrive at the classifier's last layer, as at a head on
    a frozen backbone, no picture passes the network again.

    Then train counts for the threshold too, for the features know nothing of it.

    Returns:
        ``familiarity``: see :meth:`graft.analysis.familiarity.Familiarity.pack`; empty if it is
        turned off, the inside of the network is no graph of Keras, or dev has no picture.
    """
    import keras

    from graft.models.forward_passes import open_forward
    from graft.models.inference import predict_rows
    from graft.models.led_out import lead_out_features

    if not parameters.pictures:
        tell("Familiar", "is not asked for: familiarity.pictures is 0")
        return {}
    train = draw_train(splits, parameters.pictures, parameters.seed)
    dev = np.flatnonzero(splits["split"] == "dev")
    led_out = lead_out_features(chosen_classifier)
    if led_out is None or not len(dev):
        tell("Familiar", "is not known what is, of this network or without dev")
        return {}
    network = keras.Model(led_out.input, led_out.outputs[1], name="remembered")
    pictures = make_reader(images, network.input_shape[-1])
    is_stored = _gives_stored(network, pictures, features, splits)
    if is_stored:
        read = _read_stored(features, splits)
    else:
        rows, batch = np.concatenate([train, dev]), parameters.batch_size
        passes = open_forward(network, pictures, rows, batch, forward.engine, exports)
        read = partial(
            predict_rows, network, pictures, batch_size=batch, task="remembering",
            forward=passes.run,
        )  # fmt: skip
    of_dev = read(dev)
    clusters = splits["cluster"].to_numpy()[train] if is_stored else None
    found = fit_familiarity(
        read(train), of_dev, parameters.neighbours, parameters.refused_share, clusters
    )
    beyond = (found.measure(of_dev) > found.threshold).mean()
    tell(
        "Familiar",
        f"up to a distance of {found.threshold:.3f} from {len(found.reference):,} pictures of "
        f"train; what is farther, as {100 * beyond:.1f} % of dev are, gets no answer in use",
    )
    return found.pack()


def _gives_stored(
    network: KerasModel,
    read: Callable[[np.ndarray], np.ndarray],
    features: FeatureTable,
    splits: pd.DataFrame,
) -> bool:
    """Whether the stored features are this network's: it was not trained on these pictures then.

    A few pictures pass it layer by layer: to compile it would take longer.
    """
    if features.dimension != network.output_shape[-1]:
        return False
    some = np.arange(min(_COMPARED, len(splits)))
    pictures = read(some).astype(network.inputs[0].dtype, copy=False)
    found = np.asarray(network(pictures, training=False))
    stored = features.read(splits["image_id"].iloc[some])
    return bool(np.allclose(stored, found, atol=1e-3, rtol=1e-2))


def _read_stored(
    features: FeatureTable, splits: pd.DataFrame
) -> Callable[[np.ndarray], np.ndarray]:
    return lambda rows: features.read(splits["image_id"].iloc[rows])


def pack_champion(
    champion_facts: dict[str, Any],
    chosen_classifier: KerasModel,
    familiarity: dict[str, np.ndarray],
    backbone: BackboneParameters,
    splitting: dict[str, Any],
    decoding: dict[str, Any],
    head_training: dict[str, Any],
    fine_tuning: FineTuningParameters,
    from_scratch: ScratchTrainingParameters,
    fine_tuned_recipe: dict[str, Any] | None = None,
    warm_start: dict[str, Any] | None = None,
) -> Champion:
    """Put the chosen classifier together with all that is needed to use it.

    Two of the stages may not be in the run; their parameters count as checked all the same, or the
    champion would look stale to whoever runs one pipeline after it.

    Returns:
        ``champion``: a folder, see :class:`graft.datasets.keras_model.ChampionDataset`.
    """
    stages = {
        "backbone": {**simplify(backbone), "weights": backbone.weights.rpartition("/")[2]},
        "splitting": splitting,
        "decoding": decoding,
        "head_training": head_training,
        "fine_tuning": fine_tuning,
        "from_scratch": from_scratch,
    }
    facts = {
        "name": champion_facts["name"],
        "model": champion_facts["model"],
        **champion_facts["picture"],
        "temperature": champion_facts["temperature"],
        "threshold": champion_facts["threshold"],
        "data": champion_facts["data"],
        "test_evaluations": champion_facts["test_evaluations"],
        "recipe": fine_tuned_recipe,
        "warm_start": warm_start or None,
        "versions": list_versions(),
        "parameters": {name: simplify(values) for name, values in stages.items()},
    }
    return Champion(
        model=chosen_classifier,
        class_names=champion_facts["class_names"],
        facts=facts,
        metrics=champion_facts["metrics"],
        card=render_model_card({**champion_facts, "warm_start": warm_start}, facts["versions"]),
        familiarity=unpack_familiarity(familiarity) if familiarity else None,
    )
