"""Nodes of the prediction pipeline: any pictures in, answers or features out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from graft.classifier.answers import NOT_SURE, UNLIKE, Findings, decide, rank_classes
from graft.classifier.champion import Champion
from graft.compute.streams import RowStream, count_workers
from graft.compute.workers import Failure, Item, Limits, map_isolated
from graft.datasets.features import FeatureBlock, FeatureTable
from graft.errors import GraftError, PictureError
from graft.fingerprints import fingerprint_code, hash_parts
from graft.images.colours import show_in_rgb
from graft.images.crops import parse_crop
from graft.images.decoding import decode_picture, list_formats
from graft.images.deep_pictures import parse_range
from graft.models.kept_exports import KeptExports
from graft.parameters.forward import AUTO, ForwardParameters
from graft.pipelines.prediction.parameters import ImagenetParameters, PredictionParameters
from graft.progress import tell, track
from graft.sources.new_pictures import NewPictures
from graft.sources.source import ImageSource

if TYPE_CHECKING:
    from graft.models.forward_passes import Forward

Element = TypeVar("Element")
LoadChampion = Callable[[], Champion]
# What tells rows of a picture apart from those of another, and is for the program alone.
_TRACES = ["sha256", "origin"]
logger = logging.getLogger(__name__)


def predict_pictures(
    prediction_source: ImageSource,
    champion_in_use: LoadChampion | None,
    previous_predicted_pictures: pd.DataFrame | None,
    parameters: PredictionParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
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
    asking = _prepare(classifier, prediction_source, parameters, forward, exports)
    known = _list_known(previous_predicted_pictures, asking.columns)
    pictures = NewPictures(prediction_source, asking.recipe, known["origin"].tolist())
    results = _decode(asking.classifier, pictures.read("predicting"), parameters)
    rows: list[dict[str, Any]] = []
    with closing(results):
        for batch in _divide(results, parameters.batch_size):
            rows += asking.answer(batch)
    traces = pd.DataFrame(pictures.new, columns=["file", "origin", "sha256"])
    # What could not be read, or broke a limit, is tried again: the machine may be the reason.
    traces.loc[[not row["class_1"] for row in rows], "origin"] = None
    found = pd.DataFrame(rows, columns=asking.columns).join(traces[_TRACES])
    pool = pd.concat([known, _set_types(found)], ignore_index=True)
    table = pool.iloc[pictures.rows].reset_index(drop=True)
    files = prediction_source.records["image_id"].reset_index(drop=True)
    table.insert(0, "file", files.astype("str"))
    _tell_outcome(table, len(rows), parameters)
    return table, table.drop(columns=_TRACES)


def predict_unlabelled(
    raw_images: ImageSource,
    unlabelled_images: pd.DataFrame,
    champion_in_use: LoadChampion | None,
    previous_predicted_pictures: pd.DataFrame | None,
    parameters: PredictionParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Classify the pictures of the index that have no label, see :func:`predict_pictures`."""
    source = _select(raw_images, unlabelled_images)
    return predict_pictures(
        source, champion_in_use, previous_predicted_pictures, parameters, forward, exports
    )


def extract_layer(
    prediction_source: ImageSource,
    champion_in_use: LoadChampion | None,
    parameters: PredictionParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
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
    return _extract(prediction_source, classifier, network, passes, parameters), facts


def extract_layer_of_unlabelled(
    raw_images: ImageSource,
    unlabelled_images: pd.DataFrame,
    champion_in_use: LoadChampion | None,
    parameters: PredictionParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
) -> tuple[Iterator[FeatureBlock], dict[str, Any]]:
    """The same for the pictures of the index that have no label, see :func:`extract_layer`."""
    source = _select(raw_images, unlabelled_images)
    return extract_layer(source, champion_in_use, parameters, forward, exports)


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


@dataclass(frozen=True)
class _Asking:
    """How pictures are asked about.

    Attributes:
        classifier: Whom.
        ask: From pixels (n, H, W, channels) to what it says of them.
        columns: Of what is said of a picture.
        recipe: Digest of all that a row is made of, but the picture.
    """

    classifier: Champion
    ask: Callable[[np.ndarray], Findings]
    columns: list[str]
    recipe: str

    def answer(self, batch: list[np.ndarray | Failure]) -> list[dict[str, Any]]:
        """Rows of a batch of pictures, some of which could not be read."""
        rows = [self._make_row(result) for result in batch]
        good = {n: result for n, result in enumerate(batch) if not isinstance(result, Failure)}
        if not good:
            return rows
        pixels = np.stack([*good.values()])
        findings = self.ask(_fit_channels(pixels, self.classifier))
        probabilities, distances = findings
        names, answers = self.classifier.class_names, self.classifier.explain(findings)
        ranked = rank_classes(probabilities, len(self.columns[4:]) // 2)
        for number, answer, classes, values in zip(
            good, answers, ranked, probabilities, strict=True
        ):
            listed = [part for index in classes for part in (names[index], float(values[index]))]
            said = [answer.name, answer.name is not None, answer.reason]
            rows[number] = dict(zip(self.columns, [*said, None, *listed], strict=True))
        if distances is not None:
            for number, distance in zip(good, distances.tolist(), strict=True):
                rows[number]["distance"] = distance
        return rows

    def _make_row(self, result: np.ndarray | Failure) -> dict[str, Any]:
        reason = result.reason if isinstance(result, Failure) else ""
        row = dict.fromkeys(self.columns)
        return {**row, "answered": False, "reason": reason}


def _prepare(
    classifier: Champion,
    source: ImageSource,
    parameters: PredictionParameters,
    forward: ForwardParameters,
    exports: KeptExports | None,
) -> _Asking:
    network = classifier.find_asked()
    passes = _open_passes(network, source, classifier, parameters, forward, exports)
    facts, names = classifier.facts, classifier.class_names
    top = range(1, min(parameters.top, len(names)) + 1)
    listed = [f"{part}_{place}" for place in top for part in ("class", "probability")]
    ways = [facts[name] for name in ("image_size", "max_pixels", "colour", "temperature")]
    familiarity = classifier.familiarity
    packed = familiarity.pack() if familiarity else {}
    recipe = hash_parts(
        passes.identity,
        fingerprint_code(decode_picture),
        fingerprint_code(decide),
        *ways,
        *([values] if (values := facts.get("value_range")) else []),
        json.dumps([facts["threshold"], names]),
        len(top),
        *(array.tobytes() for array in packed.values()),
    )
    ask = classifier.compile_asking(parameters.batch_size, passes.run)
    columns = ["answer", "answered", "reason", "distance", *listed]
    return _Asking(classifier, ask, columns, recipe)


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
        with closing(_decode(classifier, _read_all(some, []), parameters)) as results:
            good = [result for result in results if not isinstance(result, Failure)]
        nothing = np.zeros((0, *network.input_shape[1:]), np.uint8)
        return _fit_channels(np.stack(good), classifier) if good else nothing

    rows = np.arange(len(source.records))
    return open_forward(network, read, rows, parameters.batch_size, forward.engine, exports)


def _list_known(previous: pd.DataFrame | None, columns: list[str]) -> pd.DataFrame:
    """What the last run found, if it was asked for the same columns."""
    wanted = [*columns, *_TRACES]
    if previous is None or list(previous.columns) != ["file", *wanted]:
        return _set_types(pd.DataFrame(columns=wanted))
    return _set_types(previous[wanted])


def _set_types(table: pd.DataFrame) -> pd.DataFrame:
    """Stated types: a column of nothing but missing values would have none."""
    kinds = {name: "float32" for name in table.columns if name.startswith("probability_")}
    kinds |= {"answered": "bool", "distance": "float32"}
    return table.astype({name: kinds.get(name, "str") for name in table.columns})


def _decode(
    classifier: Champion, items: Iterable[Item | Failure], parameters: PredictionParameters
) -> Generator[np.ndarray | Failure, None, None]:
    facts = classifier.facts
    decode = partial(
        decode_picture,
        image_size=facts["image_size"],
        max_pixels=facts["max_pixels"],
        colour=facts["colour"],
        value_range=parse_range(facts.get("value_range")),
    )
    limits = Limits(parameters.seconds_per_picture, parameters.memory_mb)
    workers = parameters.workers or count_workers()
    return map_isolated(decode, items, workers, limits, prepare=list_formats)


def _fit_channels(pixels: np.ndarray, classifier: Champion) -> np.ndarray:
    return show_in_rgb(pixels) if classifier.model.input_shape[-1] == 3 else pixels


def _extract(
    source: ImageSource,
    classifier: Champion,
    network: Any,
    passes: Forward,
    parameters: PredictionParameters,
) -> Iterator[FeatureBlock]:
    dtype = network.inputs[0].dtype
    hashes: list[tuple[str, str | None]] = []
    results = _decode(classifier, _read_all(source, hashes), parameters)
    bad, done = [], 0
    with closing(results):
        for batch in _divide(results, parameters.batch_size):
            named = list(zip(hashes[done : done + len(batch)], batch, strict=True))
            done += len(batch)
            bad += [(key[0], result.reason) for key, result in named if isinstance(result, Failure)]
            good = [(key, result) for key, result in named if not isinstance(result, Failure)]
            if not good:
                continue
            pixels = _fit_channels(np.stack([result for _, result in good]), classifier)
            features = passes.run(pixels.astype(dtype, copy=False)).reshape(len(good), -1)
            keys = pd.DataFrame([key for key, _ in good], columns=["image_id", "image_sha256"])
            yield FeatureBlock(keys.astype("str").assign(view=np.int16(0)), features)
    if len(bad) == done:
        raise _none_left(bad)
    for name, reason in bad:
        logger.warning("Left out     %s: %s", name, reason)
    tell("Features", f"of {done - len(bad):,} pictures, {network.output_shape[1:]} each")


def _read_all(
    source: ImageSource, hashes: list[tuple[str, str | None]]
) -> Iterator[Item | Failure]:
    records = zip(source.records["image_id"], source.records["crop"], strict=True)
    for image_id, crop in track(records, len(source.records), "extracting", "pictures"):
        try:
            data, sha256 = source.read_hashed(image_id)
        except PictureError as error:
            hashes.append((image_id, None))
            yield Failure(str(error))
            continue
        hashes.append((image_id, sha256))
        yield {"data": data, "crop": parse_crop(crop)}


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


def _divide(items: Iterable[Element], size: int) -> Iterator[list[Element]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


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
