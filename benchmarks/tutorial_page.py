"""The service beside the way of tutorials: Flask, and one `model.predict` a request. Print a table.

Usage: python benchmarks/tutorial_page.py EXPORT WEIGHTS [--pictures FOLDER] [--clients N]

EXPORT is a folder of `kedro run --pipelines=export` with MobileNetV2 in it, WEIGHTS the file of
Keras' weights of MobileNetV2 from ImageNet, head included, so that both run the same network;
Flask is installed with `pip install -c constraints.txt flask`. The page is as tutorials have it:
Keras' network in the process of Flask's own server, a thread a request, Pillow's picture resized
and put into `predict`. Its debug mode is off, which only helps it.

Both get the same pictures from N (16) clients, in three rounds in which one follows the other,
after requests that nobody counts.
"""

from __future__ import annotations

import argparse
import logging
import socket
import statistics
import sys
from pathlib import Path
from typing import Any

from asking import make_request, send_all
from served import read_pictures, run_service, serve

_ROUNDS = 3


def run_page(weights: str) -> None:
    """The tutorial's page, until the process is ended."""
    import keras
    import numpy as np
    from flask import Flask, jsonify, request
    from keras.applications import mobilenet_v2
    from PIL import Image

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    model = mobilenet_v2.MobileNetV2(weights=weights)
    app = Flask(__name__)

    @app.route("/predict", methods=["POST"])
    def predict() -> Any:
        picture = Image.open(request.files["file"]).resize((224, 224))
        pixels = np.expand_dims(keras.utils.img_to_array(picture), axis=0)
        probabilities = model.predict(mobilenet_v2.preprocess_input(pixels))[0]
        best = np.argsort(-probabilities)[:3]
        return jsonify([[int(index), float(probabilities[index])] for index in best])

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    print(f"Ready        http://127.0.0.1:{port}", flush=True)
    app.run(port=port)


def main() -> None:
    """Measure both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path)
    parser.add_argument("weights")
    shared = Path(__file__).parents[2] / "shared/data/cats_vs_dogs"
    parser.add_argument("--pictures", type=Path, default=shared)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run_page(options.weights)
        return
    files = read_pictures(options.pictures, 200)
    page = [sys.executable, __file__, str(options.export), options.weights, "--serve"]
    rounds = []
    with serve(options.export) as ours, run_service(page) as theirs:
        own = [make_request(ours.address, data) for data in files]
        other = [make_request(theirs.address, data, field="file") for data in files]
        send_all(ours.address, own, options.clients, 64)
        send_all(theirs.address, other, options.clients, 32)
        for _ in range(_ROUNDS):
            rounds.append(
                (
                    send_all(ours.address, own, options.clients, 400),
                    send_all(theirs.address, other, options.clients, 100),
                )
            )
        theirs.process.kill()
        theirs.process.wait()
    statuses = {status for both in rounds for found in both for status in found["statuses"]}
    if statuses != {"200"}:
        raise SystemExit(f"not all were answered: {sorted(statuses)}")
    print("| what | the service | Flask and `model.predict` | ratio, median | bar | reached |")
    print("|---|---|---|---|---|---|")
    bars = {
        "requests a second": (" / s", "≥ 5", lambda ratio: ratio >= 5),
        "median seconds": (" s", "", lambda _: True),
        "95th percentile": (" s", "≤ 0.2", lambda ratio: ratio <= 0.2),
    }
    for name, (unit, bar, is_reached) in bars.items():
        values = [[both[side][name] for both in rounds] for side in (0, 1)]
        ratio = statistics.median(a / b for a, b in zip(*values, strict=True))
        told = [" / ".join(f"{value:.3g}" for value in side) + unit for side in values]
        reached = ("yes" if is_reached(ratio) else "**no**") if bar else ""
        print(f"| {name} | {told[0]} | {told[1]} | {ratio:.2g} | {bar} | {reached} |")


if __name__ == "__main__":
    main()
