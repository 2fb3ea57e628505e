"""Where the graph of a network can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

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
    """Every call of an operation between input and output, inputs before their users."""
    order: Nodes = []
    seen: set[int] = set()
    waiting = [(network.output, False)]
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
