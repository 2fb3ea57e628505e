"""Fine-tuning: training the tail on stored activations is training the tail within the whole."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from graft.analysis.metrics import METRICS
from graft.errors import GraftError
from graft.models.augmentation import PictureAugmenter
from graft.models.backbones import build_backbone
from graft.models.freezing import CutClassifier, cut_classifier
from graft.models.heads import build_head
from graft.parameters.training import TrainingParameters
from graft.training.boundary import BoundaryPlan, BoundaryRun
from graft.training.tails import measure_log_loss, seed_random_layers, tune
from graft.training.views import FreshViews, StoredViews, ViewPools

TRAIN, DEV = np.arange(24), np.arange(24, 32)
LABELS = np.tile([0, 1, 2, 3], 8)
NAMES = np.array([f"{number}.png" for number in range(32)])
PICTURES = np.random.default_rng(0).integers(0, 128, (32, 32, 32, 3), dtype=np.uint8)
PICTURES[np.arange(32), LABELS] += 127
SETTINGS = TrainingParameters(learning_rate=1e-3, batch_size=8, epochs=5, patience=5, seed=3)


class Still:
    """Settings that change no picture."""

    rotation = zoom = shift = shear = brightness = contrast = 0.0
    horizontal_flip = False
    fill_mode = "nearest"


class Shaken(Still):
    rotation = 20.0
    horizontal_flip = True


def cut(unfreeze: str | int = "block3") -> CutClassifier:
    """A small classifier with pretrained weights and dropout."""
    backbone = build_backbone("small_cnn", 32, "printed_letters", seed=0)
    head = build_head(backbone.output_shape[-1], 4, dropout=0.2, weight_decay=1e-4, seed=0)
    return cut_classifier(backbone, head, unfreeze)


def store(cut: CutClassifier, views: int, dtype: str = "float32", settings=Still) -> np.ndarray:
    run = BoundaryRun(
        cut.trunk, PICTURES.__getitem__, NAMES, PictureAugmenter(settings, 32), 8, 0, dtype
    )
    plan = BoundaryPlan(TRAIN, DEV, views)
    rows = list(run.compute(plan, np.arange(len(plan))))
    assert [number for number, _ in rows] == list(range(24 * (1 + views) + 8))
    return np.stack([row for _, row in rows])


def make_pools(views_of) -> tuple[ViewPools, ViewPools]:
    return tuple(
        ViewPools(views_of(rows), LABELS[rows], np.ones(len(rows), np.float32))
        for rows in (TRAIN, DEV)
    )


def tune_on_activations(cut: CutClassifier, dtype: str = "float32", settings=SETTINGS):
    stored = store(cut, views=0, dtype=dtype)
    read = stored.__getitem__
    pools = make_pools(lambda rows: StoredViews(read, rows[0], len(rows), views=0))
    return tune(cut, *pools, settings, layer_decay=1.0)


def tune_in_the_graph(cut: CutClassifier, settings=SETTINGS):
    read = PICTURES.__getitem__
    pools = make_pools(lambda rows: FreshViews(read, rows, None))
    return tune(cut, *pools, settings, layer_decay=1.0)


@pytest.fixture(scope="module")
def tuned_in_the_graph() -> tuple:
    whole = cut()
    history, before, after = tune_in_the_graph(whole)
    assert len(history) == 5
    assert after < before
    return whole.whole.get_weights(), history


@pytest.fixture(scope="module")
def tuned_on_activations() -> tuple:
    tail = cut()
    history, _, _ = tune_on_activations(tail)
    return tail, history


# float16 rounds the activations to three digits. Adam divides gradients by their size, so that the
# smallest ones, which are all rounding, move their weights as far as the others do.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 0.05)])
def test_after_five_epochs_the_weights_are_those_of_training_in_the_whole_graph(
    dtype: str, tolerance: float, tuned_in_the_graph: tuple, tuned_on_activations: tuple
) -> None:
    expected, history = tuned_in_the_graph
    start = cut().whole.get_weights()
    tail, mine = tuned_on_activations
    if dtype != "float32":
        tail = cut()
        mine, _, _ = tune_on_activations(tail, dtype)
    ways, apart = [], []
    for first, one, other in zip(start, tail.whole.get_weights(), expected, strict=True):
        ways.append(np.linalg.norm(other - first))
        apart.append(np.linalg.norm(one - other))
    assert sum(way > 0 for way in ways) == 3
    assert max(apart) <= tolerance * max(ways)
    np.testing.assert_allclose(mine["dev_loss"], history["dev_loss"], rtol=1e-3)


def test_only_the_unfrozen_part_changes(tuned_on_activations: tuple) -> None:
    tuned, fresh = tuned_on_activations[0], cut()
    for mine, other in zip(tuned.trunk.get_weights(), fresh.trunk.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    norms = [layer for layer in tuned.tail.layers if "_bn" in layer.name]
    assert norms
    for layer in norms:
        same = fresh.tail.get_layer(layer.name).get_weights()
        for mine, other in zip(layer.get_weights(), same, strict=True):
            np.testing.assert_array_equal(mine, other)


def test_two_trainings_give_the_same_bits(tuned_on_activations: tuple) -> None:
    (one, first), other = tuned_on_activations, cut()
    second, _, _ = tune_on_activations(other)
    assert first.equals(second)
    for mine, yours in zip(one.whole.get_weights(), other.whole.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, yours)


def test_weights_that_are_no_better_on_dev_go_back(monkeypatch) -> None:
    whole = cut()
    before = whole.whole.get_weights()
    losses = iter([0.5, 0.5])
    monkeypatch.setattr("graft.training.tails.measure_log_loss", lambda *_: next(losses))
    tune_on_activations(whole, settings=SETTINGS.model_copy(update={"epochs": 1}))
    for mine, other in zip(whole.whole.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_the_log_loss_is_that_of_a_uniform_guess_before_training() -> None:
    whole = cut()
    (_, dev) = make_pools(lambda rows: FreshViews(PICTURES.__getitem__, rows, None))
    assert measure_log_loss(whole.whole, dev) == pytest.approx(np.log(4), abs=1e-6)


def test_the_log_loss_is_that_of_the_metrics_for_a_sure_mistake_too() -> None:
    layer = keras.layers.Dense(2, activation="softmax", kernel_initializer="identity")
    model = keras.Sequential([keras.Input((2,)), layer])
    inputs, labels = np.float32([[60, 0], [0, 2], [30, 0]]), np.array([1, 1, 1])
    source = SimpleNamespace(row_count=3, draw=lambda: [(inputs, labels, None)])
    measured = METRICS["log_loss"](labels, model(inputs).numpy().astype(float), np.ones((1, 3)))
    assert measure_log_loss(model, source, batch_size=2) == pytest.approx(measured[0], rel=1e-6)


def test_stored_views_follow_their_picture() -> None:
    classifier = cut()
    plain, shaken = store(classifier, 0), store(classifier, 2, settings=Shaken)
    # They stand elsewhere in a batch, on which last bits depend on some processors.
    np.testing.assert_allclose(shaken[: 3 * 24 : 3], plain[:24], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(shaken[3 * 24 :], plain[24:], rtol=1e-5, atol=1e-6)
    assert not np.allclose(shaken[1 : 3 * 24 : 3], shaken[2 : 3 * 24 : 3])


def test_an_activation_does_not_depend_on_what_else_is_computed() -> None:
    classifier, plan = cut(), BoundaryPlan(TRAIN, DEV, 2)
    augmenter = PictureAugmenter(Shaken, 32)
    run = BoundaryRun(classifier.trunk, PICTURES.__getitem__, NAMES, augmenter, 8, 0, "float16")
    whole = store(classifier, 2, "float16", Shaken)
    some = np.array([79, 4, 11, 0, 60, 33, 7, 5, 50, 1])
    for number, activations in run.compute(plan, some):
        np.testing.assert_array_equal(activations, whole[number])


def test_the_time_of_a_few_rows_is_not_measured() -> None:
    augmenter = PictureAugmenter(Still, 32)
    run = BoundaryRun(cut().trunk, PICTURES.__getitem__, NAMES, augmenter, 4, 0, "float16")
    plan = BoundaryPlan(TRAIN, DEV, 1)
    assert run.measure_seconds(plan, np.arange(33)) > 0
    assert run.measure_seconds(plan, np.arange(32)) is None


def test_an_epoch_draws_one_view_of_every_picture() -> None:
    rows = np.arange(3 * 24, dtype=np.float32)[:, None]
    pools = ViewPools(
        StoredViews(rows.__getitem__, 0, 24, views=2), LABELS[TRAIN], np.ones(24, np.float32)
    )
    seen = set()
    for epoch in range(30):
        ((inputs, labels, _),) = pools.draw(np.random.default_rng([0, epoch]))
        pictures = inputs[:, 0].astype(int) // 3
        assert sorted(pictures) == list(range(24))
        np.testing.assert_array_equal(LABELS[pictures], labels)
        seen |= set(inputs[:, 0])
    assert len(seen) == 72
    ((inputs, _, _),) = pools.draw(None)
    np.testing.assert_array_equal(inputs[:, 0], np.arange(0, 72, 3))


@pytest.mark.parametrize("kind", ["stored", "fresh"])
def test_one_other_picture_or_view_has_another_fingerprint(kind: str) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 2, 2, 3)).astype(np.float32)

    def name() -> str:
        views = StoredViews(rows.__getitem__, 0, 100, views=2)
        if kind == "fresh":
            views = FreshViews(rows.__getitem__, np.arange(100), None)
        return ViewPools(views, np.zeros(100, np.int64), np.ones(100, np.float32)).fingerprint()

    before = name()
    assert name() == before
    rows[299 if kind == "stored" else 99, 1, 1, 2] += 1
    assert name() != before


def test_fresh_views_are_new_in_every_epoch_and_never_on_dev() -> None:
    views = FreshViews(PICTURES.__getitem__, TRAIN, PictureAugmenter(Shaken, 32))
    pools = ViewPools(views, LABELS[TRAIN], np.ones(24, np.float32))

    def draw(random) -> np.ndarray:
        ((inputs, labels, _),) = pools.draw(random)
        return inputs[np.argsort(labels, kind="stable")]

    np.testing.assert_array_equal(draw(np.random.default_rng(1)), draw(np.random.default_rng(1)))
    assert not np.array_equal(draw(np.random.default_rng(1)), draw(np.random.default_rng(2)))
    ((inputs, _, _),) = pools.draw(None)
    np.testing.assert_array_equal(inputs, PICTURES[TRAIN])


def test_pools_hold_a_few_hundred_pictures_at_a_time() -> None:
    rows = np.arange(1000, dtype=np.float32)[:, None]
    pools = ViewPools(
        StoredViews(rows.__getitem__, 0, 1000, 0), np.zeros(1000, np.int64), np.ones(1000)
    )
    drawn = [inputs[:, 0] for inputs, _, _ in pools.draw(np.random.default_rng(0))]
    assert max(map(len, drawn)) <= 256
    assert sorted(np.concatenate(drawn)) == list(range(1000))
    assert np.abs(np.diff(drawn[0])).mean() > 100


def test_an_activation_too_large_for_float16_is_told_with_its_picture() -> None:
    pictures = keras.Input((32, 32, 3), dtype="uint8")
    loud = keras.layers.Rescaling(1e4)(pictures)
    trunk = keras.Model(pictures, keras.layers.GlobalMaxPooling2D()(loud))
    run = BoundaryRun(
        trunk, PICTURES.__getitem__, NAMES, PictureAugmenter(Still, 32), 8, 0, "float16"
    )
    with pytest.raises(GraftError, match=r"activation_dtype to float32.*got the picture '0\.png'"):
        list(run.compute(BoundaryPlan(TRAIN, DEV, 0), np.arange(32)))


def test_dropout_of_a_loaded_model_is_seeded() -> None:
    one, other = cut().tail, cut().tail
    for tail in (one, other):
        state = np.random.default_rng().integers(9, size=2)
        tail.get_layer("dropout").seed_generator.state.assign(state)
    seed_random_layers(one, 5)
    seed_random_layers(other, 5)
    boundary = np.ones((2, *one.input_shape[1:]), np.float32)
    kernel = np.random.default_rng(0).normal(size=one.layers[-1].kernel.shape)
    for tail in (one, other):
        tail.layers[-1].kernel.assign(kernel)
    np.testing.assert_array_equal(one(boundary, training=True), other(boundary, training=True))


@pytest.mark.parametrize("kind", ["stored", "fresh"])
def test_few_pictures_stand_several_times_in_an_epoch_each_time_in_another_view(kind: str) -> None:
    if kind == "stored":
        rows = np.arange(3 * 24, dtype=np.float32)[:, None]
        views = StoredViews(rows.__getitem__, 0, 24, views=2)
    else:
        views = FreshViews(PICTURES.__getitem__, TRAIN, PictureAugmenter(Shaken, 32))
    weights = np.arange(24, dtype=np.float32)
    pools = ViewPools(views, LABELS[TRAIN], weights, repeats=5)
    assert pools.row_count == 120
    ((inputs, labels, given),) = pools.draw(np.random.default_rng(0))
    pictures = given.astype(int)
    assert (np.bincount(pictures) == 5).all()
    np.testing.assert_array_equal(labels, LABELS[TRAIN][pictures])
    # One permutation of all: the second time does not wait for the first of all others.
    assert len(set(pictures[:24])) < 24
    different = {row.tobytes() for row in inputs[pictures == 7]}
    assert len(different) > 1
    if kind == "stored":
        assert set(inputs[pictures == 7, 0]) <= {21, 22, 23}
    else:
        assert len(different) == 5
    once = ViewPools(views, LABELS[TRAIN], weights)
    assert once.fingerprint() != pools.fingerprint()
    ((plain, _, _),) = pools.draw(None)
    ((first, _, _),) = once.draw(None)
    np.testing.assert_array_equal(plain, np.concatenate([first] * 5))
