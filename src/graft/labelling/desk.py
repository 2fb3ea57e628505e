"""The work of all who label: what each is asked next, and what their answers come to."""

from __future__ import annotations

import threading
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from graft.analysis.intervals import wilson_interval
from graft.errors import GraftError
from graft.labelling.journal import Journal
from graft.labelling.questions import Question
from graft.sources.file_names import REVIEW_FILE
from graft.sources.label_answers import (
    BROKEN,
    TAKE_BACK,
    WORDS,
    Answer,
    Picture,
    is_disputed,
)
from graft.sources.label_review import DROP, KEEP, RELABEL

# Pictures of a grid.
GRID = 24
# A picture on somebody's screen is nobody else's for so long, in seconds.
_HELD = 120.0
_CONFIDENCE = 0.95
_LONGEST_NAME = 60


class RefusedError(GraftError):
    """Something that was asked for cannot be; the page says why.

    Args:
        reason: One line.
        status: Of HTTP.
    """

    def __init__(self, reason: str, status: int = 422) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Said:
    """What the page sends of one picture: its row, an action and maybe a class."""

    row: int
    action: str
    new_label: str = ""


class Desk:
    """Questions, answers, and who looks at what.

    Args:
        questions: In the order in which they are asked.
        journal: The file of answers.
        class_names: Those that pictures have.
        about_labels: Whether the pictures have labels, which are doubted.
        ask_again: Questions about any pictures of the index, for those that are disputed.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        journal: Journal,
        class_names: Sequence[str],
        *,
        about_labels: bool,
        ask_again: Callable[[list[Picture]], list[Question]],
    ) -> None:
        self.about_labels = about_labels
        self._questions = list(questions)
        self._by_row = {question.row: question for question in questions}
        self._journal, self._class_names, self._ask_again = journal, list(class_names), ask_again
        self._skipped: dict[str, set[int]] = {}
        self._held: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def show(self, name: str, view: str = "one", group: str = "") -> dict[str, Any]:
        """What a person sees.

        Args:
            name: Who it is.
            view: ``one`` picture, a ``grid`` of one suggested class, or all that are ``disputed``.
            group: The class of the grid; the largest unless given.

        Returns:
            ``questions`` (of a grid many, else at most one or those disputed), ``upcoming`` (rows
            that come next), ``groups`` (open pictures of every suggested class), ``classes``,
            ``done``, ``total``, ``disputed`` (how many), ``damaged`` (lines of the file),
            ``estimate`` (a sentence).

        Raises:
            RefusedError: If the name cannot be one.
        """
        name = check_name(name)
        with self._lock:
            self._journal.refresh()
            return self._show(name, view, group)

    def _show(self, name: str, view: str, group: str) -> dict[str, Any]:
        standing = self._journal.find_standing()
        open_ = [one for one in self._questions if one.picture not in standing]
        disputed = [picture for picture, lines in standing.items() if is_disputed(lines)]
        skipped = self._skipped.get(name, set())
        together = [one for one in open_ if one.row not in skipped]
        groups = _count_groups(together)
        upcoming: list[int] = []
        if view == "disputed":
            shown = self._ask_again(disputed)
        elif view == "grid":
            group = group if group in groups else next(iter(groups), "")
            shown = [one for one in together if one.suggestion == group and group][:GRID]
        else:
            queue = self._queue(name, open_)
            shown, upcoming = queue[:1], [one.row for one in queue[1:4]]
            self._hold(name, shown)
        return {
            "questions": [_describe(one, standing.get(one.picture, [])) for one in shown],
            "upcoming": upcoming,
            "group": group,
            "groups": groups,
            "classes": self._list_classes(),
            "done": len(self._questions) - len(open_),
            "total": len(self._questions),
            "disputed": len(disputed),
            "damaged": self._journal.damaged,
            "estimate": self._estimate(),
        }

    def answer(
        self, name: str, said: Sequence[Said], seen: Sequence[str] = (), *, settles: bool = False,
        is_new: bool = False,
    ) -> None:  # fmt: skip
        """Write answers down, all of them or none; they are on the disk when this returns.

        Args:
            name: Who gives them.
            said: The answers.
            seen: Of one that settles: what the page showed of the answers so far.
            settles: Whether it takes the place of those.
            is_new: Whether it is meant that a class is new.

        Raises:
            RefusedError: If one is no answer, or what it settles is not what was seen any more.
            GraftError: If the file cannot be written.
        """
        name, now = check_name(name), tell_time()
        with self._lock:
            asked = self._find_asked([one.row for one in said])
            checked = [self._check(one, asked, is_new) for one in said]

            def choose() -> list[Answer]:
                if settles:
                    self._refuse_unseen(checked[0][0], seen)
                return [
                    Answer(*question.picture, action, label, settles, name, now)
                    for question, action, label in checked
                ]

            self._journal.append(choose)
            self._skipped.get(name, set()).difference_update(one.row for one in said)

    def skip(self, name: str, rows: Sequence[int]) -> None:
        """Ask a person about these pictures after the others; nothing is written."""
        with self._lock:
            self._skipped.setdefault(check_name(name), set()).update(rows)

    def undo(self, name: str) -> list[str]:
        """Take back what a person has said last, of all pictures that were answered together.

        Returns:
            Names of these pictures; none if nothing is left to take back.
        """
        name, now = check_name(name), tell_time()

        def choose() -> list[Answer]:
            last = _find_last(self._journal.answers, name)
            return [
                Answer(*answer.picture, TAKE_BACK, "", False, name, now)
                for answer in reversed(last)
            ]

        with self._lock:
            return [answer.image_id for answer in self._journal.append(choose)]

    def _queue(self, name: str, open_: list[Question]) -> list[Question]:
        """Open questions for a person: without those on other screens, skipped ones last."""
        now = time.monotonic()
        held = {
            row for who, (row, since) in self._held.items() if who != name and now < since + _HELD
        }
        free = [one for one in open_ if one.row not in held] or open_
        skipped = self._skipped.get(name, set())
        queue = [one for one in free if one.row not in skipped]
        if not queue:
            skipped.clear()
        return queue or free

    def _hold(self, name: str, shown: list[Question]) -> None:
        if shown:
            self._held[name] = shown[0].row, time.monotonic()
        else:
            self._held.pop(name, None)

    def _list_classes(self) -> list[str]:
        given = {
            line.new_label for lines in self._journal.find_standing().values() for line in lines
        }
        return [*self._class_names, *sorted(given - {"", *self._class_names})]

    def _find_asked(self, rows: list[int]) -> dict[int, Question]:
        disputed = [
            picture
            for picture, lines in self._journal.find_standing().items()
            if is_disputed(lines)
        ]
        others = {one.row: one for one in self._ask_again(disputed)} if disputed else {}
        found = {**others, **self._by_row}
        if unknown := [row for row in rows if row not in found]:
            raise RefusedError(
                f"nobody was asked about picture {unknown[0]}; load the page again", 409
            )
        if not rows:
            raise RefusedError("an answer is about a picture at least; got none")
        return found

    def _check(
        self, said: Said, asked: dict[int, Question], is_new: bool
    ) -> tuple[Question, str, str]:
        question = asked[said.row]
        label = unicodedata.normalize("NFC", said.new_label).strip()
        if said.action not in WORDS or said.action == TAKE_BACK:
            raise RefusedError(f"an answer is one of {', '.join(WORDS[:-1])}; got '{said.action}'")
        if said.action == KEEP and not question.label:
            raise RefusedError(f"'{question.image_id}' has no label that could be kept")
        if (said.action == RELABEL) != bool(label):
            raise RefusedError(
                f"relabel, and it alone, gives a class; got '{said.action}', '{label}'"
            )
        if any(unicodedata.category(letter).startswith("C") for letter in label):
            raise RefusedError("the name of a class is written in letters that can be seen")
        if label and label not in self._list_classes() and not is_new:
            raise RefusedError(f"no picture has the class '{label}' yet; say that it is new", 409)
        return question, said.action, label

    def _refuse_unseen(self, question: Question, seen: Sequence[str]) -> None:
        standing = self._journal.find_standing().get(question.picture, [])
        if sorted(seen) != sorted(map(_tell, standing)):
            raise RefusedError("somebody has answered this picture meanwhile; look again", 409)

    def _estimate(self) -> str:
        """How often the suggestion, or the label, was right by the answers, as a sentence."""
        standing = self._journal.find_standing()
        right = judged = 0
        for question in self._questions:
            lines = standing.get(question.picture, [])
            expected = question.label if self.about_labels else question.suggestion
            if not expected or not lines or is_disputed(lines) or lines[0].action in (BROKEN, DROP):
                continue
            judged += 1
            right += lines[0].action == KEEP or lines[0].new_label == expected
        if not judged:
            return ""
        low, high = wilson_interval(right, judged, _CONFIDENCE)
        what = "label" if self.about_labels else "suggestion"
        return (
            f"By your answers the {what} is right on {right} of {judged} pictures "
            f"({100 * right / judged:.0f} %, {100 * low:.0f} to {100 * high:.0f})."
        )


def check_name(name: str) -> str:
    """The name of a person, without spaces around.

    Raises:
        RefusedError: If it is empty, too long, not letters alone, or what a filled list goes by.
    """
    name = unicodedata.normalize("NFC", name).strip()
    is_odd = any(unicodedata.category(letter).startswith("C") for letter in name)
    if not 0 < len(name) <= _LONGEST_NAME or is_odd or name == REVIEW_FILE:
        raise RefusedError(f"a name has 1 to {_LONGEST_NAME} letters; got {name[:80]!r}")
    return name


def tell_time() -> str:
    """The time now, as answers have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _count_groups(open_: list[Question]) -> dict[str, int]:
    """Open pictures of every suggested class, the most frequent first."""
    counts: dict[str, int] = {}
    for question in open_:
        if question.suggestion:
            counts[question.suggestion] = counts.get(question.suggestion, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _describe(question: Question, lines: list[Answer]) -> dict[str, Any]:
    return {
        "row": question.row,
        "name": question.image_id,
        "label": question.label,
        "suggestion": question.suggestion,
        "reason": question.reason,
        "answers": [
            {"told": _tell(line), "action": line.action, "new_label": line.new_label}
            for line in lines
        ],
    }


def _tell(answer: Answer) -> str:
    said = answer.new_label or answer.action.replace("_", " ")
    return f"{answer.name}: {said}"


def _find_last(answers: Sequence[Answer], name: str) -> list[Answer]:
    """What a person has said last and not taken back: answers that were given together."""
    left: list[Answer] = []
    for answer in answers:
        if answer.name != name:
            continue
        if answer.action != TAKE_BACK:
            left.append(answer)
            continue
        places = [place for place, one in enumerate(left) if one.picture == answer.picture]
        if places:
            del left[places[-1]]
    return [answer for answer in left if answer.time == left[-1].time]
