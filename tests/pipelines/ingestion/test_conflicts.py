"""Clusters in the index, and pictures that stand under two labels."""

from __future__ import annotations

import pandas as pd
import pytest

from graft.errors import GraftError
from graft.pipelines.ingestion.labels import cluster_pictures, settle_conflicts


def make_index():
    """A cat that is a dog elsewhere, two copies of an owl, and a file that is no picture."""
    index = pd.DataFrame(
        {
            "image_id": ["cat.png", "dog.png", "owl 1.png", "owl 2.png", "bad.png"],
            "label": ["cat", "dog", "owl", "owl", "owl"],
            "group": None,
            "sha256": ["a", "b", "c", "c", "c"],
            "pixel_sha256": ["p", "p", "q", "q", None],
            "perceptual_hash": None,
            "status": ["ok"] * 4 + ["quarantined"],
            "reason": [""] * 4 + ["cut short"],
        }
    )
    return index.astype("str")


def test_usable_pictures_have_a_cluster_and_quarantined_ones_none():
    clustered = cluster_pictures(make_index(), radius=4)
    assert clustered.index["cluster"].tolist()[:4] == [0, 0, 1, 1]
    assert pd.isna(clustered.index["cluster"].iloc[4])
    assert clustered.index["cluster"].dtype == "Int64"


def test_copies_and_conflicts_are_listed():
    clustered = cluster_pictures(make_index(), radius=4)
    assert clustered.duplicates["image_id"].tolist() == ["dog.png", "owl 2.png"]
    assert clustered.conflicts["image_id"].tolist() == ["cat.png", "dog.png"]


def test_conflicting_pictures_are_dropped_with_the_reason():
    clustered = cluster_pictures(make_index(), radius=4)
    index = settle_conflicts(clustered.index, clustered.conflicts, "drop")
    assert index["status"].tolist() == ["quarantined", "quarantined", "ok", "ok", "quarantined"]
    assert index["reason"].tolist()[0] == "same picture as 'dog.png' under label 'dog'"
    assert index["reason"].tolist()[4] == "cut short"


def test_or_kept():
    clustered = cluster_pictures(make_index(), radius=4)
    assert settle_conflicts(clustered.index, clustered.conflicts, "keep") is clustered.index


def test_or_refused_with_both_names():
    clustered = cluster_pictures(make_index(), radius=4)
    message = r"2 pictures stand under two labels; .*'cat.png' \('cat'\), the same picture as 'dog"
    with pytest.raises(GraftError, match=message):
        settle_conflicts(clustered.index, clustered.conflicts, "error")


@pytest.mark.parametrize("policy", ["drop", "error"])
def test_lookalikes_under_two_labels_are_only_listed(policy):
    index = make_index().assign(
        pixel_sha256=["p", "r", "q", "q", None],
        perceptual_hash=pd.Series(["00ff00ff00ff00ff", "00ff00ff00ff00fe", None, None, None]),
    )
    clustered = cluster_pictures(index, radius=4)
    assert set(clustered.conflicts["kind"]) == {"look alike"}
    settled = settle_conflicts(clustered.index, clustered.conflicts, policy)
    assert settled["status"].tolist() == index["status"].tolist()
