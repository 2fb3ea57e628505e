"""Names in files of configuration stay as they were typed: ``no``, ``007`` and ``1.10`` too.

YAML takes them for a truth value and for numbers, and what was typed is lost before any stage can
ask for it. So the values of keys that hold names are quoted before YAML is read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from graft.known_configuration import KnownConfigLoader

# What holds names of classes, files, folders, columns and data sets, wherever it stands.
TEXT_KEYS = frozenset(
    {
        "class_names", "crop_columns", "dataset", "exclude_classes", "exclude_files",
        "file_column", "group_column", "include_classes", "include_files", "label_column",
        "label_columns", "other", "positive_class", "size_columns", "source", "source_column",
        "split", "split_column", "target_source", "weight_column",
    }
)  # fmt: skip
# Those whose value may be a mapping to names; a mapping under ``dataset`` is Kedro's own, of a data
# set within another.
_MAPPED = {"class_names"}
_PRESENT = re.compile(rf"\b({'|'.join(sorted(TEXT_KEYS))})\b")
# The quick one, where PyYAML was built with it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = "tag:yaml.org,2002:null"


class TextKeepingConfigLoader(KnownConfigLoader):
    """Kedro's loader, to which the values of :data:`TEXT_KEYS` are text."""

    def _read_dir_configs(self, *arguments: Any, **options: Any) -> dict[Path, Any]:
        found: dict[Path, Any] = super()._read_dir_configs(*arguments, **options)
        for path in found:
            with self._fs.open(path.as_posix()) as file:
                text = file.read().decode("utf8")
            if (quoted := quote_texts(text)) != text:
                found[path] = OmegaConf.load(io.StringIO(quoted))
        return found


def quote_texts(text: str) -> str:
    """A YAML document in which every plain value of :data:`TEXT_KEYS`, save null, is quoted.

    What stands in a list that is such a value is quoted too, and in a mapping of class names.

    Examples:
        >>> quote_texts("class_names: {0: no, 1: yes}  # old, new")
        "class_names: {0: 'no', 1: 'yes'}  # old, new"
    """
    if not _PRESENT.search(text):
        return text
    try:
        document = yaml.compose(text, _Loader)
    except yaml.YAMLError:  # Kedro has said where, or will
        return text
    spans = {
        (node.start_mark.index, node.end_mark.index, node.value)
        for node in _find_names(document)
        # A tag or an anchor before a value belongs to it: who writes one means it.
        if not node.style and node.tag != _NULL and text[node.start_mark.index] not in "!&"
    }
    for start, end, value in sorted(spans, reverse=True):
        quoted = value.replace("'", "''")
        text = f"{text[:start]}'{quoted}'{text[end:]}"
    return text


def _find_names(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    """The scalars that are names, from the top of a document down."""
    for value in node.value if isinstance(node, yaml.SequenceNode) else ():
        yield from _find_names(value)
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value in TEXT_KEYS:
            parts = _list_parts(value, is_mapped=key.value in _MAPPED)
            yield from (part for part in parts if isinstance(part, yaml.ScalarNode))
        yield from _find_names(value)


def _list_parts(node: yaml.Node, *, is_mapped: bool) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode) and is_mapped:
        return [value for _, value in node.value]
    return [node]
