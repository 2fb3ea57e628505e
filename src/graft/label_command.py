"""``kedro label``: what a run has found out, handed to the page on which people label."""

from __future__ import annotations

import getpass
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from kedro.framework.context import KedroContext
from kedro.io import CatalogProtocol

from graft.errors import GraftError
from graft.progress import tell

if TYPE_CHECKING:
    from graft.labelling.journal import Journal
    from graft.labelling.looks import Beside
    from graft.labelling.questions import Question

Catalog = CatalogProtocol[Any, Any]
_NEEDED = ("fastapi", "jinja2", "uvicorn")
# Classes that have a key where there are more than a few.
_KEYS, _FEW = 9, 10
# Pictures beside a doubtful label, and disagreements told in the terminal.
_NEAREST, _TOLD = 6, 10


def label_pictures(
    context: KedroContext, same: str, port: int, name: str | None, *, issues: bool
) -> None:
    """Open the page, until Ctrl-C.

    Args:
        context: Of the project.
        same: Options by which ``kedro run`` is the run that is labelled for, such as `` --env=…``.
        port: To listen on; 0 takes a free one.
        name: Of whoever labels; the name of the account unless given.
        issues: Whether labels that look wrong are asked about, in place of pictures without one.

    Raises:
        GraftError: If there is nothing to label, no list of it yet, or the port is taken.
    """
    if missing := [module for module in _NEEDED if not find_spec(module)]:
        raise GraftError(
            "kedro label needs the extra 'serve'; install it with `pip install -c constraints.txt "
            f"-e '.[train,serve]'`; got no module '{missing[0]}'"
        )
    from graft.labelling.desk import Desk, check_name
    from graft.labelling.doorkeeper import make_token
    from graft.labelling.journal import Journal
    from graft.labelling.looks import Looks
    from graft.labelling.opening import listen, open_page
    from graft.labelling.questions import ask_again
    from graft.labelling.website import create_website
    from graft.sources.label_review import read_label_review
    from graft.sources.labels_by_people import read_as_answers

    name, catalog = check_name(name or getpass.getuser()), context.catalog
    index = _load(catalog, "image_index", f"kedro run --pipelines=ingestion{same}")
    questions = _list_issues(catalog, index, same) if issues else _list_unlabelled(catalog, index)
    filled, answers = catalog["label_review"].review_file, catalog["label_review"].answers_file
    reviews = read_label_review(filled) if filled.is_file() else None
    journal = Journal(answers, read_as_answers(reviews))
    journal.refresh()
    opened = listen(port)
    desk = Desk(
        questions, journal, order_classes(index["label"]), about_labels=issues,
        ask_again=lambda pictures: ask_again(index, pictures),
    )  # fmt: skip
    _tell_answers(journal, "so far")
    source, most = catalog["raw_images"].load(), context.params["ingestion"].max_pixels
    title = "Which labels are right?" if issues else "What is in the pictures?"
    told = not issues and catalog["label_gain"].exists()
    hint = catalog["label_gain"].load()["sentence"] if told else ""
    token = make_token()
    website = create_website(
        desk, Looks(source, index, most), _find_beside(catalog, index), title, hint, name, token
    )
    open_page(website, opened, token)
    journal.refresh()
    _tell_answers(journal, f"in all; `kedro run{same}` takes them")


def order_classes(labels: pd.Series) -> list[str]:
    """Names of classes in their order; of many those that have a key, the most frequent, first.

    Examples:
        >>> order_classes(pd.Series(["dog", "cat", None, "cat"]))
        ['cat', 'dog']
    """
    names = labels.value_counts().index
    if len(names) <= _FEW:
        return sorted(names)
    return [*sorted(names[:_KEYS]), *sorted(names[_KEYS:])]


def _load(catalog: Catalog, name: str, command: str) -> Any:
    if not catalog[name].exists():
        raise GraftError(f"kedro label needs what `{command}` makes; run that first; got no {name}")
    return catalog[name].load()


def _list_unlabelled(catalog: Catalog, index: pd.DataFrame) -> list[Question]:
    """Pictures without a label, told in a line.

    Raises:
        GraftError: If there is none.
    """
    from graft.labelling.questions import ask_for_labels
    from graft.pipelines.unlabelled import select_unlabelled

    pictures = select_unlabelled(index)
    ranked = catalog["label_next"].load() if catalog["label_next"].exists() else None
    questions = ask_for_labels(index, pictures, ranked)
    first = sum(bool(question.reason) for question in questions)
    order = (
        f"{first:,} of them first: by label_next.csv" if first else
        "as the source lists them; `kedro run --pipelines=label_next` puts those first that "
        "teach most"
    )  # fmt: skip
    tell("Asked", f"{len(questions):,} pictures without a label, {order}")
    return questions


def _list_issues(catalog: Catalog, index: pd.DataFrame, same: str) -> list[Question]:
    from graft.labelling.questions import ask_about_labels

    questions = ask_about_labels(index, _load(catalog, "label_issues", f"kedro run{same}"))
    tell("Asked", f"{len(questions):,} labels, the most doubtful first")
    return questions


def _tell_answers(journal: Journal, when: str) -> None:
    """How many there are and where, and what people disagree on."""
    from graft.sources.label_answers import find_standing, is_disputed
    from graft.sources.labels_by_people import describe

    standing = journal.find_standing()
    given = len(find_standing(journal.answers))
    place = os.path.relpath(journal.path) if journal.path.is_relative_to(Path.cwd()) else (
        str(journal.path)
    )  # fmt: skip
    tell("Answers", f"{place}, {given:,} {when}")
    if journal.damaged:
        tell("", f"lines that are cut short or no answers, and ignored: {journal.damaged:,}")
    disputed = {picture: lines for picture, lines in standing.items() if is_disputed(lines)}
    for (image_id, _), lines in list(disputed.items())[:_TOLD]:
        tell("Disagreed", f"'{image_id}': {'; '.join(map(describe, lines))}")
    if len(disputed) > _TOLD:
        tell("", f"and on {len(disputed) - _TOLD:,} more: Disagreements on the page")


def _find_beside(catalog: Catalog, index: pd.DataFrame) -> Beside:
    """What the project has made that may stand beside a picture."""
    from graft.labelling.looks import Beside, make_finder

    heat = {}
    if catalog["explanations"].exists() and catalog["heat_maps"].exists():
        pictures = catalog["explanations"].load()["pictures"]
        maps = catalog["heat_maps"].load()
        if maps.size and len(maps) == len(pictures):
            heat = {
                one["image_id"]: (map_, one["predicted"])
                for one, map_ in zip(pictures, maps, strict=True)
            }
    if not catalog["features"].exists():
        return Beside(lambda _: [], heat)
    return Beside(make_finder(catalog["features"].load(), index, _NEAREST), heat)
