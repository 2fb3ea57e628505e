"""Nodes of the prediction pipeline: any pictures in, answers or features out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from graft.classifier.answers import NOT_SURE, UNLIKE
from graft.classifier.champion import Champion
from graft.compute.shards import ShardStore
from graft.compute.spreading import Spread
from graft.compute.streams import RowStream
from graft.compute.workers import Failure, Limits
from graft.datasets.features import FeatureBlock, FeatureTable
from graft.errors import GraftError
from graft.fingerprints import fingerprint_code, hash_parts
from graft.images.decoding import decode_picture
from graft.models.kept_exports import KeptExports
from graft.models.passes_elsewhere import write_network
from graft.parameters.compute import HERE, ComputeParameters
from graft.parameters.forward import AUTO, ForwardParameters
from graft.pipelines.prediction.asking import TRACES, list_known, prepare_asking, set_types
from graft.pipelines.prediction.parameters import ImagenetParameters, PredictionParameters
from graft.pipelines.prediction.passing import (
    Elsewhere,
    Output,
    PassFiles,
    decode_here,
    divide,
    find_fitting,
    list_files,
    make_decoder,
    pass_decoded,
)
from graft.progress import tell, track, warn
from graft.sources.new_pictures import Hashes, NewPictures, read_files, trace_files
from graft.sources.source import ImageSource

if TYPE_CHECKING:
    from graft.models.forward_passes import Forward

LoadChampion = Callable[[], Champion]


def predict_pictures(
    prediction_source: ImageSource,
    champion_in_use: LoadChampion | None,
    previous_predicted_pictures: pd.DataFrame | None,
    parameters: PredictionParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
    compute: ComputeParameters = HERE,
    store: ShardStore | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Classify every picture of a source; what cannot be read is listed and stops nothing.

    Args:
        prediction_source: The pictures; their labels, if they have any, are not looked at.
        champion_in_use: Loads the champion; None if there is none.
        previous_predicted_pictures: What the last run found; None before the first. A picture of
            known content that was asked about in the same way is taken over.
        parameters: Which classifier, and limits.
        forward: Which runtime passes the pictures.
        exports: Where converted networks are kept.
        compute: Where pictures are read, decoded and passed.
        store: Where workers leave what the network gives, if there are any.

    Returns:
        ``predicted_pictures``: a row a picture, in the source's order: ``file``, ``answer``
        (missing if there is none), ``answered``, ``reason`` (why there is no answer, else empty),
        ``distance`` (from the pictures of train; missing if the classifier does not tell),
        ``class_1`` and ``probability_1`` of the most probable class, and so on, ``sha256``, and
        ``origin``: a digest of all that the row was made of.
        ``predicted_pictures_list``: the same without these two, for people.

    Raises:
        GraftError: If the classifier is not there.
    """
    classifier = load_classifier(champion_in_use, parameters)
    network = classifier.find_asked()
    passes = _open_passes(network, prediction_source, classifier, parameters, forward, exports)
    asking = prepare_asking(classifier, passes.identity, parameters.top)
    known = list_known(previous_predicted_pictures, asking.columns)
    pictures = NewPictures(prediction_source, asking.recipe, known["origin"].tolist())
    spread = _spread(
        prediction_source, classifier, network, passes, parameters, compute, store, "predicting"
    )
    outputs: Iterator[Output]
    if spread is None:
        decoded = decode_here(classifier, pictures.read("predicting"), parameters)
        fitting = find_fitting(network)
        outputs = pass_decoded(decoded, passes.run, fitting, parameters.batch_size)
    else:
        outputs = pictures.read_elsewhere(spread.work)
    rows: list[dict[str, Any]] = []
    for batch in divide(outputs, parameters.batch_size):
        rows += asking.answer(batch)
    traces = pd.DataFrame(list(pictures.waiting), columns=["file", "origin", "sha256"])
    # What could not be read, or broke a limit, is tried again: the machine may be the reason.
    traces.loc[[not row["class_1"] for row in rows], "origin"] = None
    found = pd.DataFrame(rows, columns=asking.columns).join(traces[TRACES])
    pool = pd.concat([known, set_types(found)], ignore_index=True)
    table = pool.iloc[np.asarray(pictures.rows)].reset_index(drop=True)
    files = prediction_source.records["image_id"].reset_index(drop=True)
    table.insert(0, "file", files.astype("str"))
    _tell_outcome(table, len(rows), parameters)
    return table, table.drop(columns=TRACES)


def predict_unlabelled(
    raw_images: ImageSource,
    unlabelled_images: pd.DataFrame,
    champion_in_use: LoadChampion | None,
    previous_predicted_pictures: pd.DataFrame | None,
    parameters: PredictionParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
    compute: ComputeParameters = HERE,
    store: ShardStore | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Classify the pictures of the index that have no label, see :func:`predict_pictures`."""
    source = _select(raw_images, unlabelled_images)
    return predict_pictures(
        source, champion_in_use, previous_predicted_pictures, parameters, forward, exports,
        compute, store,
    )  # fmt: skip


def extract_layer(
    prediction_source: ImageSource,
    champion_in_use: LoadChampion | None,
    parameters: PredictionParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
    compute: ComputeParameters = HERE,
    store: ShardStore | None = None,
) -> tuple[Iterator[FeatureBlock], dict[str, Any]]:
    """Pass every picture through the classifier up to a layer, a batch in memory at a time.

    Returns:
        ``layer_features``: blocks in the source's order, of the pictures that can be read.
        ``layer_features_shape``: ``layer`` and ``shape``, that of its output for one picture.

    Raises:
        GraftError: If the classifier or the layer is not there; while the features are stored, if
            not one picture can be read.
    """
    from graft.models.led_out import cut_at_layer

    classifier = load_classifier(champion_in_use, parameters)
    network = cut_at_layer(classifier.model, str(parameters.layer), "prediction.layer")
    facts = {"layer": network.name, "shape": list(network.output_shape[1:])}
    passes = _open_passes(network, prediction_source, classifier, parameters, forward, exports)
    size, files = parameters.batch_size, list_files(prediction_source)
    spread = _spread(
        prediction_source, classifier, network, passes, parameters, compute, store, "extracting"
    )
    passed: Iterator[tuple[Output, str | None]]
    if spread is None:
        hashes = Hashes()
        tracked = track(files, len(files), "extracting", "pictures")
        items = read_files(prediction_source.read_hashed, tracked, hashes)
        decoded = decode_here(classifier, items, parameters)
        outputs = pass_decoded(decoded, passes.run, find_fitting(network), size)
        passed = ((output, hashes.popleft()) for output in outputs)
    else:
        recipe = hash_parts(
            passes.identity,
            fingerprint_code(decode_picture),
            repr(make_decoder(classifier).keywords),
        )
        passed = spread.work(files, trace_files(prediction_source, files, recipe))
    named = zip((image_id for image_id, _ in files), passed, strict=True)
    return _extract(named, network.output_shape[1:], size), facts


def extract_layer_of_unlabelled(
    raw_images: ImageSource,
    unlabelled_images: pd.DataFrame,
    champion_in_use: LoadChampion | None,
    parameters: PredictionParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
    compute: ComputeParameters = HERE,
    store: ShardStore | None = None,
) -> tuple[Iterator[FeatureBlock], dict[str, Any]]:
    """The same for the pictures of the index that have no label, see :func:`extract_layer`."""
    source = _select(raw_images, unlabelled_images)
    return extract_layer(source, champion_in_use, parameters, forward, exports, compute, store)


def lay_out_array(layer_features: FeatureTable, layer_features_shape: dict[str, Any]) -> RowStream:
    """The features as an array (N, …) in the shape of the layer, float32, a row a picture."""
    shape = tuple(layer_features_shape["shape"])
    rows = (
        (start + number, row.reshape(shape))
        for (start, _), (_, block) in zip(
            layer_features.blocks, layer_features.read_blocks(), strict=True
        )
        for number, row in enumerate(block)
    )
    return RowStream((len(layer_features), *shape), "float32", rows)


def load_classifier(
    champion_in_use: LoadChampion | None, parameters: PredictionParameters
) -> Champion:
    """The classifier that the parameters ask for.

    Raises:
        GraftError: If there is no champion, or the pretrained network is not to be had.
    """
    if parameters.classifier == "imagenet":
        return _build_imagenet(parameters.imagenet, parameters.max_pixels)
    if champion_in_use is None:
        raise GraftError(
            "there is no champion yet; make it with `kedro run`, or ask a pretrained network with "
            "--params prediction.classifier=imagenet; got prediction.classifier 'champion'"
        )
    return champion_in_use()


def _build_imagenet(parameters: ImagenetParameters, max_pixels: int) -> Champion:
    """A pretrained network in the place of a champion: nothing of it was calibrated."""
    from graft.models.backbones import build_imagenet_classifier, read_imagenet_classes

    class_names = read_imagenet_classes(parameters.class_index)
    model = build_imagenet_classifier(parameters.network, parameters.image_size, parameters.weights)
    facts = {
        "model": parameters.network,
        "image_size": parameters.image_size,
        "colour": "rgb",
        "max_pixels": max_pixels,
        "temperature": 1.0,
        "threshold": None,
    }
    return Champion(model, class_names, facts, metrics={}, card="")


def _open_passes(
    network: Any,
    source: ImageSource,
    classifier: Champion,
    parameters: PredictionParameters,
    forward: ForwardParameters,
    exports: KeptExports | None,
) -> Forward:
    """What passes the pictures of a source through a network, tried on those that can be read."""
    from graft.models.forward_passes import open_forward

    def read(rows: np.ndarray) -> np.ndarray:
        some = replace(source, records=source.records.iloc[rows].reset_index(drop=True))
        items = read_files(some.read_hashed, list_files(some), Hashes())
        with closing(decode_here(classifier, items, parameters)) as results:
            good = [result for result in results if not isinstance(result, Failure)]
        nothing = np.zeros((0, *network.input_shape[1:]), np.uint8)
        return find_fitting(network).fit(np.stack(good)) if good else nothing

    rows = np.arange(len(source.records))
    return open_forward(network, read, rows, parameters.batch_size, forward.engine, exports)


def _spread(
    source: ImageSource,
    classifier: Champion,
    network: Any,
    passes: Forward,
    parameters: PredictionParameters,
    compute: ComputeParameters,
    store: ShardStore | None,
    activity: str,
) -> Elsewhere | None:
    """Workers, with what they need in files where it is large; None if all is done here."""
    if compute.engine == "serial" or store is None:
        return None
    limits = Limits(parameters.seconds_per_picture, parameters.memory_mb)
    passing = PassFiles(
        source.read_hashed, make_decoder(classifier), limits,
        write_network(network, passes, parameters.batch_size, store), find_fitting(network),
    )  # fmt: skip
    spread = Spread(**compute.model_dump()).align(parameters.batch_size)
    return Elsewhere(passing, spread, store, activity)


def _extract(
    named: Iterator[tuple[str, tuple[Output, str | None]]], shape: tuple[int, ...], size: int
) -> Iterator[FeatureBlock]:
    """Blocks of the pictures that have an output; a name, the output and a SHA-256 of each."""
    bad, done = [], 0
    for batch in divide(named, size):
        done += len(batch)
        keys, features = [], []
        for image_id, (output, sha256) in batch:
            if isinstance(output, Failure):
                bad.append((image_id, output.reason))
            else:
                keys.append((image_id, sha256))
                features.append(output.reshape(-1))
        if keys:
            table = pd.DataFrame(keys, columns=["image_id", "image_sha256"]).astype("str")
            yield FeatureBlock(table.assign(view=np.int16(0)), np.stack(features))
    if len(bad) == done:
        raise _none_left(bad)
    for name, reason in bad:
        warn("Left out", "%s: %s", name, reason)
    tell("Features", f"of {done - len(bad):,} pictures, {shape} each")


def _none_left(bad: list[tuple[str, str]]) -> GraftError:
    first = f"; the first is '{bad[0][0]}' ({bad[0][1]})" if bad else ""
    return GraftError(
        f"features are of pictures that can be read, and there is none{first}; name others with "
        f"--params prediction.source=FOLDER; got {len(bad):,} files"
    )


def _select(raw_images: ImageSource, unlabelled_images: pd.DataFrame) -> ImageSource:
    """The pictures of a source that have no label.

    Raises:
        GraftError: If all have one.
    """
    records = raw_images.records
    wanted = records[records["image_id"].isin(unlabelled_images["image_id"])]
    if wanted.empty:
        raise GraftError(
            "every picture of the index has a label, so there is nothing to predict; name pictures "
            "with --params prediction.source=FOLDER; got no prediction.source"
        )
    return replace(raw_images, records=wanted.reset_index(drop=True))


def _tell_outcome(table: pd.DataFrame, computed: int, parameters: PredictionParameters) -> None:
    silent = table[~table["answered"]]
    not_sure = int(silent["reason"].str.startswith(NOT_SURE).sum())
    unlike = int(silent["reason"].str.startswith(UNLIKE).sum())
    parts = {
        "answered": len(table) - len(silent),
        NOT_SURE: not_sure,
        UNLIKE: unlike,
        "that cannot be read": len(silent) - not_sure - unlike,
    }
    told = ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)
    who = parameters.imagenet.network if parameters.classifier == "imagenet" else "the champion"
    tell(
        "Predicted",
        f"{len(table):,} pictures by {who}: {told or 'none'}; {computed:,} of them looked at now",
    )
