"""Networks with something inside them led out: a layer, or what arrives at the head."""

from __future__ import annotations

from difflib import get_close_matches

import keras

from graft.errors import GraftError
from graft.models.blocks import list_calls
from graft.models.grad_cam import unfold


def cut_at_layer(model: keras.Model, layer: str, parameter: str) -> keras.Model:
    """The network up to a layer, which it shares with the model; preprocessing stays inside.

    Args:
        model: A network of layers that Keras knows as a graph.
        layer: Name of a layer of one output.
        parameter: Where the name was given, for messages.

    Returns:
        Model from the inputs of ``model`` to the output of the layer.

    Raises:
        GraftError: If there is no such layer, with the list of those that there are.
    """
    outputs = {}
    for one in model.layers:
        try:
            outputs[one.name] = one.output
        except (AttributeError, ValueError):  # it is called twice, or from code alone
            continue
    if not isinstance(outputs.get(layer), keras.KerasTensor):
        close = get_close_matches(layer, outputs, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise GraftError(
            f"{parameter} is the name of a layer of '{model.name}'; {hint}it has "
            f"{', '.join(outputs) or 'none that can be led out'}; got '{layer}'"
        )
    return keras.Model(model.input, outputs[layer], name=layer)


def lead_out_features(classifier: keras.Model) -> keras.Model | None:
    """The classifier with its features as a second output; it shares all layers.

    Features are what arrives at the last layer with weights, which makes classes of them: the
    output of the backbone, or of the last hidden layer. Of a map they are the means of its places.

    Args:
        classifier: From pictures (N, H, W, channels) to probabilities (N, C).

    Returns:
        Model from pictures to a list of probabilities (N, C) and features (N, D), both float32;
        None if the inside of the network is no graph of Keras.
    """
    flat = unfold(classifier)
    head = next(
        (node for node in reversed(list_calls(flat)) if getattr(node.operation, "weights", None)),
        None,
    )
    if head is None or isinstance(head.operation, keras.Model):
        return None
    features = head.input_tensors[0]
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D(name="features_of_map")(features)
    if len(features.shape) != 2:
        return None
    # Names of their own: two layers of one name are refused, and Keras would count from one again.
    outputs = [
        keras.layers.Activation("linear", dtype="float32", name=f"{name}_given")(tensor)
        for name, tensor in (("probabilities", flat.output), ("features", features))
    ]
    return keras.Model(flat.input, outputs, name="classifier_with_features")
