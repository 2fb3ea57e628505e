"""Configuration that is resolved once a process, however often it is asked for.

Kedro's loader reads all files of ``conf/`` and fills in their values each time that somebody asks
for the catalog or for the parameters. A command asks six times and more, through up to three
loaders, and waited a second for it before anything began.
"""

from __future__ import annotations

import copy
import re
from collections import OrderedDict
from typing import Any

from kedro.config import OmegaConfigLoader

from graft.fingerprints import hash_parts

# Credentials are not kept: they follow the variables of the environment.
_KEPT = {"catalog", "globals", "parameters"}
_ROOM = 32
_TYPED = re.compile(rb"runtime_params:\s*(\w+)")
_known: OrderedDict[str, dict[str, Any]] = OrderedDict()


class KnownConfigLoader(OmegaConfigLoader):
    """Kedro's loader, which fills in the same files with the same values once a process.

    Known is what all files of the two environments hold, never a time. To Kedro,
    ``${globals:…}`` means what it meant to the loader that was made last; here it means to each
    loader what its own files say.
    """

    def __getitem__(self, key: str) -> dict[str, Any]:
        """As Kedro's; the caller may change what is handed out."""
        # What a person's own resolvers answer may be another thing each time.
        if key not in _KEPT or key in self or self._custom_resolvers or self._fs.async_impl:
            return super().__getitem__(key)
        known = self._identify(key)
        if known not in _known:
            self._register_globals_resolver()
            _known[known] = super().__getitem__(key)
        _known.move_to_end(known)
        while len(_known) > _ROOM:
            _known.popitem(last=False)
        return copy.deepcopy(_known[known])

    def _identify(self, key: str) -> str:
        """Digest of all that an answer is made of."""
        environments = dict.fromkeys([self.base_env, self.env or self.default_run_env])
        texts: list[str | bytes] = []
        for environment in environments:
            folder = self._get_conf_env_path(environment)
            texts.append(f"{environment} {self._fs.isdir(folder)}")
            for place in sorted(self._fs.find(folder)):
                with self._fs.open(place) as file:
                    texts += [place.rpartition(f"{environment}/")[2], file.read()]
        typed = self.runtime_params or {}
        if key != "parameters":  # what was typed is merged into the parameters, and only named here
            text = b"".join(part for part in texts if isinstance(part, bytes))
            named = {name.decode() for name in _TYPED.findall(text)}
            if len(_TYPED.findall(text)) == text.count(b"runtime_params:"):
                typed = {name: value for name, value in typed.items() if name in named}
        values = getattr(self, "_globals", None)
        settings = (self.config_patterns, self.merge_strategy, self.ignore_hidden)
        return hash_parts(
            type(self).__qualname__, key, repr(typed), repr(values), repr(settings),
            self.restrict_runtime_params_type_selection, *texts,
        )  # fmt: skip
