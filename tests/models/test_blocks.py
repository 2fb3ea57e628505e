"""Blocks: found from the graph of any network, cut only where one tensor carries everything."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest

from graft.models.backbones import build_backbone, build_small_cnn
from graft.models.blocks import find_blocks, tabulate_blocks

# A network of every family of keras.applications, a size of pictures (the smallest that it takes,
# but for MobileNetV2), some of the blocks that its users know, and how many blocks there are.
FAMILIES = {
    "ConvNeXtTiny": (32, ["stem", "stage_0_block_0", "downsampling_block_2"], 22),
    "DenseNet121": (32, ["conv1", "conv2_block1", "pool4", "conv5_block16"], 62),
    "EfficientNetB0": (32, ["stem", "block1a", "block7a", "top"], 18),
    "EfficientNetV2B0": (32, ["stem", "block1a", "block6h", "top"], 23),
    "InceptionResNetV2": (75, ["mixed_5b", "block35_10", "block8_10", "conv_7b"], 45),
    "InceptionV3": (75, ["block_1", "mixed0", "mixed10"], 12),
    "MobileNet": (32, ["conv1", "conv_dw_1", "conv_pw_13"], 27),
    "MobileNetV2": (224, ["Conv1", "expanded_conv", "block_1", "block_16", "Conv_1"], 19),
    "MobileNetV3Small": (32, ["conv", "expanded_conv", "expanded_conv_10", "conv_1"], 13),
    "NASNetMobile": (32, ["stem_conv1", "normal_concat_12"], 2),
    "ResNet50": (32, ["conv1", "conv2_block1", "conv5_block3"], 17),
    "ResNet50V2": (32, ["conv1", "conv2_block1", "conv5_block3"], 17),
    "VGG16": (32, ["block1", "block5"], 5),
    "Xception": (71, ["block1", "block14"], 14),
}


# Building these takes seconds each; `make test-slow` does. Of networks that are alike one stays.
LARGE = {
    "DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "InceptionResNetV2", "MobileNet",
    "NASNetMobile", "ResNet50", "Xception",
}  # fmt: skip


@functools.cache
def build(name):
    """A network of the table."""
    return build_backbone(name, FAMILIES[name][0], "random", seed=0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(name, expected, marks=[pytest.mark.slow] * (name in LARGE), id=name)
        for name, expected in FAMILIES.items()
    ],
)
def test_every_family_has_its_blocks_and_can_be_cut_between_them(name, expected):
    _, known, count = expected
    network = build(name)
    blocks = find_blocks(network)
    names = [block.name for block in blocks]
    assert [block for block in names if block in known] == known
    assert len(set(names)) == count
    assert sum(block.parameters for block in blocks) == network.count_params()
    # Keras itself refuses to make a model from a tensor that does not carry everything.
    for block in blocks[:-1][:: max(1, count // 4)]:
        keras.Model(block.output, network.output)


def test_every_layer_is_in_one_block_and_the_last_block_ends_in_the_features():
    network = build("MobileNetV3Small")
    blocks = find_blocks(network)
    assert sorted(name for block in blocks for name in block.layers) == sorted(
        layer.name for layer in network.layers
    )
    assert blocks[-1].output is network.output


def test_a_network_with_a_bypass_over_everything_is_one_block():
    pictures = keras.Input((4, 4, 3))
    inner = keras.layers.Conv2D(3, 1, name="part1_conv")(pictures)
    inner = keras.layers.Conv2D(3, 1, name="part2_conv")(inner)
    network = keras.Model(pictures, keras.layers.Flatten()(pictures + inner))
    assert [block.layers for block in find_blocks(network)] == [
        tuple(layer.name for layer in network.layers if isinstance(layer, keras.Layer))
    ]


def test_layers_whose_names_keras_made_up_give_numbered_blocks():
    pictures = keras.Input((4, 4, 3))
    tensor = keras.layers.Conv2D(3, 1)(pictures)
    tensor = keras.layers.Conv2D(3, 1, name="named1_conv")(tensor)
    network = keras.Model(pictures, keras.layers.Conv2D(3, 1)(tensor))
    assert [block.name for block in find_blocks(network)] == ["block_1", "named1", "block_3"]


def test_multiply_adds_agree_with_the_published_count():
    # Sandler et al. 2018, table 4: MobileNetV2 at 224 needs 300 million (with its top: 1.3 M).
    blocks = find_blocks(build("MobileNetV2"))
    total = sum(block.multiply_adds for block in blocks)
    assert total + 1280 * 1000 == pytest.approx(300e6, rel=0.005)


def test_a_convolution_multiplies_its_kernel_at_every_place():
    network = build_small_cnn(8, seed=0)
    first = find_blocks(network)[0]
    assert first.multiply_adds == 8 * 8 * (3 * 3 * 3 * 32 + 3 * 3 * 32 * 48)
    assert first.parameters == 992 + 14_016


def test_the_table_says_what_a_training_step_from_each_block_costs():
    table = tabulate_blocks(find_blocks(build("MobileNetV2")))
    table = table.set_index("block")
    assert table["share"].sum() == pytest.approx(1)
    # A trial gave 55, 75 and 86 % of multiply-adds frozen.
    frozen = 1 - table.loc[["block_11", "block_14", "block_16"], "tail_share"]
    np.testing.assert_allclose(frozen, [0.55, 0.75, 0.86], atol=0.005)
    assert table.loc["block_16", "output"] == "7×7×320"
    assert table.loc["block_16", "first_layer"] == "block_16_expand"
