"""The blocks of a backbone, found from its graph.

A network can be cut only where one tensor carries everything: no other path leads past it. These
cut points divide the graph into segments; neighbouring segments whose layers share a name make up
a block. Nothing here knows a network by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Any

import keras
import pandas as pd

# Calls of operations: Keras' own `Node`, which has no public name.
Nodes = list[Any]


def divide(network: keras.Model) -> Iterator[Nodes]:
    """Segments of the graph of one input and one output, each from one cut point to the next.

    Every operation lies on a path from input to output, so a tensor is a cut point if and only
    if, in any order of the graph, nothing else that was made before it is used after it.
    """
    order = list_calls(network)
    last_use = {
        id(source): place for place, node in enumerate(order) for source in node.input_tensors
    }
    alive: set[int] = set()
    segment: Nodes = []
    for place, node in enumerate(order):
        segment.append(node)
        alive = {tensor for tensor in alive if last_use[tensor] > place}
        alive |= {id(tensor) for tensor in node.output_tensors if id(tensor) in last_use}
        if len(node.output_tensors) == 1 and alive <= {id(node.output_tensors[0])}:
            yield segment
            segment = []


def list_calls(network: keras.Model) -> Nodes:
    """Every call of an operation between inputs and outputs, what is made before its users."""
    order: Nodes = []
    seen: set[int] = set()
    waiting = [(tensor, False) for tensor in network.outputs]
    while waiting:
        tensor, ready = waiting.pop()
        history = tensor._keras_history
        node = history.operation._inbound_nodes[history.node_index]
        if ready:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.append((tensor, True))
            waiting += [(source, False) for source in reversed(node.input_tensors)]
    return order


@dataclass(frozen=True)
class Block:
    """Layers between two places where a network can be cut.

    Attributes:
        name: Such as ``block_16``.
        layers: Names of its layers, in the order of the graph.
        output: The one tensor that leaves it.
        parameters: Number of weights, moving statistics included.
        multiply_adds: Multiplications with weights for one picture.
    """

    name: str
    layers: tuple[str, ...]
    output: keras.KerasTensor
    parameters: int
    multiply_adds: int


def find_blocks(network: keras.Model) -> list[Block]:
    """Divide a network of one input and one output into blocks, from input to output.

    Examples:
        >>> from graft.models.backbones import build_small_cnn
        >>> [block.name for block in find_blocks(build_small_cnn(8, seed=0))]
        ['block1', 'block2', 'block3']
    """
    groups = _merge_without_kernels(_group_by_name(divide(network)))
    names: set[str] = set()
    blocks = []
    for number, (name, nodes) in enumerate(groups, start=1):
        if not name or name in names:
            name = next(f"block_{n}" for n in range(number, 10**6) if f"block_{n}" not in names)
        names.add(name)
        blocks.append(_describe(name, nodes))
    return blocks


def tabulate_blocks(blocks: list[Block]) -> pd.DataFrame:
    """A row a block.

    Returns:
        ``block``, ``first_layer``, ``layers``, ``output`` (such as ``7×7×160``), ``parameters``,
        ``multiply_adds``, ``share`` (of all multiply-adds) and ``tail_share``: that of the block
        and all after it, which is what a training step costs if they are unfrozen.
    """
    table = pd.DataFrame(
        {
            "block": [block.name for block in blocks],
            "first_layer": [block.layers[0] for block in blocks],
            "layers": [len(block.layers) for block in blocks],
            "output": ["×".join(map(str, block.output.shape[1:])) for block in blocks],
            "parameters": [block.parameters for block in blocks],
            "multiply_adds": [block.multiply_adds for block in blocks],
        }
    ).astype({"block": "str", "first_layer": "str", "output": "str"})
    table["share"] = table["multiply_adds"] / table["multiply_adds"].sum()
    table["tail_share"] = table["share"][::-1].cumsum()[::-1]
    return table


def _group_by_name(segments: Iterator[Nodes]) -> list[tuple[str, Nodes]]:
    """Join neighbouring segments that bear one name; unnamed neighbours join each other."""
    listed = list(segments)
    named = [[_own_name(node) for node in nodes if _own_name(node)] for nodes in listed]
    given = [tuple(name.split("_")) for names in named for name in names]
    prefix = len(_find_common_start(given)) if len(given) > 1 else 0
    tokens = [[tuple(name.split("_"))[prefix:] for name in names] for names in named]
    whole = {
        _cut_after_number(_find_common_start(names), last=True)
        for names, nodes in zip(tokens, listed, strict=True)
        if len(nodes) > 1
    } - {()}
    keys: list[tuple[str, ...]] = []
    for names, nodes in zip(tokens, listed, strict=True):
        belongs = not names and keys and not _multiplies(nodes)
        keys.append(keys[-1] if belongs else _find_key(names, whole))
    joined = []
    rows = zip(keys, tokens, listed, strict=True)
    for _, group in groupby(rows, key=lambda row: row[0]):
        members = list(group)
        common = _find_common_start([name for _, names, _ in members for name in names])
        name = "_".join(_cut_after_number(common, last=True) or common or members[0][0])
        joined.append((name, [node for *_, nodes in members for node in nodes]))
    return joined


def _find_key(names: list[tuple[str, ...]], whole: set[tuple[str, ...]]) -> tuple[str, ...]:
    """What segments of one block have in common; empty if no layer was given a name.

    ``whole`` holds the names of blocks that cannot be cut inside, such as those with a bypass:
    ``conv2_block1_preact_bn`` belongs to ``conv2_block1``, though its first number ends earlier.
    """
    common = _find_common_start(names) or (names[-1] if names else ())
    around = [block for block in whole if common[: len(block)] == block]
    if around:
        return max(around, key=len)
    return _cut_after_number(common, last=False) or common[:1]


def _cut_after_number(tokens: tuple[str, ...], last: bool) -> tuple[str, ...]:
    """``(block, 16, project)`` → ``(block, 16)``: up to the first or last token with a digit."""
    places = [place for place, token in enumerate(tokens) if re.search(r"\d", token)]
    return tokens[: places[-1 if last else 0] + 1] if places else ()


def _find_common_start(names: list[tuple[str, ...]]) -> tuple[str, ...]:
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*names, strict=False))
    return tuple(column[0] for column in columns)


def _own_name(node: Any) -> str:
    """The name that the network's author gave to a layer; empty if Keras made it up."""
    layer = node.operation
    if not isinstance(layer, keras.Layer) or isinstance(layer, keras.layers.InputLayer):
        return ""
    kind = re.sub(r"\W|_", "", type(layer).__name__).lower()
    made_up = re.sub(r"_\d+$", "", layer.name).replace("_", "") == kind
    return "" if made_up else layer.name


def _merge_without_kernels(groups: list[tuple[str, Nodes]]) -> list[tuple[str, Nodes]]:
    """Give what multiplies nothing to the block before it, or to the first one."""
    merged: list[tuple[str, Nodes]] = []
    before: Nodes = []
    for name, nodes in groups:
        if _multiplies(nodes):
            merged.append((name, before + nodes))
            before = []
        elif merged:
            merged[-1] = (merged[-1][0], merged[-1][1] + nodes)
        else:
            before += nodes
    return merged


def _multiplies(nodes: Nodes) -> bool:
    return any(count_multiply_adds(node.operation) for node in nodes)


def count_multiply_adds(operation: Any) -> int:
    """Multiplications with weights for one picture, of a layer or of a whole network.

    A kernel is applied once at every place of the map that its layer gives. A layer that a
    network's own ``call`` applies, and no graph, has no such map.

    Raises:
        LookupError: If there is such a layer.
    """
    if isinstance(operation, keras.Model):
        return sum(count_multiply_adds(layer) for layer in operation.layers)
    if not isinstance(operation, keras.Layer) or not operation.weights:
        return 0
    shape = operation._inbound_nodes[0].output_tensors[0].shape
    kernels = [math.prod(weight.shape) for weight in operation.weights if len(weight.shape) > 1]
    return sum(kernels) * math.prod(side or 1 for side in shape[1:-1])


def _describe(name: str, nodes: Nodes) -> Block:
    operations = {id(node.operation): node.operation for node in nodes}.values()
    layers = [layer for layer in operations if isinstance(layer, keras.Layer)]
    return Block(
        name=name,
        layers=tuple(layer.name for layer in layers),
        output=nodes[-1].output_tensors[0],
        parameters=sum(layer.count_params() for layer in layers),
        multiply_adds=sum(count_multiply_adds(layer) for layer in layers),
    )
