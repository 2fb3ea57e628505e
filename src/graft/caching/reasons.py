"""Why an output is stale, in a few words for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from typing import Any

from graft.caching.recipes import Recipe
from graft.images.snapshots import Snapshot, count_changes

WIDTH = 80
_STAGE_WIDTH = 20
NEVER_MADE = "never made"


def compare_recipes(
    old: Recipe, new: Recipe, read_snapshot: Callable[[str], Snapshot | None]
) -> list[str]:
    """What differs between two recipes, the most telling first; nothing if they are the same.

    Args:
        old: As recorded.
        new: Of today.
        read_snapshot: Gives the snapshot of pictures by its digest, if there is one.
    """
    reasons: list[str] = []
    for section in ("parameter", "input", "file", "code", "library", "python", "catalog"):
        before, now = old.get(section, {}), new.get(section, {})
        if not isinstance(before, dict):
            before = {}
        for name in [*now, *(name for name in before if name not in now)]:
            if before.get(name, _ABSENT) != now.get(name, _ABSENT):
                told = _TELL[section](name, before.get(name), now.get(name))
                if section == "input":
                    told = _tell_pictures(before.get(name), now.get(name), read_snapshot) or told
                reasons.append(told)
    return reasons


def format_plan(verdicts: Iterable[tuple[str, list[str]]], everything: bool = False) -> list[str]:
    r"""The plan as lines of at most 80 columns, a stage each; shorter before the first run.

    Args:
        verdicts: Stage, and why something in it is stale.
        everything: Whether all runs regardless.

    Examples:
        >>> print("\n".join(format_plan([("ingestion", []), ("splitting", ["never made"])])))
        Plan
          ingestion           fresh
          splitting           stale  never made
        >>> format_plan([("ingestion", ["never made"]), ("splitting", ["never made"])])
        ['Plan         nothing is made yet: ingestion, splitting']
    """
    verdicts = list(verdicts)
    if len(verdicts) > 1 and all(set(reasons) == {NEVER_MADE} for _, reasons in verdicts):
        stages = ", ".join(stage for stage, _ in verdicts)
        return textwrap.wrap(
            f"Plan         nothing is made yet: {stages}", WIDTH, subsequent_indent=" " * 13
        )
    lines = ["Plan"]
    for stage, reasons in verdicts:
        told = list(dict.fromkeys(reasons))
        head = f"  {stage:<{_STAGE_WIDTH}}" + ("stale  " if told else "fresh")
        if not told:
            lines.append(head + (", made again as asked" if everything else ""))
            continue
        room = WIDTH - len(head)
        more = f", +{len(told) - 1} more" if len(told) > 1 else ""
        line = told[0] + (more if len(told[0] + more) <= room else "")
        lines.append(head + (line if len(line) <= room else f"{line[: room - 1]}…"))
    return lines


_ABSENT = object()


def _tell_parameter(name: str, old: Any, new: Any) -> str:
    return f"parameter {name} {_show(old)} → {_show(new)}"


def _tell_version(name: str, old: Any, new: Any) -> str:
    return f"{name} {old or 'unused'} → {new or 'unused'}"


def _tell_code(name: str, old: Any, new: Any) -> str:
    *_, room, module = ["", *name.split(".")]
    happened = "changed" if old and new else "is used now" if new else "is no longer used"
    _, is_template, template = name.partition(".templates.")
    return f"{f'template {template}' if is_template else f'{module}.py of {room}'} {happened}"


def _tell_change(what: str) -> Callable[[str, Any, Any], str]:
    return lambda name, old, new: f"{what}{name} changed"


_TELL: dict[str, Callable[[str, Any, Any], str]] = {
    "parameter": _tell_parameter,
    "input": _tell_change(""),
    "file": _tell_change("file "),
    "code": _tell_code,
    "library": _tell_version,
    "python": _tell_version,
    "catalog": _tell_change("catalog entry "),
}


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}".replace("e-0", "e-")
    return "null" if value is None else str(value)


def _tell_pictures(
    old: str | None, new: str | None, read_snapshot: Callable[[str], Snapshot | None]
) -> str:
    before, now = (read_snapshot(digest) if digest else None for digest in (old, new))
    if now is None:
        return ""
    if before is None:
        return "other pictures"
    first, _, rest = count_changes(before, now).partition(", ")
    noun = "picture" if first.startswith("1 ") else "pictures"
    return f"{first} {noun}" + (f", {rest}" if rest else "")
