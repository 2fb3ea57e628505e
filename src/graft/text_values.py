"""How files of configuration are read here: names stay as typed, and nothing is read twice.

``no``, ``007`` and ``1.10`` are a truth value and numbers to YAML, and what was typed is lost
before any stage can ask for it. So the values of keys that hold names are quoted before YAML is
read.

Kedro's loader reads all files of ``conf/`` and fills in their values each time that somebody asks
for the catalog or for the parameters. A command asks six times and more, through up to three
loaders, and waited a second for it before anything began. So what was made of the same files and
the same values is known for the rest of the process.
"""

from __future__ import annotations

import copy
import io
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from omegaconf import DictConfig, OmegaConf

from graft.fingerprints import hash_parts

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


# Credentials are not kept: they follow the variables of the environment.
_KEPT = {"catalog", "globals", "parameters"}
_ROOM = 64
_TYPED = re.compile(rb"runtime_params:\s*(\w+)")
_known: OrderedDict[str, Any] = OrderedDict()

_Files = dict[Path, DictConfig]


def recall(digest: str, make: Callable[[], Any]) -> Any:
    """What was made of the same before; whoever asks may change what is handed out.

    Args:
        digest: Of all that it is made of.
        make: Makes it, the first time.
    """
    if digest not in _known:
        _known[digest] = make()
    _known.move_to_end(digest)
    while len(_known) > _ROOM:
        _known.popitem(last=False)
    return copy.deepcopy(_known[digest])


class KnownConfigLoader(OmegaConfigLoader):
    """Kedro's loader, which fills in the same files with the same values once a process.

    Known is what all files of the two environments hold, never a time. To Kedro,
    ``${globals:…}`` means what it meant to the loader that was made last; here it means to each
    loader what its own files say.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        # What a person's own resolvers answer may be another thing each time.
        if key not in _KEPT or key in self or self._custom_resolvers or self._fs.async_impl:
            return super().__getitem__(key)
        values = getattr(self, "_globals", None)
        digest = hash_parts(
            "values", key, self._digest_files(), repr(values), self._name_typed(key)
        )
        found: dict[str, Any] = recall(digest, lambda: self._resolve(key))
        return found

    def _resolve(self, key: str) -> dict[str, Any]:
        self._register_globals_resolver()
        return super().__getitem__(key)

    def _read_raw_config(self, key: str) -> tuple[_Files, _Files, str, str, set[Path]]:
        read = super()._read_raw_config
        if key not in _KEPT or self._fs.async_impl:
            return read(key)
        # The same text may lie in another folder.
        base, own, _, _, paths = recall(
            hash_parts("files", key, self._digest_files()), lambda: read(key)
        )
        places = (self._get_conf_env_path(name) for name in self._list_environments())
        return base, own, *places, paths

    def _list_environments(self) -> tuple[str, str]:
        return self.base_env, self.env or self.default_run_env

    def _digest_files(self) -> str:
        """Digest of all files of both environments, and of how they are read."""
        texts = self._read_texts()
        settings = (self.config_patterns, self.merge_strategy, self.ignore_hidden,
                    self.restrict_runtime_params_type_selection)  # fmt: skip
        return hash_parts(
            type(self).__qualname__, repr(settings), *(part for pair in texts for part in pair)
        )

    def _read_texts(self) -> list[tuple[str, bytes]]:
        """Name and content of every file, and before them whether there is such a folder."""
        texts = []
        for environment in dict.fromkeys(self._list_environments()):
            folder = self._get_conf_env_path(environment)
            texts.append((environment, str(self._fs.isdir(folder)).encode()))
            for place in sorted(self._fs.find(folder)):
                with self._fs.open(place) as file:
                    texts.append((place.rpartition(f"{environment}/")[2], file.read()))
        return texts

    def _name_typed(self, key: str) -> str:
        """What was typed, as far as it counts: into the parameters all of it is merged."""
        typed = self.runtime_params or {}
        if key != "parameters":
            text = b"".join(content for _, content in self._read_texts())
            named = [name.decode() for name in _TYPED.findall(text)]
            if len(named) == text.count(b"runtime_params:"):  # no name that is filled in itself
                typed = {name: value for name, value in typed.items() if name in named}
        return repr(typed)


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
