"""Networks: everybody who loads one has their own, but nodes of a run that leave it as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner

from graft import settings
from graft.datasets import KerasModelDataset, keras_model, shared_models
from graft.datasets.shared_models import SharedModelsHook
from graft.models.freezing import cut_classifier
from graft.models.heads import build_head
from graft.models.inference import compile_forward

Work = Callable[[keras.Model], object]


def build_backbone(seed: int) -> keras.Model:
    """Two small blocks, frozen."""
    pictures = keras.Input((8, 8, 3), dtype="uint8")
    tensor = keras.layers.Rescaling(1 / 255, name="scaling")(pictures)
    for block in ("block1", "block2"):
        start = keras.initializers.HeNormal(seed)
        convolution = keras.layers.Conv2D(4, 3, kernel_initializer=start, name=f"{block}_conv")
        tensor = keras.layers.BatchNormalization(name=f"{block}_bn")(convolution(tensor))
    features = keras.layers.GlobalAveragePooling2D(name="features")(tensor)
    backbone = keras.Model(pictures, features, name="backbone")
    backbone.trainable = False
    return backbone


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a backbone."""
    file = tmp_path_factory.mktemp("saved") / "model.keras"
    KerasModelDataset(filepath=str(file)).save(build_backbone(seed=0))
    return file.read_bytes()


@pytest.fixture
def dataset(content: bytes, tmp_path: Path) -> KerasModelDataset:
    (tmp_path / "model.keras").write_bytes(content)
    return KerasModelDataset(filepath=str(tmp_path / "model.keras"))


def run_nodes(dataset: KerasModelDataset, *work: Work, runner=SequentialRunner) -> list:
    """The networks that nodes which do this work, one after the other, were given in a run."""
    given = []

    def make_node(number: int, do: Work) -> Node:
        def node(model: keras.Model, _: int) -> int:
            given.append(model)
            do(model)
            return number + 1

        return Node(node, ["model", f"after_{number}"], f"after_{number + 1}", name=f"n{number}")

    run(Pipeline([make_node(*pair) for pair in enumerate(work)]), dataset, runner)
    return given


def run(pipeline: Pipeline, dataset: KerasModelDataset, runner=SequentialRunner) -> None:
    hooks = _create_hook_manager()
    hooks.register(SharedModelsHook())
    catalog = DataCatalog({"model": dataset})
    catalog["after_0"] = 0
    try:
        runner().run(pipeline, catalog, hook_manager=hooks)
    except BaseException as error:
        hooks.hook.on_pipeline_error(error=error, run_params={}, pipeline=pipeline, catalog=catalog)
        raise
    hooks.hook.after_pipeline_run(run_params={}, run_result={}, pipeline=pipeline, catalog=catalog)


def look_at(model: keras.Model) -> None:
    compile_forward(model, 4)(np.zeros((4, 8, 8, 3), np.uint8))


def train(model: keras.Model) -> None:
    head = build_head(model.output_shape[-1], 2, dropout=0.2, weight_decay=0.0, seed=0)
    cut_classifier(model, head, "block2")


def change_a_weight(model: keras.Model) -> None:
    model.weights[-1].assign(model.weights[-1] + 1e-6)


def freeze(model: keras.Model) -> None:
    model.layers[-2].trainable = not model.layers[-2].trainable


def compile_it(model: keras.Model) -> None:
    model.compile("adam", "mse")


CHANGES = pytest.mark.parametrize("change", [train, change_a_weight, freeze, compile_it])


@CHANGES
def test_what_is_done_to_a_network_does_nothing_to_another_load(dataset, change) -> None:
    mine, other = dataset.load(), dataset.load()
    before = [np.array(weight) for weight in other.weights]
    trainable = [layer.trainable for layer in other.layers]
    change(mine)
    for weight, old in zip(other.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert [layer.trainable for layer in other.layers] == trainable
    assert not other.compiled


def test_nodes_that_change_nothing_are_given_one_object(dataset, monkeypatch) -> None:
    reads = []
    read = keras_model.read_model
    monkeypatch.setattr(
        keras_model, "read_model", lambda file, imports: reads.append(file) or read(file, imports)
    )
    first, second, third = run_nodes(dataset, look_at, look_at, look_at)
    assert first is second is third
    assert len(reads) == 1


@CHANGES
def test_a_network_that_a_node_has_changed_is_read_anew(dataset, change) -> None:
    before = [np.array(weight) for weight in dataset.load().weights]
    states = []
    first, second = run_nodes(
        dataset,
        change,
        lambda model: states.extend(np.array(weight) for weight in model.weights),
    )
    assert first is not second
    for mine, other in zip(states, before, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert not second.compiled


def test_what_dropout_has_drawn_makes_it_another_network(tmp_path) -> None:
    dataset = KerasModelDataset(filepath=str(tmp_path / "head.keras"))
    dataset.save(build_head(4, 2, dropout=0.5, weight_decay=0.0, seed=0))
    draw = lambda head: head(np.ones((2, 4), np.float32), training=True)  # noqa: E731
    first, second = run_nodes(dataset, draw, draw)
    assert first is not second


def test_a_node_that_asks_twice_is_given_two(dataset) -> None:
    same = []
    node = Node(lambda a, b: same.append(a is b) or 1, ["model", "again"], "after_1", name="n")
    hooks = _create_hook_manager()
    hooks.register(SharedModelsHook())
    again = KerasModelDataset(filepath=str(dataset._filepath))
    catalog = DataCatalog({"model": dataset, "again": again})
    SequentialRunner().run(Pipeline([node]), catalog, hook_manager=hooks)
    assert same == [False]


def test_nothing_outlives_a_run(dataset) -> None:
    [during] = run_nodes(dataset, look_at)
    assert dataset.load() is not during
    [later] = run_nodes(dataset, look_at)
    assert later is not during


def test_nothing_outlives_a_run_that_failed(dataset) -> None:
    given = []

    def fail(model: keras.Model) -> None:
        given.append(model)
        raise ValueError("as meant")

    with pytest.raises(ValueError, match="as meant"):
        run_nodes(dataset, look_at, fail)
    # A load that fails leaves no sign of its end.
    content = dataset._filepath.read_bytes()
    dataset._filepath.write_bytes(b"broken")
    with pytest.raises(Exception, match=r"model\.keras"):
        run_nodes(dataset, look_at)
    dataset._filepath.write_bytes(content)
    first, second = dataset.load(), dataset.load()
    assert len({id(first), id(second), *map(id, given)}) == 3


def test_another_content_under_the_same_name_is_read(dataset) -> None:
    other = build_backbone(seed=1)
    first, second = run_nodes(dataset, lambda _: dataset.save(other), look_at)
    assert first is not second
    for mine, expected in zip(second.weights, other.weights, strict=True):
        np.testing.assert_array_equal(mine, expected)


def test_files_of_the_same_content_are_one_network(dataset, tmp_path) -> None:
    copied = tmp_path / "copy.keras"
    copied.write_bytes(dataset._filepath.read_bytes())
    given = []
    nodes = [
        Node(lambda model: given.append(model) or 1, name, f"end_{name}", name=name)
        for name in ("copy", "model")
    ]
    hooks = _create_hook_manager()
    hooks.register(SharedModelsHook())
    catalog = DataCatalog({"model": dataset, "copy": KerasModelDataset(filepath=str(copied))})
    SequentialRunner().run(Pipeline(nodes), catalog, hook_manager=hooks)
    assert given[0] is given[1]


def test_a_network_joined_to_another_is_saved_as_if_it_were_new(dataset, tmp_path) -> None:
    def join_and_save(model: keras.Model) -> None:
        head = build_head(model.output_shape[-1], 2, dropout=0.2, weight_decay=0.0, seed=0)
        probabilities = model.output
        for layer in head.layers:
            probabilities = layer(probabilities)
        file = KerasModelDataset(filepath=str(tmp_path / "joined.keras"))
        file.save(keras.Model(model.input, probabilities, name="classifier"))
        saved.append((tmp_path / "joined.keras").read_bytes())

    saved = []
    first, second = run_nodes(dataset, join_and_save, join_and_save)
    assert first is second
    assert saved[0] == saved[1]


class Passing:
    """A node that makes a network of ``model``, and one after it that is given both.

    Attributes:
        made: What the first returned.
        given: What the second was given.
        read: Names of the files that were read.
        written: Names of the files that were written and not copied.
    """

    def __init__(self, dataset: KerasModelDataset, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dataset = dataset
        self.saved = KerasModelDataset(filepath=str(dataset._filepath.with_name("made.keras")))
        self.read, self.written = [], []
        read, write = keras_model.read_model, shared_models.write_model
        monkeypatch.setattr(
            keras_model, "read_model", lambda file, *_: self.read.append(file.name) or read(file)
        )
        monkeypatch.setattr(
            shared_models,
            "write_model",
            lambda model, file: self.written.append(file.name) or write(model, file),
        )

    def run(self, make: Work, use: Callable = lambda model, made: None, *hooks: object) -> None:
        def make_and_note(model: keras.Model) -> keras.Model:
            self.made = make(model)
            return self.made

        def note_and_use(model: keras.Model, made: keras.Model) -> int:
            self.given = [model, made]
            use(model, made)
            return 1

        nodes = [
            Node(make_and_note, "model", "made", name="make"),
            Node(note_and_use, ["model", "made"], "end", name="use"),
        ]
        manager = _create_hook_manager()
        for hook in (SharedModelsHook(), *hooks):
            manager.register(hook)
        catalog = DataCatalog({"model": self.dataset, "made": self.saved})
        SequentialRunner().run(Pipeline(nodes), catalog, hook_manager=manager)


@pytest.fixture
def passing(dataset, monkeypatch) -> Iterator[Passing]:
    yield Passing(dataset, monkeypatch)
    SharedModelsHook().after_pipeline_run()


def make_head(_: keras.Model) -> keras.Model:
    return build_head(4, 2, dropout=0.5, weight_decay=0.0, seed=0)


def test_the_next_node_is_given_what_was_made_and_saved_and_no_file_is_read(passing) -> None:
    passing.run(make_head)
    assert passing.given[1] is passing.made
    assert passing.read == ["model.keras"]


@CHANGES
def test_what_was_changed_after_it_was_saved_is_read_from_its_file(passing, change) -> None:
    class ChangeHook:
        @hook_impl
        def after_dataset_saved(self, dataset_name: str) -> None:
            if dataset_name == "made":
                change(passing.made)

    hook = ChangeHook()
    passing.run(lambda _: build_backbone(seed=1), lambda *_: None, hook)
    assert passing.given[1] is not passing.made
    assert passing.read == ["model.keras", "made.keras"]


def test_two_networks_of_a_node_have_no_weight_in_common(passing) -> None:
    def join(model: keras.Model) -> keras.Model:
        head = build_head(model.output_shape[-1], 2, dropout=0.2, weight_decay=0.0, seed=0)
        return keras.Model(model.input, head(model.output))

    def change_one(model: keras.Model, made: keras.Model) -> None:
        before = [np.array(weight) for weight in model.weights]
        for weight in made.weights:
            weight.assign(weight + 1)
        for weight, old in zip(model.weights, before, strict=True):
            np.testing.assert_array_equal(weight, old)

    passing.run(join, change_one)
    assert len(passing.read) == 2


def test_what_goes_on_as_it_came_is_copied(passing) -> None:
    passing.run(lambda model: model)
    assert passing.written == []
    assert passing.saved._filepath.read_bytes() == passing.dataset._filepath.read_bytes()


def test_what_was_changed_is_written_and_not_copied(passing) -> None:
    passing.run(lambda model: change_a_weight(model) or model)
    assert passing.written == ["made.keras"]
    np.testing.assert_array_equal(passing.saved.load().weights[-1], passing.made.weights[-1])


def test_what_came_from_a_file_that_is_another_now_is_written(passing) -> None:
    def lose_its_file(model: keras.Model) -> keras.Model:
        passing.saved.save(build_backbone(seed=1))
        passing.saved._filepath.replace(passing.dataset._filepath)
        passing.written.clear()
        return model

    passing.run(lose_its_file)
    assert passing.written == ["made.keras"]
    np.testing.assert_array_equal(passing.given[1].weights[-1], passing.made.weights[-1])


def test_threads_share_nothing(dataset) -> None:
    given = []
    nodes = [
        Node(lambda model: given.append(model) or 1, "model", f"end_{number}", name=f"n{number}")
        for number in range(2)
    ]
    mine = []

    def load_beside(model: keras.Model) -> int:
        mine.append(model)
        run(Pipeline(nodes), dataset, ThreadRunner)
        return 1

    run(Pipeline([Node(load_beside, "model", "end", name="n")]), dataset)
    assert all(model is not mine[0] for model in given)


def test_only_a_few_are_kept(dataset, tmp_path) -> None:
    given = {}

    def note(name: str) -> Callable:
        return lambda model, _: given.setdefault(name, []).append(model) or 1

    names = ["model", "a", "b", "c", "model"]
    datasets = {"model": dataset}
    for seed, name in enumerate("abc", 1):
        datasets[name] = KerasModelDataset(filepath=str(tmp_path / f"{name}.keras"))
        datasets[name].save(build_backbone(seed))
    catalog = DataCatalog(datasets)
    catalog["after_0"] = 0
    hooks = _create_hook_manager()
    hooks.register(SharedModelsHook())
    nodes = [
        Node(note(name), [name, f"after_{number}"], f"after_{number + 1}", name=f"n{number}")
        for number, name in enumerate(names)
    ]
    SequentialRunner().run(Pipeline(nodes), catalog, hook_manager=hooks)
    first, second = given["model"]
    assert first is not second


def test_a_run_of_this_project_shares() -> None:
    assert any(isinstance(hook, SharedModelsHook) for hook in settings.HOOKS)
