"""Several sources, shares by size, and folds for cross-validation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.errors import GraftError
from graft.pipelines.splitting.assignment import choose_fractions
from graft.pipelines.splitting.nodes import summarise_splits
from helpers.properties import draw_examples
from helpers.splitting import PARAMETERS, make_index, split


@given(
    sources=st.lists(st.sampled_from(["phone", "web", None]), max_size=60),
    groups=st.lists(st.integers(0, 30), min_size=60, max_size=60),
    seed=st.integers(0, 100),
)
@draw_examples(12)
def test_dev_and_test_come_from_the_target_source_alone(sources, groups, seed):
    sources = ["phone"] * 40 + sources
    groups = [None] * 40 + [f"g{n}" for n in groups[: len(sources) - 40]]
    index = make_index((["cat", "dog"] * 60)[: len(sources)], groups, sources)
    splits, _ = split(index, seed=seed, target_source="phone")
    held_out = splits[splits["split"].isin(["dev", "test"])]
    assert set(held_out["source"]) == {"phone"}
    assert splits.groupby("cluster")["split"].nunique().max() == 1


def test_a_part_of_train_is_held_out_where_sources_differ():
    index = make_index(["cat", "dog"] * 100, sources=["phone"] * 100 + ["web"] * 100)
    splits, _ = split(index, target_source="phone")
    sizes = splits["split"].value_counts()
    assert sizes.to_dict() == {"train": 128, "train_dev": 32, "dev": 20, "test": 20}
    # It is like train: pictures of both sources in it.
    assert set(splits.loc[splits["split"] == "train_dev", "source"]) == {"phone", "web"}


def test_without_a_target_source_nothing_of_train_is_held_out():
    splits, _ = split(make_index(["cat", "dog"] * 20, sources=["phone", "web"] * 20))
    assert set(splits["split"]) == {"train", "dev", "test"}


def test_an_unknown_target_source_is_refused_with_the_known_ones():
    index = make_index(["cat", "dog"] * 20, sources=["phone", "web"] * 20)
    message = "the pictures have phone, web; got splitting.target_source='tablet'"
    with pytest.raises(GraftError, match=message):
        split(index, target_source="tablet")


def test_the_summary_compares_the_shares_of_the_target_source():
    index = make_index(["cat", "dog"] * 100, sources=["phone"] * 100 + ["web"] * 100)
    splits, _ = split(index, target_source="phone")
    parameters = PARAMETERS.model_copy(update={"target_source": "phone"})
    summary = summarise_splits(splits, parameters)
    assert summary["pictures"].sum() == 100
    assert summary["deviation"].abs().max() == 0


@pytest.mark.parametrize(
    ("count", "dev"),
    [(10, 0.2), (10_000, 0.2), (100_000, 0.0447), (1_000_000, 0.01), (10**8, 0.01)],
)
def test_the_held_out_shares_fall_as_pictures_become_many(count, dev):
    shares = choose_fractions(count, PARAMETERS)
    assert shares["dev"] == shares["test"] == pytest.approx(dev, abs=1e-4)
    assert sum(shares.values()) == pytest.approx(1)


@given(count=st.integers(1, 10**8))
def test_more_pictures_never_mean_fewer_held_out(count):
    now, later = (choose_fractions(n, PARAMETERS)["test"] * n for n in (count, count + 1))
    assert later >= now


def test_a_share_below_that_of_many_pictures_stays_as_it_is():
    few = PARAMETERS.model_copy(update={"train": 0.99, "dev": 0.005, "test": 0.005})
    assert choose_fractions(10**7, few)["dev"] == 0.005


@given(groups=st.lists(st.integers(0, 15), min_size=60, max_size=60), folds=st.integers(2, 5))
@draw_examples(12)
def test_folds_never_divide_a_group_and_leave_test_alone(groups, folds):
    groups = [None] * 20 + [f"g{n}" for n in groups]
    splits, _ = split(make_index(["cat", "dog"] * 40, groups), folds=folds)
    assert splits.groupby("cluster")["fold"].nunique().max() == 1
    assert ((splits["fold"] == -1) == (splits["split"] == "test")).all()
    assert set(splits["fold"]) <= set(range(-1, folds))


def test_folds_are_stratified():
    splits, _ = split(make_index(["cat"] * 100 + ["dog"] * 50))
    sizes = pd.crosstab(splits["label"], splits["fold"])[range(5)]
    assert (np.abs(sizes.loc["cat"] - 16) <= 1).all()
    assert (np.abs(sizes.loc["dog"] - 8) <= 1).all()
