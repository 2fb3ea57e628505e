"""A page of ``kedro label`` over a few small pictures, without a project."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import uvicorn
from fastapi import FastAPI

from graft.labelling.desk import Desk
from graft.labelling.journal import Journal
from graft.labelling.looks import Beside, Looks
from graft.labelling.questions import ask_about_labels, ask_again, ask_for_labels
from graft.labelling.website import create_website
from graft.sources.source import ImageSource, Record, make_records
from helpers.pictures import encode, hash_files

TOKEN = "only-we-know"


def make_source(count: int, labelled: int) -> ImageSource:
    """Pictures of one grey each; the first ones have labels, ``cat`` and ``犬`` in turn."""
    greys = {
        f"{number}.png": encode(np.full((80, 90, 3), 5 * number, np.uint8))
        for number in range(count)
    }
    names = ["cat", "犬"]
    rows = [
        Record(name, names[number % 2] if number < labelled else None)
        for number, name in enumerate(greys)
    ]
    return ImageSource(make_records(rows), greys.__getitem__)


def make_index(source: ImageSource) -> pd.DataFrame:
    return source.records.assign(
        sha256=hash_files(source), status="ok", value_range=pd.Series(dtype="str"),
        cluster=range(len(source.records)),
    )  # fmt: skip


def rank(index: pd.DataFrame, suggestions: dict[str, str]) -> pd.DataFrame:
    """``label_next`` of some pictures with their suggestions, in this order."""
    sha256 = index.set_index("image_id")["sha256"]
    return pd.DataFrame(
        {
            "rank": range(1, len(suggestions) + 1),
            "image_id": [*suggestions],
            "image_sha256": [sha256[name] for name in suggestions],
            "new_label": [*suggestions.values()],
            "reason": "doubtful",
        }
    )


def doubt(index: pd.DataFrame, suggestions: dict[str, str]) -> pd.DataFrame:
    """``label_issues`` of some pictures with their suggestions, in this order."""
    labels = index.set_index("image_id")["label"]
    ranked = rank(index, suggestions).drop(columns="reason")
    return ranked.assign(label=ranked["image_id"].map(labels), doubt=0.75)


def make_page(
    path: Path,
    *,
    count: int = 12,
    labelled: int = 4,
    suggestions: dict[str, str] | None = None,
    issues: dict[str, str] | None = None,
    beside: Beside | None = None,
    hint: str = "",
) -> FastAPI:
    """The application over ``count`` pictures, whose answers go to ``path``."""
    source = make_source(count, labelled)
    index = make_index(source)
    if issues is None:
        unlabelled = index[index["label"].isna()]
        questions = ask_for_labels(index, unlabelled, rank(index, suggestions or {}))
    else:
        questions = ask_about_labels(index, doubt(index, issues))
    desk = Desk(
        questions, Journal(path), sorted(index["label"].dropna().unique()),
        about_labels=issues is not None, ask_again=lambda pictures: ask_again(index, pictures),
    )  # fmt: skip
    looks = Looks(source, index, 10_000)
    beside = beside or Beside(lambda _: [], {})
    return create_website(desk, looks, beside, "What is in the pictures?", hint, "Ada", TOKEN)


@contextlib.contextmanager
def serve_page(path: Path, **options: Any) -> Iterator[str]:
    """The address of a page, in a thread of this process, until the block ends."""
    server = uvicorn.Server(uvicorn.Config(make_page(path, **options), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/{TOKEN}/"
    finally:
        server.should_exit = True
        thread.join()
