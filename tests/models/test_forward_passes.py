"""What passes pictures forward: ONNX Runtime gives what Keras gives, or Keras is asked."""

from __future__ import annotations

import logging
from pathlib import Path

import keras
import numpy as np
import pytest

from graft.backends import on_tensorflow, onnx_conversion
from graft.backends.backend import Accelerator
from graft.backends.onnx_conversion import convert_to_onnx
from graft.errors import GraftError
from graft.models import forward_passes, onnx_passes
from graft.models.backbones import _find_applications, build_backbone
from graft.models.forward_passes import Forward, choose_engine, measure_difference, open_forward
from graft.models.kept_exports import KeptExports
from graft.models.onnx_passes import open_passes
from helpers.networks import build_short_efficientnet

PICTURES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
# Of every module of keras.applications its smallest network; those that take long are slow tests.
QUICK = ["MobileNetV3Small"]
SLOW = [
    "ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "InceptionResNetV2",
    "InceptionV3", "MobileNet", "MobileNetV2", "MobileNetV3Large", "NASNetMobile", "ResNet50",
    "ResNet50V2", "VGG16", "VGG19", "Xception",
]  # fmt: skip


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return build_backbone("small_cnn", 8, "printed_letters", seed=0)


def open_onnx(network: keras.Model, exports: KeptExports | None = None) -> Forward:
    return open_forward(network, PICTURES.__getitem__, np.arange(20), 8, "onnx", exports)


def calibrate(network: keras.Model, pictures: np.ndarray) -> None:
    """Give BatchNormalization the statistics of pictures: without them activations vanish."""
    network.trainable = True
    layers = network._flatten_layers()
    normalizations = [one for one in layers if isinstance(one, keras.layers.BatchNormalization)]
    for layer in normalizations:
        layer.momentum = 0.0
    network(pictures, training=True)
    network.trainable = False


def draw_smooth_pictures(count: int, size: int) -> np.ndarray:
    """Pictures with large shapes and a little noise, as photographs have them."""
    random = np.random.default_rng(0)
    coarse = random.uniform(0, 255, (count, 4, 4, 3))
    smooth = keras.ops.convert_to_numpy(
        keras.ops.image.resize(coarse.astype(np.float32), (size, size), interpolation="bicubic")
    )
    return np.clip(smooth + random.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_every_family_gives_on_onnx_runtime_what_it_gives_on_keras(name: str) -> None:
    size = 224 if name.startswith("NASNet") else 96
    network = build_backbone(name, size, "random", seed=0)
    pictures = draw_smooth_pictures(16, size)
    calibrate(network, pictures)
    passes = open_passes(convert_to_onnx(network), network.output_shape[1:])
    assert passes(pictures).std(axis=0).mean() > 1e-3
    # Random weights make rounding larger layer by layer; what is converted wrongly differs more.
    assert measure_difference(network, passes, pictures) < 1e-3


def test_constants_of_a_normalization_layer_are_no_inputs_of_the_file() -> None:
    """As in EfficientNet, whose own export by Keras no runtime reads."""
    network = build_short_efficientnet()
    assert any(isinstance(layer, keras.layers.Normalization) for layer in network.layers)
    shown = draw_smooth_pictures(4, 32)
    calibrate(network, shown)
    passes = open_passes(convert_to_onnx(network), network.output_shape[1:])
    assert passes(shown).std(axis=0).mean() > 1e-3
    assert measure_difference(network, passes, shown) < 1e-3


def test_no_family_of_keras_applications_is_left_out() -> None:
    modules = {name: network.__module__ for name, network in _find_applications().items()}
    assert {modules[name] for name in (*QUICK, *SLOW)} == set(modules.values())


def test_a_picture_has_the_same_outputs_whatever_is_passed_with_it(network) -> None:
    passes = open_onnx(network)
    together = passes.run(PICTURES)
    assert passes.engine == "onnx"
    assert passes.run(PICTURES[[7, 3]]).tobytes() == together[[7, 3]].tobytes()
    assert passes.run(PICTURES[:0]).shape == (0, 384)


def test_the_number_of_threads_changes_no_bit(network, monkeypatch) -> None:
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(onnx_passes, "count_workers", lambda count=threads: count)
        found.append(open_onnx(network).run(PICTURES).tobytes())
    assert found[0] == found[1]


def test_pictures_of_another_size_are_refused_in_one_line(network) -> None:
    with pytest.raises(GraftError, match=r"takes rows of shape \(8, 8, 3\).*got \(9, 9, 3\)"):
        open_onnx(network).run(np.zeros((2, 9, 9, 3), np.uint8))


def test_auto_converts_where_pictures_are_many_enough_to_pay_for_it() -> None:
    pictures = keras.Input((224, 224, 3), dtype="uint8")
    means = keras.layers.GlobalAveragePooling2D()(pictures)
    network = keras.Model(pictures, means)
    assert [choose_engine(network, count) for count in (599, 600)] == ["keras", "onnx"]
    heavy = keras.Model(pictures, keras.layers.Dense(250_000)(means))  # a million weights
    assert [choose_engine(heavy, count) for count in (679, 680)] == ["keras", "onnx"]
    half = keras.Input((112, 112, 3), dtype="uint8")
    small = keras.Model(half, keras.layers.GlobalAveragePooling2D()(half))
    assert [choose_engine(small, count) for count in (2399, 2400)] == ["keras", "onnx"]


def test_auto_leaves_rows_that_are_no_pictures_and_machines_with_a_gpu_to_keras(
    monkeypatch,
) -> None:
    numbers = keras.Input((1000,))
    network = keras.Model(numbers, keras.layers.Dense(2)(numbers))
    assert choose_engine(network, 10**9) == "keras"
    pictures = keras.Input((224, 224, 3), dtype="uint8")
    network = keras.Model(pictures, keras.layers.GlobalAveragePooling2D()(pictures))
    gpu = Accelerator("a GPU", is_quick_in_bfloat16=True)
    monkeypatch.setattr(on_tensorflow, "list_accelerators", lambda: [gpu])
    assert choose_engine(network, 10**9) == "keras"


def test_without_onnx_runtime_auto_is_keras_and_its_name_is_refused(network, monkeypatch) -> None:
    monkeypatch.setattr(forward_passes, "find_missing_library", lambda: "onnxruntime")
    monkeypatch.setattr(forward_passes, "_WORTH_PICTURES", 0)
    rows = np.arange(20)
    assert open_forward(network, PICTURES.__getitem__, rows, 8).engine == "keras"
    with pytest.raises(GraftError, match=r"forward.engine onnx needs.*got no module 'onnxruntime'"):
        open_onnx(network)


def test_what_gives_something_else_on_these_pictures_is_not_used(
    network, monkeypatch, caplog
) -> None:
    def open_wrong(content: bytes, shape: tuple[int, ...]) -> onnx_passes.Run:
        right = open_passes(content, shape)
        return lambda pictures: right(pictures) * np.float32(1.0001)

    monkeypatch.setattr(forward_passes, "open_passes", open_wrong)
    with caplog.at_level(logging.INFO, logger="graft"):
        passes = open_onnx(network)
    assert passes.engine == "keras"
    told = " ".join(" ".join(caplog.messages).split())
    assert "Keras, for ONNX Runtime gives something else than Keras on 8 pictures" in told


@keras.saving.register_keras_serializable("test")
class Imaginary(keras.layers.Layer):
    """ONNX has no Fourier transform of this kind."""

    def call(self, pictures):
        import tensorflow as tf

        return tf.abs(tf.signal.fft3d(tf.cast(pictures, tf.complex64)))


def test_what_onnx_cannot_say_passes_on_keras_and_the_log_says_why(caplog) -> None:
    pictures = keras.Input((8, 8, 3), dtype="uint8")
    network = keras.Model(pictures, Imaginary()(pictures), name="imaginary")
    with caplog.at_level(logging.INFO, logger="graft"):
        passes = open_onnx(network)
    assert passes.engine == "keras"
    assert passes.run(PICTURES[:2]).shape == (2, 8, 8, 3)
    told = " ".join(" ".join(caplog.messages).split())
    assert "Keras, for ONNX Runtime does not take 'imaginary' (" in told


def test_the_engine_and_the_weights_are_part_of_what_outputs_are_known_by(network) -> None:
    other = keras.models.clone_model(network)
    rows = np.arange(20)
    on_keras = open_forward(network, PICTURES.__getitem__, rows, 8, "keras")
    identities = {on_keras.identity, open_onnx(network).identity, open_onnx(other).identity}
    assert len(identities) == 3
    assert open_onnx(network).identity in identities


def test_a_network_is_converted_once_and_a_damaged_file_once_more(
    network, tmp_path: Path, monkeypatch
) -> None:
    converted = []

    def convert(given: keras.Model) -> bytes:
        converted.append(given)
        return convert_to_onnx(given)

    monkeypatch.setattr(onnx_conversion, "convert_to_onnx", convert)
    folder = tmp_path / "exports"
    first = open_onnx(network, KeptExports(folder)).run(PICTURES)
    again = open_onnx(network, KeptExports(folder)).run(PICTURES)
    assert len(converted) == 1
    assert first.tobytes() == again.tobytes()
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert open_onnx(network, KeptExports(folder)).run(PICTURES).tobytes() == first.tobytes()
    assert len(converted) == 2
    open_onnx(network, KeptExports(folder, is_forgotten=True))
    assert len(converted) == 3


def test_of_kept_networks_the_one_that_was_used_least_recently_goes(tmp_path: Path) -> None:
    kept = KeptExports(tmp_path)
    names = [str(number) * 64 for number in range(9)]
    for place, name in enumerate(names[:8]):
        kept.find(name, lambda place=place: b"%d" % place)
    kept.find(names[0], lambda: pytest.fail("it is kept"))
    kept.find(names[8], lambda: b"new")
    kept.find(names[0], lambda: pytest.fail("it was used"))
    assert kept.find(names[1], lambda: b"made anew") == b"made anew"
