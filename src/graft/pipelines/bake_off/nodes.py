"""Nodes of the bake-off: every backbone probed with a head on its frozen features."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.clusters import count_effective, deal_folds, number_clusters
from graft.analysis.intervals import wilson_interval
from graft.analysis.predictions import measure_losses
from graft.compute.streams import copy_rows
from graft.errors import GraftError
from graft.fingerprints import fingerprint_code, hash_parts
from graft.images.colours import show_in_rgb
from graft.images.crops import parse_crop
from graft.images.decoding import decode_picture
from graft.images.deep_pictures import parse_range
from graft.parameters.base import BackboneParameters
from graft.parameters.fine_tuning import FineTuningParameters
from graft.parameters.pictures import DecodingParameters
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.bake_off.parameters import BakeOffParameters
from graft.progress import tell, track
from graft.reporting.bake_off_figures import draw_costs
from graft.sources.source import ImageSource
from graft.training.backup import Snapshot, TrainingBackup
from graft.types import KerasModel

_COLUMNS = {
    "backbone": "str", "image_size": "int64", "features": "float64", "parameters": "float64",
    "multiply_adds": "float64", "milliseconds": "float64", "accuracy": "float64", "low": "float64",
    "high": "float64", "log_loss": "float64", "race_recipe": "str", "race_accuracy": "float64",
    "race_passes": "float64", "is_worth_its_cost": "bool", "missing": "str",
}  # fmt: skip


def probe_backbones(
    raw_images: ImageSource,
    splits: pd.DataFrame,
    class_names: list[str],
    bake_off_backup: TrainingBackup,
    backbone: BackboneParameters,
    decoding: DecodingParameters,
    head_training: HeadTrainingParameters,
    fine_tuning: FineTuningParameters,
    parameters: BakeOffParameters,
) -> pd.DataFrame:
    """Score a head on the frozen features of every backbone, and say what a picture costs.

    The heads are trained as those of the stage are and scored by cross-validation on train; dev
    stops them, and neither dev nor test is measured on. A backbone that cannot be had is named
    with its reason, and the others go on.

    Returns:
        ``bake_off_results``, a row a backbone, in the order given: ``backbone``,
        ``image_size``, ``features`` (their number), ``parameters``, ``multiply_adds`` and
        ``milliseconds`` (of a picture, on this machine when its features were computed),
        ``accuracy`` with ``low`` and ``high``, ``log_loss``; ``race_recipe``,
        ``race_accuracy`` (on dev, of the best of several and so optimistic) and
        ``race_passes`` of the short race, if there was one; ``is_worth_its_cost`` (no other is as
        good for as few multiply-adds), ``missing`` (why there are no figures; empty if there are).

    Raises:
        GraftError: If there is no such backbone, none can be had, or the head is trained in a way
            that the compiled probe cannot.
    """
    from graft.models.backbones import list_backbones
    from graft.search.head_trials import refuse_untrainable

    refuse_untrainable(head_training)
    entries = parameters.list_backbones()
    for name, _ in entries:
        if name not in list_backbones():
            raise GraftError(
                "bake_off.backbones: all of keras.applications and small_cnn are allowed, as "
                f"NAME@SIZE; got '{name}'"
            )
    rows = []
    with bake_off_backup.hold():
        for name, size in entries:
            row: dict[str, Any] = {"backbone": name, "image_size": size, "missing": ""}
            row["race_recipe"] = ""
            try:
                network = _build(name, size, backbone)
            except GraftError as error:
                row["missing"] = str(error)
                tell("Missing", f"{name}@{size}: {row['missing'].partition('; ')[0]}")
                rows.append(row)
                continue
            store = bake_off_backup.enter(f"{name}_{size}")
            features = _find_features(
                network, size, raw_images, splits, store, decoding, parameters
            )
            row |= features.facts
            row |= _score(features.arrays, splits, class_names, head_training, parameters)
            if parameters.race_budget:
                row |= _find_race(
                    network, size, raw_images, splits, len(class_names), features, store,
                    decoding, head_training, fine_tuning, parameters,
                )  # fmt: skip
            tell(
                "Probe", "%s@%d: accuracy %.3f (%.3f – %.3f), %.1f ms a picture",
                name, size, row["accuracy"], row["low"], row["high"], row["milliseconds"],
            )  # fmt: skip
            rows.append(row)
    if all(row["missing"] for row in rows):
        raise GraftError(f"no backbone of the bake-off can be had; {rows[0]['missing']}")
    table = pd.DataFrame(rows, columns=[*_COLUMNS])
    table["is_worth_its_cost"] = find_front(table["multiply_adds"], table["accuracy"])
    return table.astype(_COLUMNS)


def find_front(costs: pd.Series, accuracies: pd.Series) -> np.ndarray:
    """Which have no other that is better and not dearer, or as good and cheaper, bool (n,).

    Args:
        costs: Of each; missing ones are on no front.
        accuracies: Of each.

    Examples:
        >>> find_front(pd.Series([1.0, 2.0, 3.0]), pd.Series([0.8, 0.7, 0.9])).tolist()
        [True, False, True]
    """
    cost, accuracy = costs.to_numpy(np.float64), accuracies.to_numpy(np.float64)
    no_dearer, no_worse = cost[:, None] <= cost, accuracy[:, None] >= accuracy
    is_real = (cost[:, None] < cost) | (accuracy[:, None] > accuracy)
    return ~(no_dearer & no_worse & is_real).any(axis=0) & ~np.isnan(accuracy)


def draw_bake_off(bake_off_results: pd.DataFrame) -> Figure:
    """Draw accuracy against multiply-adds, and the line of those that are worth their cost."""
    return draw_costs(bake_off_results)


def _build(name: str, size: int, given: BackboneParameters) -> KerasModel:
    """A backbone with the weights that there are of it: the project's, its own, or ImageNet's."""
    from graft.models.backbones import build_backbone
    from graft.models.pretrained import find_bundled_weights
    from graft.training.devices import seed_everything

    seed_everything(given.seed)
    if name == given.name:
        return build_backbone(name, size, given.weights, given.seed, given.match)
    bundled = find_bundled_weights(name, "printed_letters") is not None
    return build_backbone(name, size, "printed_letters" if bundled else "imagenet", given.seed)


def _find_features(
    network: KerasModel,
    size: int,
    source: ImageSource,
    splits: pd.DataFrame,
    store: TrainingBackup,
    decoding: DecodingParameters,
    parameters: BakeOffParameters,
) -> Snapshot:
    """Features of train and dev (n, D), from the last run where it had the same."""
    from graft.models.blocks import count_multiply_adds
    from graft.models.inference import identify_forward

    used = splits[splits["split"].isin(["train", "dev"])]
    crops = source.records.set_index("image_id")["crop"].astype(str)
    ranges = used.get("value_range", pd.Series("", used.index)).astype(str)
    name = hash_parts(
        identify_forward(network, parameters.batch_size), fingerprint_code(decode_picture), size,
        decoding.max_pixels, decoding.colour, *used["sha256"], *used["image_id"],
        *crops[used["image_id"]], *ranges,
    )  # fmt: skip
    with store.hold():
        known = store.load_newest(name)
        if known is not None:
            return known
        features, seconds = _extract(network, size, source, used, decoding, parameters.batch_size)
        facts = {
            "features": features.shape[1],
            "parameters": int(network.count_params()),
            "multiply_adds": int(count_multiply_adds(network)),
            "milliseconds": round(1000 * seconds, 2),
        }
        found = Snapshot(name, facts, {"features": features})
        store.finish(found)
        return found


def _extract(
    network: KerasModel,
    size: int,
    source: ImageSource,
    used: pd.DataFrame,
    decoding: DecodingParameters,
    batch_size: int,
) -> tuple[np.ndarray, float]:
    """Features of pictures that ingestion has decoded before, and seconds a picture forward."""
    from graft.models.inference import compile_forward

    forward = compile_forward(network, batch_size)
    features = np.empty((len(used), network.output_shape[-1]), np.float32)
    seconds = []
    starts = range(0, len(used), batch_size)
    for start in track(starts, len(used), "probing", "pictures", step=batch_size):
        some = used.iloc[start : start + batch_size]
        pixels = np.stack([*_decode(some, size, source, decoding)])
        started = time.perf_counter()
        features[start : start + batch_size] = forward(pixels)
        seconds.append((time.perf_counter() - started) / batch_size)
    # The first one compiles.
    return features, float(np.median(seconds[1:] or seconds))


def _score(
    arrays: dict[str, np.ndarray],
    splits: pd.DataFrame,
    class_names: list[str],
    head_training: HeadTrainingParameters,
    parameters: BakeOffParameters,
) -> dict[str, float]:
    from graft.search.head_trials import FoldData, FoldHeads

    used = splits[splits["split"].isin(["train", "dev"])]
    is_train = (used["split"] == "train").to_numpy()
    labels = used["label_index"].to_numpy(np.int64)
    clusters = used["cluster"].to_numpy(np.int64)[is_train]
    folds = deal_folds(labels[is_train], clusters, parameters.folds, parameters.seed)
    vectors = arrays["features"]
    data = FoldData(
        vectors[is_train], labels[is_train], np.ones(int(is_train.sum()), np.float32), folds,
        vectors[~is_train], labels[~is_train], len(class_names),
    )  # fmt: skip
    found = FoldHeads(data).train(head_training)
    right = (found.probabilities.argmax(axis=1) == labels[is_train]).astype(np.float64)
    codes = number_clusters(clusters, len(right))
    count = count_effective(right, codes)
    low, high = wilson_interval(right.mean() * count, count, parameters.confidence)
    losses = measure_losses(labels[is_train], found.probabilities.astype(np.float64))
    return {"accuracy": right.mean(), "low": low, "high": high, "log_loss": losses.mean()}


def _find_race(
    network: KerasModel,
    size: int,
    source: ImageSource,
    splits: pd.DataFrame,
    class_count: int,
    features: Snapshot,
    store: TrainingBackup,
    decoding: DecodingParameters,
    head_training: HeadTrainingParameters,
    fine_tuning: FineTuningParameters,
    parameters: BakeOffParameters,
) -> dict[str, Any]:
    """What a short race of recipes came to, from the last run where it was the same."""
    from graft.training.race import Race

    used = splits[splits["split"].isin(["train", "dev"])].reset_index(drop=True)
    told = {"recipe": "auto", "budget": parameters.race_budget, "activation_cache": False}
    tuning = fine_tuning.model_copy(update={**told, "callbacks": ()})
    name = hash_parts(
        features.fingerprint, fingerprint_code(Race), tuning.model_dump_json(),
        head_training.model_dump_json(), *used["split"], *used["label_index"].astype(str),
    )  # fmt: skip
    outcome = store.enter("race_outcome")
    with outcome.hold():
        known = outcome.load_newest(name)
        if known is not None:
            return known.facts
        # On disk, for all pictures of a large set have no room in memory.
        with TemporaryDirectory(dir=store.folder) as folder:
            shape = len(used), size, size, 3
            pictures = np.memmap(Path(folder) / "pictures", np.uint8, "w+", shape=shape)
            for row, pixels in enumerate(_decode(used, size, source, decoding)):
                pictures[row] = pixels
            facts = _race(
                network, pictures, used, class_count, features.arrays["features"],
                store.enter("race"), Path(folder), head_training, tuning,
            )  # fmt: skip
        outcome.finish(Snapshot(name, facts, {}))
        return facts


def _race(
    network: KerasModel,
    pictures: np.ndarray,
    used: pd.DataFrame,
    class_count: int,
    features: np.ndarray,
    backup: TrainingBackup,
    logs: Path,
    head_training: HeadTrainingParameters,
    tuning: FineTuningParameters,
) -> dict[str, Any]:
    from graft.models.augmentation import PictureAugmenter, is_active
    from graft.models.blocks import find_blocks
    from graft.training.fitting import fit
    from graft.training.heads_on_features import prepare_head
    from graft.training.losses import weigh_pictures
    from graft.training.race import Race
    from graft.training.tuning_recipes import Workload
    from graft.training.views import FreshViews, ViewPools, pool_rows

    quiet = head_training.model_copy(update={"callbacks": ()})
    head = prepare_head(features.shape[1], class_count, quiet)
    fit(head, *pool_rows(features.__getitem__, used, class_count, quiet), quiet)
    train, dev = (np.flatnonzero(used["split"] == name) for name in ("train", "dev"))
    labels, read = used["label_index"].to_numpy(np.int64), partial(copy_rows, pictures)

    def make_sources(_: Any, settings: FineTuningParameters) -> tuple[ViewPools, ViewPools]:
        augmenter = None
        if is_active(settings.augmentation):
            augmenter = PictureAugmenter(settings.augmentation, pictures.shape[1])
        weights = weigh_pictures(labels[train], class_count, settings.class_weights)
        ones = np.ones(len(dev), np.float32)
        return (
            ViewPools(FreshViews(read, train, augmenter), labels[train], weights),
            ViewPools(FreshViews(read, dev, None), labels[dev], ones),
        )

    works = [block.multiply_adds for block in find_blocks(network)]
    load = Workload(
        len(train), len(dev), tuning.batch_size, tuple(work / sum(works) for work in works),
        sum(works), is_cached=False,
    )  # fmt: skip
    clusters = used["cluster"].to_numpy()[dev]
    result = Race(network, head, make_sources, load, tuning, clusters, backup, logs).run()
    last = [one for one in result.standings if one.recipe == result.recipe][-1]
    furthest = {standing.recipe.name: standing.outcome.cost for standing in result.standings}
    return {
        "race_recipe": result.recipe.name,
        "race_accuracy": float(last.outcome.right.mean()),
        "race_passes": float(sum(furthest.values())),
    }


def _decode(
    used: pd.DataFrame, size: int, source: ImageSource, decoding: DecodingParameters
) -> Iterator[np.ndarray]:
    """Pictures that ingestion has decoded before, (size, size, 3) uint8 each."""
    crops = source.records.set_index("image_id")["crop"]
    ranges = used.set_index("image_id").get("value_range", pd.Series(dtype="str")).dropna()
    for image_id in used["image_id"]:
        pixels = decode_picture(
            source.read_hashed(image_id)[0], size, decoding.max_pixels,
            parse_crop(crops[image_id]), decoding.colour, parse_range(ranges.get(image_id)),
        )  # fmt: skip
        yield show_in_rgb(pixels)
