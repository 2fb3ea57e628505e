"""Networks from scratch: their sizes, their start weights, their way into a file and back."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from graft.datasets import KerasModelDataset
from graft.errors import GraftError
from graft.models import networks
from graft.models.networks import NETWORKS, NetworkSettings, build_classifier
from helpers.classifiers import build_undecided

COUNTS = {
    "mnist_sequential": (10, 93_322),
    "mnist_functional": (10, 93_322),
    "mnist_subclassed": (10, 93_322),
    "mnist_residual": (10, 93_258),
    "gtsrb_simple": (43, 1_238_763),
    "gtsrb_improved": (43, 6_464_299),
    "cats_vs_dogs_small": (2, 2_996_882),
}
THREE_WAYS = ["mnist_sequential", "mnist_functional", "mnist_subclassed"]


def build(name: str, size: int | None = None, channels: int = 1, **options) -> keras.Model:
    side = size or NETWORKS[name].image_size
    options = {"class_count": COUNTS[name][0]} | options
    return build_classifier(name, (side, side, channels), NetworkSettings(**options))


def _draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_every_network_has_the_number_of_parameters_that_its_docstring_says() -> None:
    assert set(NETWORKS) - {"tunable"} == set(COUNTS)  # whose layers are parameters
    for name, (_, count) in COUNTS.items():
        assert build(name).count_params() == count
        homes = (networks.cats_vs_dogs, networks.gtsrb, networks.mnist)
        text = next(m.__doc__ for m in homes if name.startswith(m.__name__.rpartition(".")[2]))
        tables = re.findall(r"((?:^ .*\n)+?) *-{4,}\n +([\d,]+)", text, re.MULTILINE)
        found = {
            total: sum(
                int(row.replace(",", ""))
                for row in re.findall(r" ([\d,]+)(?:   [a-z]\w.*)?$", table, re.MULTILINE)
            )
            for table, total in tables
        }
        assert f"{count:,}" in text
        assert all(total == f"{parts:,}" for total, parts in found.items())


def test_the_three_ways_to_the_same_network_start_from_equal_weights() -> None:
    weights = [build(name, seed=3).get_weights() for name in THREE_WAYS]
    for other in weights[1:]:
        for mine, yours in zip(weights[0], other, strict=True):
            np.testing.assert_array_equal(mine, yours)
    pictures = _draw(2, 28, 28, 1)
    answers = [np.asarray(build(name, seed=3)(pictures)) for name in THREE_WAYS]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-6)
    np.testing.assert_allclose(answers[0], answers[2], atol=1e-6)


def test_another_seed_gives_other_weights_in_every_layer() -> None:
    mine, yours = (build("mnist_functional", seed=seed).get_weights() for seed in (0, 1))
    kernels = [(a, b) for a, b in zip(mine, yours, strict=True) if a.ndim > 1]
    assert len(kernels) == 5
    assert all((a != b).mean() > 0.9 for a, b in kernels)


@pytest.mark.parametrize("name", COUNTS)
def test_a_network_comes_back_from_its_file_as_it_was(name: str, tmp_path: Path) -> None:
    model = build(name, channels=3, l2=1e-4)
    dataset = KerasModelDataset(
        filepath=str(tmp_path / "model.keras"), imports=["graft.models.networks"]
    )
    dataset.save(model)
    side = NETWORKS[name].image_size
    pictures = _draw(2, side, side, 3)
    np.testing.assert_array_equal(np.asarray(dataset.load()(pictures)), np.asarray(model(pictures)))


def test_colours_and_other_sizes_are_brought_to_what_the_network_takes() -> None:
    grey = _draw(2, 28, 28, 1)
    plain, coloured = build("mnist_functional"), build("mnist_functional", channels=3)
    expected = np.asarray(plain(grey))
    np.testing.assert_allclose(np.asarray(coloured(np.repeat(grey, 3, -1))), expected, atol=1e-4)
    large = np.repeat(np.repeat(grey, 2, 1), 2, 2)
    resized = build("mnist_functional", size=56)
    assert np.asarray(resized(large)).shape == (2, 10)
    assert resized.count_params() == 93_322
    flat = np.full((1, 56, 56, 1), 77, np.uint8)
    np.testing.assert_allclose(
        np.asarray(resized(flat)), np.asarray(plain(flat[:, :28, :28])), atol=1e-5
    )


def test_activation_initializer_and_penalties_reach_every_kernel() -> None:
    model = build(
        "gtsrb_improved", activation="tanh", initializer="he_normal", l1=1e-3, l2=1e-2, seed=1
    )
    for name in ("conv1", "conv2", "dense4"):
        layer = model.get_layer(name)
        assert layer.activation is keras.activations.tanh
        assert isinstance(layer.kernel_initializer, keras.initializers.HeNormal)
    kernels = [
        np.asarray(model.get_layer(name).kernel)
        for name in ("conv1", "conv2", "dense4", "probabilities")
    ]
    penalty = sum(1e-3 * np.abs(k).sum() + 1e-2 * (k**2).sum() for k in kernels)
    assert float(sum(model.losses)) == pytest.approx(float(penalty), rel=1e-4)


def test_a_classifier_without_a_network_finds_all_classes_equally_likely() -> None:
    for channels in (1, 3):
        model = build_undecided((6, 6, channels), 5)
        np.testing.assert_allclose(np.asarray(model(_draw(2, 6, 6, channels))), 0.2, rtol=1e-6)


def own_network(pixels: keras.KerasTensor, settings: NetworkSettings) -> keras.KerasTensor:
    flat = keras.layers.Flatten()(pixels)
    return keras.layers.Dense(settings.class_count, activation="softmax")(flat)


def own_failure(pixels: keras.KerasTensor, settings: NetworkSettings) -> keras.KerasTensor:
    return keras.layers.Dense(-1)(pixels)


def own_map(pixels: keras.KerasTensor, settings: NetworkSettings) -> keras.KerasTensor:
    return keras.layers.Conv2D(settings.class_count, 1)(pixels)


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of a user, on the Python path."""
    text = Path(__file__).read_text()
    start, stop = text.index("def own_network"), text.index("@pytest.fixture\ndef own_module")
    (tmp_path / "somebodys_networks.py").write_text(
        "import keras\nfrom graft.models.networks import NetworkSettings\n\n" + text[start:stop]
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "somebodys_networks"


def test_a_network_of_ones_own_takes_pictures_as_they_are(own_module: str) -> None:
    model = build_classifier(f"{own_module}.own_network", (5, 5, 3), NetworkSettings(4))
    assert model.count_params() == 75 * 4 + 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_failure", r"but failed \(ValueError: .*; got 'somebodys_networks.own_failure'"),
        ("own_map", r"of shape \(None, 4\); got \(None, 5, 5, 4\)"),
        ("absent", "cannot import 'absent'"),
    ],
)
def test_what_is_wrong_with_a_network_of_ones_own_is_told_in_one_line(
    own_module: str, name: str, message: str
) -> None:
    with pytest.raises(GraftError, match=message) as caught:
        build_classifier(f"{own_module}.{name}", (5, 5, 3), NetworkSettings(4))
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_networks() -> None:
    with pytest.raises(GraftError, match=r"mnist_sequential, .*; got 'mnist'"):
        build_classifier("mnist", (28, 28, 1), NetworkSettings(10))


def test_a_picture_too_small_is_made_larger() -> None:
    assert build("gtsrb_simple", size=8).count_params() == COUNTS["gtsrb_simple"][1]
