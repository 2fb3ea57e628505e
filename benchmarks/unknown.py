"""How well does a classifier of cats and dogs tell that a picture is of something else? Print JSON.

Usage: python benchmarks/unknown.py [--shared FOLDER] [--pictures N]

MobileNetV2 at 224 with its ImageNet weights; cats and dogs are split 60/20/20. What is remembered
is train, the threshold is found on dev and, for knn, on train too. Asked are test and up to N (120)
pictures each of traffic signs (GTSRB), handwritten digits (MNIST) and every class of Caltech 101.
For each set stand the area under the ROC curve against test, and the share that is refused, of

* knn: :mod:`graft.analysis.familiarity`, the distance that the project uses, at 1, 5 and 50
  neighbours;
* mahalanobis: the distance to the nearest class mean under the shared, shrunk covariance
  (Lee et al., "A simple unified framework for detecting out-of-distribution samples", NeurIPS 2018;
  Ledoit and Wolf 2004);
* confidence: 1 − the highest probability of a logistic regression on the features, which is what
  *not sure* goes by (Hendrycks and Gimpel, ICLR 2017).

Whether as many new pictures are refused as was asked for is measured apart: cats and dogs, Caltech
101 and 1,000 digits, each dealt anew 200 times, with the threshold found on dev alone and on both.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from graft.analysis.familiarity import fit_familiarity
from graft.images.decoding import decode_picture
from graft.sources.idx import read_idx
from graft.sources.plain_files import read_plain_files
from graft.sources.source import ImageSource

REFUSED = 0.05
DEALS, DIGITS = 200, 1000
Distance = Callable[[np.ndarray], np.ndarray]


def list_sources(shared: Path) -> dict[str, ImageSource]:
    """The sets of pictures that the classifier has never seen, by name."""
    data = shared / "data"
    classes = sorted((data / "caltech101/101_ObjectCategories").iterdir())
    return {
        "signs (GTSRB)": read_plain_files(data / "gtsrb/Final_Training/Images"),
        "digits (MNIST)": read_idx(data / "mnist", None, None),
        **{f"{folder.name} (Caltech)": read_plain_files(folder) for folder in classes},
    }


def read_features(
    source: ImageSource, forward: Callable[[np.ndarray], np.ndarray], count: int
) -> tuple[list[str], np.ndarray]:
    """Names and features (n, D) of up to so many pictures, drawn at random."""
    names = [str(name) for name in source.records["image_id"] if not str(name).endswith(".csv")]
    drawn = [names[row] for row in np.random.default_rng(0).permutation(len(names))[:count]]
    found = []
    for start in range(0, len(drawn), 32):
        batch = drawn[start : start + 32]
        pixels = [decode_picture(source.read(name), 224, 80_000_000) for name in batch]
        found.append(forward(np.stack(pixels)))
    return drawn, np.concatenate(found)


def make_distances(train: np.ndarray, labels: np.ndarray, dev: np.ndarray) -> dict[str, Distance]:
    """The ways to tell, by name; each gives a larger number for a stranger picture."""
    means = np.stack([train[labels == label].mean(axis=0) for label in (0, 1)])
    precision = LedoitWolf(assume_centered=True).fit(train - means[labels]).precision_
    regression = LogisticRegression(C=0.01, max_iter=2000).fit(train, labels)

    def measure_mahalanobis(features: np.ndarray) -> np.ndarray:
        differences = features[:, None] - means
        return np.einsum("ncd,de,nce->nc", differences, precision, differences).min(axis=1)

    neighbours = {k: fit_familiarity(train, dev, k, REFUSED) for k in (1, 5, 50)}
    return {
        **{f"knn, {k}": found.measure for k, found in neighbours.items()},
        "mahalanobis": measure_mahalanobis,
        "confidence": lambda features: 1 - regression.predict_proba(features).max(axis=1),
    }


def deal_anew(features: np.ndarray) -> dict[str, object]:
    """Mean, spread and highest of the share of test that is refused, over many splits 60/20/20."""
    random = np.random.default_rng(0)
    refused: dict[str, list[float]] = {"by dev": [], "by dev and train": []}
    for _ in range(DEALS):
        order = random.permutation(len(features))
        train, dev, test = np.split(features[order], [int(0.6 * len(order)), int(0.8 * len(order))])
        for name, clusters in (("by dev", None), ("by dev and train", np.arange(len(train)))):
            found = fit_familiarity(train, dev, 5, REFUSED, clusters)
            refused[name].append(float((found.measure(test) > found.threshold).mean()))
    return {
        "pictures": len(features),
        **{
            name: {"mean": round(float(np.mean(shares)), 4), "sd": round(float(np.std(shares)), 4),
                   "highest": round(max(shares), 4)}
            for name, shares in refused.items()
        },
    }  # fmt: skip


def main() -> None:
    """Measure every set by every distance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--pictures", type=int, default=120)
    options = parser.parse_args()
    from graft.models.backbones import build_backbone
    from graft.models.inference import compile_forward

    weights = options.shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    forward = compile_forward(build_backbone("MobileNetV2", 224, str(weights), seed=0), 32)
    names, known = read_features(
        read_plain_files(options.shared / "data/cats_vs_dogs"), forward, 10_000
    )
    labels = np.array([name.startswith("dog") for name in names]).astype(int)
    train, dev, test = np.split(known, [int(0.6 * len(known)), int(0.8 * len(known))])
    distances = make_distances(train, labels[: len(train)], dev)
    limits = {name: np.quantile(way(dev), 1 - REFUSED) for name, way in distances.items()}
    for k in (1, 5, 50):
        limits[f"knn, {k}"] = fit_familiarity(
            train, dev, k, REFUSED, np.arange(len(train))
        ).threshold
    result: dict[str, dict[str, object]] = {"cats and dogs (test)": {"pictures": len(test)}}
    for name, way in distances.items():
        refused = float((way(test) > limits[name]).mean())
        result["cats and dogs (test)"][name] = {"refused": round(refused, 3)}
    caltech = []
    for unknown, source in list_sources(options.shared).items():
        _, features = read_features(source, forward, options.pictures)
        if "Caltech" in unknown:
            caltech.append(features)
        result[unknown] = {"pictures": len(features)}
        is_new = np.r_[np.zeros(len(test)), np.ones(len(features))]
        for name, way in distances.items():
            far = way(features)
            auroc = roc_auc_score(is_new, np.r_[way(test), far])
            refused = float((far > limits[name]).mean())
            result[unknown][name] = {"auroc": round(float(auroc), 4), "refused": round(refused, 3)}
    mnist = read_idx(options.shared / "data/mnist", None, None)
    result["dealt anew"] = {
        "cats and dogs": deal_anew(known),
        "twelve classes of Caltech 101": deal_anew(np.concatenate(caltech)),
        "digits (MNIST)": deal_anew(read_features(mnist, forward, DIGITS)[1]),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
