"""Dealing units of several sizes out to splits, so that each gets its share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from graft.errors import GraftError

NOT_PLACED = -1


def deal_units(
    units: pd.DataFrame, shares: Mapping[Any, float], salt: str, fill_all: bool
) -> pd.Series:
    """Give every unit a split, class by class.

    Within a class the units come in the order of a salted hash of their key, which does not
    depend on the order or the names of the files; each goes to the split that lacks most
    pictures. Units that have a split already keep it.

    Args:
        units: A row a unit: ``label``, ``size`` (pictures), ``key`` (text) and ``former``, the
            split that it has already, or missing.
        shares: Share of each split, by its name or number; they sum to 1.
        salt: Another salt makes another order.
        fill_all: Whether every split must get a unit of every class.

    Returns:
        Split of every row of ``units``.

    Raises:
        GraftError: If a class has fewer units than there are splits to fill.
    """
    names = np.array(list(shares))
    wanted = np.array(list(shares.values()))
    order = pd.Series([_hash(salt, key) for key in units["key"]], index=units.index)
    codes = pd.Index(names).get_indexer(units["former"]).astype(np.int64)
    places = pd.Series(codes, index=units.index)
    carried = np.zeros(len(shares))
    for label, members in order.sort_values().groupby(units["label"], sort=True):
        rows = members.index
        sizes = units.loc[rows, "size"].to_numpy()
        if fill_all and len(rows) < len(shares):
            _refuse_small_class(str(label), int(sizes.sum()), len(rows), names)
        # What rounding took from a split in one class, the next class gives back.
        goals = carried + wanted * sizes.sum()
        placed = fill_splits(sizes, places.loc[rows].to_numpy(), goals, fill_all)
        places.loc[rows] = placed
        got = np.bincount(placed, weights=sizes, minlength=len(shares))
        carried = np.clip(goals - got, -1, 1)
    return pd.Series(names[places], index=units.index)


def fill_splits(
    sizes: np.ndarray, places: np.ndarray, goals: np.ndarray, fill_all: bool
) -> np.ndarray:
    """Put units one by one where most is lacking, then even out what large units unbalanced.

    Args:
        sizes: Pictures in each unit, int (m,), in the order in which they are dealt out.
        places: Split number of units that have one already, else ``NOT_PLACED``, int (m,).
        goals: Pictures that each split should get, float (s,).
        fill_all: Whether no split may stay empty; then s ≤ m.

    Returns:
        Split number of every unit, int (m,). With units of one picture, none placed before,
        every split gets its goal to within one picture, if no goal is below one.
    """
    splits = range(len(goals))
    lacking, units_in = goals.tolist(), [0] * len(goals)
    placed = places.tolist()
    for unit, split in enumerate(placed):
        if split != NOT_PLACED:
            lacking[split] -= sizes[unit]
            units_in[split] += 1
    free = [unit for unit, split in enumerate(placed) if split == NOT_PLACED]
    for remaining, unit in zip(range(len(free), 0, -1), free, strict=True):
        empty = [split for split in splits if not units_in[split]] if fill_all else []
        candidates = empty if empty and remaining <= len(empty) else splits
        split = max(candidates, key=lacking.__getitem__)
        lacking[split] -= sizes[unit]
        units_in[split] += 1
        placed[unit] = split
    return even_out(sizes, np.array(placed), goals, np.array(free, dtype=np.int64))


def even_out(
    sizes: np.ndarray, placed: np.ndarray, goals: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """Move single units from the fullest to the emptiest split while that brings both nearer.

    Args:
        sizes: Pictures in each unit, int (m,).
        placed: Split number of every unit, int (m,).
        goals: Pictures that each split should get, float (s,).
        free: Numbers of the units that may be moved.

    Returns:
        Split number of every unit, int (m,). No split loses its last unit.
    """
    placed = placed.copy()
    lacking = goals - np.bincount(placed, weights=sizes, minlength=len(goals))
    while True:
        source, target = int(lacking.argmin()), int(lacking.argmax())
        gap = lacking[target] - lacking[source]
        units = free[placed[free] == source]
        units = units[sizes[units] < gap - 1e-9]
        if not len(units) or (placed == source).sum() == 1:
            return placed
        unit = units[np.abs(sizes[units] - gap / 2).argmin()]
        placed[unit] = target
        lacking[source] += sizes[unit]
        lacking[target] -= sizes[unit]


def _hash(salt: str, key: str) -> str:
    return hashlib.sha256(f"{salt}:{key}".encode()).hexdigest()


def _refuse_small_class(label: str, pictures: int, units: int, names: np.ndarray) -> None:
    raise GraftError(
        f"class '{label}' is too small to split: of its {pictures} usable pictures, {units} are "
        f"neither copies nor of one group; every class needs {len(names)}, one each for "
        f"{', '.join(names)}; add pictures or leave the class out"
    )
