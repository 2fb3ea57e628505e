"""Networks that are trained from scratch; importing this package registers all of them."""

from graft.models.networks import cats_vs_dogs, gtsrb, mnist, tunable
from graft.models.networks.registry import NETWORKS, NetworkSettings, build_classifier

__all__ = [
    "NETWORKS",
    "NetworkSettings",
    "build_classifier",
    "cats_vs_dogs",
    "gtsrb",
    "mnist",
    "tunable",
]
