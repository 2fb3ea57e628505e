"""Networks that are trained from scratch; importing this package registers all of them."""

from graft.models.networks import cats_vs_dogs as cats_vs_dogs_small
from graft.models.networks import gtsrb as gtsrb_improved
from graft.models.networks import gtsrb as gtsrb_simple
from graft.models.networks import mnist as mnist_functional
from graft.models.networks import mnist as mnist_residual
from graft.models.networks import mnist as mnist_sequential
from graft.models.networks import mnist as mnist_subclassed
from graft.models.networks.registry import (
    NETWORKS,
    NetworkSettings,
    build_classifier,
    build_undecided,
)

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
