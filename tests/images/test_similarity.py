"""Near hashes: the clusters and closest pairs that comparing all with all would find."""

from __future__ import annotations

import io
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from graft.images import duplicates as similarity
from graft.images.checking import check_picture
from graft.images.duplicates import (
    choose_band_count,
    find_clusters,
    find_links,
    find_near_pairs,
    parse_hashes,
)


def compare_all(hashes, radius):
    """Distances of all pairs that are near; of all others more than any distance."""
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None, :]).astype(int)
    return np.where(distances <= radius, distances, 99)


def number_clusters(count, pairs):
    graph = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(count, count))
    return pd.factorize(connected_components(graph, directed=False)[1])[0].tolist()


@st.composite
def draw_lookalikes(draw, most):
    """Different hashes around a few centres, some of these close to one another."""
    centres = draw(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 2**12), min_size=1))
    flips = draw(st.lists(st.lists(st.integers(0, 63), max_size=6), max_size=most))
    near = [
        centres[n % len(centres)] ^ sum({1 << bit for bit in bits}) for n, bits in enumerate(flips)
    ]
    hashes = np.unique(np.array([*centres[:most], *near], np.uint64))
    return np.array(draw(st.permutations(hashes.tolist())), np.uint64)


@given(hashes=draw_lookalikes(most=30), radius=st.integers(1, 8), data=st.data())
@settings(deadline=None)
def test_the_closest_and_the_clusters_are_those_of_comparing_all_with_all(hashes, radius, data):
    count = len(hashes)
    labels = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=count, max_size=count)), int)
    pairs, distances = find_near_pairs(hashes, radius, labels)
    near = compare_all(hashes, radius)
    assert (near[tuple(pairs)] == distances).all()
    assert (pairs[0] < pairs[1]).all()
    assert pairs.shape[1] <= 3 * count
    assert len(set(map(tuple, pairs.T.tolist()))) == pairs.shape[1]
    expected = np.stack(np.nonzero(np.triu(near < 99, k=1)))
    assert number_clusters(count, pairs) == number_clusters(count, expected)
    found = np.full((count, count), 99)
    found[tuple(pairs)] = found[tuple(pairs[::-1])] = distances
    earlier = np.tril(np.ones((count, count), bool), k=-1)
    foreign = (labels[:, None] != labels) & (labels[:, None] >= 0) & (labels >= 0)
    for some in (earlier, foreign):
        for row in range(count):
            assert found[row, some[row]].min(initial=99) == near[row, some[row]].min(initial=99)


@pytest.mark.parametrize("most", [1, 2, 5])
@given(hashes=draw_lookalikes(most=80), radius=st.integers(1, 8))
@settings(deadline=None)
def test_crowds_have_the_clusters_of_comparing_all_with_all(most, hashes, radius):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "CROWD", most)
        pairs, distances = find_near_pairs(hashes, radius)
    near = compare_all(hashes, radius)
    assert (near[tuple(pairs)] == distances).all()
    expected = np.stack(np.nonzero(np.triu(near < 99, k=1)))
    assert number_clusters(len(hashes), pairs) == number_clusters(len(hashes), expected)
    assert pairs.shape[1] <= 2 * len(hashes)


def test_memory_grows_with_the_lookalikes_and_not_with_their_pairs():
    random = np.random.default_rng(0)
    hashes = np.zeros(6_000, np.uint64)
    for _ in range(4):
        hashes ^= np.uint64(1) << random.integers(0, 64, len(hashes)).astype(np.uint64)
    hashes = random.permutation(np.unique(hashes))
    near = np.bitwise_count(hashes[:500, None] ^ hashes) <= 4
    assert near.sum() > 500 * 100  # each is near to hundreds
    tracemalloc.start()
    try:
        pairs, _ = find_near_pairs(hashes, radius=4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert set(number_clusters(len(hashes), pairs)) == {0}
    assert pairs.shape[1] <= 3 * len(hashes)
    assert peak < 1_000 * len(hashes)


@pytest.mark.parametrize("count", [0, 1])
def test_no_pictures_and_one_picture_make_no_pair(count):
    pairs, distances = find_near_pairs(np.arange(count, dtype=np.uint64), radius=4)
    assert pairs.shape == (2, 0)
    assert distances.shape == (0,)


@given(count=st.integers(1, 10**7), radius=st.integers(1, 8))
def test_there_are_more_bands_than_bits_that_may_differ(count, radius):
    assert choose_band_count(count, radius) > radius


def test_more_pictures_take_longer_keys():
    assert choose_band_count(10**7, radius=4) >= choose_band_count(10**4, radius=4)


def test_a_hundred_thousand_pictures_take_less_than_a_minute():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, 100_000, dtype=np.uint64)
    hashes[:1000] = hashes[1000:2000] ^ np.uint64(0b1011)
    started = time.process_time()
    pairs, _ = find_near_pairs(np.unique(hashes), radius=4)
    assert time.process_time() - started < 60
    assert pairs.shape == (2, 1000)


def test_hashes_are_read_from_hexadecimal_and_missing_ones_left_out():
    texts = pd.Series(["00000000000000ff", None, "8000000000000000"], dtype="str")
    rows, hashes = parse_hashes(texts)
    assert rows.tolist() == [0, 2]
    assert hashes.tolist() == [255, 2**63]


def draw_object(number, size=240):
    """An object of 80 pixels on white, like a product in a shop; four kinds in all colours."""
    random = np.random.default_rng(number)
    picture = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(picture)
    left, top = (int(value) for value in random.integers(70, 90, 2))
    colour = tuple(int(value) for value in random.integers(0, 200, 3))
    box = (left, top, left + 80, top + 80)
    if number % 4 == 0:
        draw.rectangle(box, fill=colour)
    elif number % 4 == 1:
        draw.ellipse(box, fill=colour)
    elif number % 4 == 2:
        draw.polygon([(left + 40, top), (left, top + 80), (left + 80, top + 80)], fill=colour)
    else:
        draw.line(box, fill=colour, width=20)
    return picture


def draw_disc(number, size=240):
    """A bright disc somewhere on black, as under a microscope."""
    random = np.random.default_rng(number)
    picture = Image.new("L", (size, size), 0)
    radius = int(random.integers(20, 50))
    x, y = (int(value) for value in random.integers(50, size - 50, 2))
    box = (x - radius, y - radius, x + radius, y + radius)
    ImageDraw.Draw(picture).ellipse(box, fill=int(random.integers(150, 255)))
    return picture.convert("RGB")


def describe(pictures, encode, **options):
    facts = [check_picture(encode(p, "jpeg", quality=90, **options), 4, 10**7) for p in pictures]
    columns = ["sha256", "pixel_sha256", "perceptual_hash", "thumbnail"]
    table = pd.DataFrame([{name: getattr(fact, name) for name in columns} for fact in facts])
    table["sha256"] = [str(number) for number in range(len(table))]
    return table.assign(label=[str(number % 4) for number in range(len(table))], group=None)


@pytest.mark.parametrize("draw", [draw_object, draw_disc], ids=["on white", "on black"])
def test_different_things_before_a_plain_background_do_not_look_alike(encode, draw):
    index = describe([draw(number) for number in range(60)], encode)
    links = find_links(index, radius=4)
    assert len(links) <= 4  # of 1,770 pairs; the hash would tie nearly all
    # By the hash of the whole picture most of them would be tied, over all classes.
    assert index["perceptual_hash"].isna().all()


@pytest.mark.parametrize("draw", [draw_object, draw_disc], ids=["on white", "on black"])
@pytest.mark.parametrize("change", ["saved again", "half the size", "darker"])
def test_copies_before_a_plain_background_are_found(encode, draw, change):
    pictures = [draw(number) for number in range(20)]
    changed = {
        "saved again": lambda p: Image.open(io.BytesIO(encode(p, "jpeg", quality=60))),
        "half the size": lambda p: p.resize((120, 120)),
        "darker": lambda p: p.point(lambda level: round(level * 0.93)),
    }[change]
    index = describe([*pictures, *map(changed, pictures)], encode)
    links = find_links(index, radius=4)
    found = set(zip(links["left"], links["right"], strict=True))
    assert {(number, number + 20) for number in range(20)} <= found
    assert find_clusters(index, links).max() + 1 >= 18


def test_many_equal_empty_pages_are_one_cluster_and_few_pairs(encode):
    index = describe([draw_object(4)] * 50, encode)
    links = find_links(index.assign(pixel_sha256=None), radius=4)
    assert len(links) == 49
    assert find_clusters(index, links).max() == 0
