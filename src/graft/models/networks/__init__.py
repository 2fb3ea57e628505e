"""Networks that are trained from scratch; importing this package registers all of them."""

from graft.models.networks import (
    cats_vs_dogs_small,
    gtsrb_improved,
    gtsrb_simple,
    mnist_functional,
    mnist_residual,
    mnist_sequential,
    mnist_subclassed,
)
from graft.models.networks.classifier import build_classifier, build_undecided
from graft.models.networks.registry import NETWORKS, NetworkSettings

__all__ = [
    "NETWORKS",
    "NetworkSettings",
    "build_classifier",
    "build_undecided",
    "cats_vs_dogs_small",
    "gtsrb_improved",
    "gtsrb_simple",
    "mnist_functional",
    "mnist_residual",
    "mnist_sequential",
    "mnist_subclassed",
]
