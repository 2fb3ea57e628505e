"""Pictures that lie elsewhere: what fsspec reads, fetched once and again only where it changed.

An archive or a table is fetched as a file, a folder of a cloud as a folder. What was fetched lies
in a cache, by address and by what the server says of the content (its ETag, else when it was
changed and how long it is). From there on the pictures are local: a second run asks the server
whether anything has changed, and reads nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from graft.errors import GraftError
from graft.progress import tell
from graft.sources.file_names import is_litter, leaves_folder, to_path

Result = TypeVar("Result")

_ATTEMPTS, _SECONDS_BETWEEN = 3, 1.0
# The clients of Google and Azure try again themselves, for most of a minute.
_PATIENT = {"gs", "gcs", "az", "abfs", "abfss", "adl"}
# A server that says nothing for so long has gone; a large file may take as long as it takes.
_SECONDS_OF_SILENCE = 60.0
# What servers and clouds say of a content, the surest first.
_TOKENS = ("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "crc32c", "sha256", "oid")
_DATES = ("Last-Modified", "LastModified", "last_modified", "mtime", "updated", "created")
_EXTRAS = {
    "http": "http", "https": "http", "s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs",
    "az": "azure", "abfs": "azure", "abfss": "azure", "adl": "azure", "hf": "hf",
}  # fmt: skip
CACHE = "GRAFT_CACHE"


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path is an address.

    Examples:
        >>> [is_remote(path) for path in ("https://x/a.zip", "s3://x/pets", "pets", "C:/pets")]
        [True, True, False, False]
    """
    return "://" in str(path) and not str(path).startswith("file://")


def hide_secrets(address: str) -> str:
    """An address for a message: without user, password and query, which may be a key.

    Examples:
        >>> hide_secrets("https://me:secret@host/a.zip?sig=secret")
        'https://host/a.zip'
    """
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def fetch(address: str, options: Mapping[str, Any] | None = None) -> Path:
    """A file or folder at an address, as it is now, in the cache.

    Args:
        address: What fsspec takes: ``https://…/pets.zip``, ``s3://bucket/pets``, …
        options: Of fsspec's file system, such as keys.

    Returns:
        Where it lies.

    Raises:
        GraftError: If it cannot be read, without anything secret.
    """
    return _fetch_once(address, json.dumps(dict(options or {}), sort_keys=True, default=str))


def forget_fetched() -> None:
    """Ask the servers again: another run begins."""
    _fetch_once.cache_clear()


@lru_cache(maxsize=64)
def _fetch_once(address: str, options: str) -> Path:
    place = _find_cache() / hashlib.sha256(address.encode()).hexdigest()[:24]
    system, path = _open_system(address, json.loads(options))
    is_folder = urlsplit(address).scheme not in ("http", "https") and _try(
        address, lambda: system.isdir(path)
    )
    place.mkdir(parents=True, exist_ok=True)
    get = _fetch_folder if is_folder else _fetch_file
    return get(address, system, path, place)


def _find_cache() -> Path:
    if CACHE in os.environ:
        return to_path(os.environ[CACHE])
    return to_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "graft"


def _open_system(address: str, options: dict[str, Any]) -> tuple[Any, str]:
    import fsspec

    scheme = urlsplit(address).scheme
    extra = _EXTRAS.get(scheme)
    if scheme in ("http", "https") and "client_kwargs" not in options:
        try:
            from aiohttp import ClientTimeout
        except ImportError as error:
            raise _explain_missing(address, extra) from error
        silence = ClientTimeout(total=None, sock_connect=30, sock_read=_SECONDS_OF_SILENCE)
        options = {**options, "client_kwargs": {"timeout": silence}}
    try:
        system, path = fsspec.core.url_to_fs(address, skip_instance_cache=True, **options)
    except ImportError as error:
        raise _explain_missing(address, extra) from error
    except (ValueError, TypeError) as error:
        known = ", ".join(f"{name}://" for name in ("https", "s3", "gs", "az", "hf"))
        raise GraftError(
            f"no such kind of address, or wrong credentials for it; a source is a path, or {known} "
            f"and what else fsspec takes; got '{hide_secrets(address)}'"
        ) from error
    return system, path


def _explain_missing(address: str, extra: str | None) -> GraftError:
    what = f"the extra {extra} of this project" if extra else "fsspec's package for it"
    return GraftError(
        f"reading from there needs a package that is not installed; install {what}, or fetch the "
        f"pictures yourself; got '{hide_secrets(address)}'"
    )


def _try(address: str, action: Callable[[], Result]) -> Result:
    """Do something on the net, again if the connection broke.

    Raises:
        GraftError: Says what is wrong, without anything secret.
    """
    attempts = 1 if urlsplit(address).scheme in _PATIENT else _ATTEMPTS
    for attempt in range(1, attempts + 1):
        try:
            return action()
        except Exception as error:  # every file system has kinds of errors of its own
            reason, is_final = _explain(error)
            if is_final or attempt == attempts:
                again = "" if is_final or attempt == 1 else f", {attempt} times"
                raise GraftError(
                    f"the pictures cannot be fetched ({reason}{again}); look at the address, and "
                    f"at credentials if it needs any; got '{hide_secrets(address)}'"
                ) from error
            time.sleep(_SECONDS_BETWEEN * attempt)
    raise AssertionError("the last attempt returns or raises")


def _explain(error: BaseException) -> tuple[str, bool]:
    """Why something on the net failed, and whether it is of no use to try again.

    The text of the error itself is not shown: it may hold the address with its keys.
    """
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    for one in chain:
        response = getattr(one, "response", None)
        status = getattr(one, "status", None) or getattr(one, "status_code", None)
        if isinstance(response, Mapping):  # of Amazon's clients
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", status)
        if isinstance(status, int):
            known = {401: "not without credentials, 401", 403: "no permission, 403",
                     404: "there is nothing at this address, 404"}  # fmt: skip
            # A server that is overloaded may have time later.
            is_final = status != 429 and not 500 <= status < 600
            return known.get(status, f"the server answers {status}"), is_final
    for one in chain:
        if isinstance(one, PermissionError) or "NoCredentials" in type(one).__name__:
            return "no permission", True
        if isinstance(one, TimeoutError):
            return "the server does not answer in time", False
        if isinstance(one, _CutShortError):
            return str(one), False
    if isinstance(error, FileNotFoundError) and len(chain) == 1:
        return "there is nothing at this address", True
    return f"the connection fails, {type(chain[-1]).__name__}", False


class _CutShortError(OSError):
    """A file that is shorter than its server said."""


def _fetch_file(address: str, system: Any, path: str, place: Path) -> Path:
    info = _try(address, lambda: system.info(path))
    token = _describe(info)
    name = Path(urlsplit(address).path).name or "source"
    target = place / (hashlib.sha256(token.encode()).hexdigest()[:16] if token else "now") / name
    if token and target.exists():
        tell("Fetched", "before, and not changed since: %s", hide_secrets(address))
        return target
    _try(address, lambda: _download(system, path, target, info.get("size")))
    # Of what the address held before nobody asks again.
    for other in place.iterdir():
        if other != target.parent:
            shutil.rmtree(other, ignore_errors=True)
    tell("Fetched", "%s, %s bytes", hide_secrets(address), f"{target.stat().st_size:,}")
    return target


def _describe(info: Mapping[str, Any]) -> str | None:
    """What tells one content of a file from another; None if nothing does."""
    found = next((str(info[key]) for key in _TOKENS if info.get(key)), None)
    if found is None:
        found = next((f"{info[key]} {info.get('size')}" for key in _DATES if info.get(key)), None)
    return found


def _download(system: Any, path: str, target: Path, size: int | None) -> None:
    """Fetch one file, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft-{os.getpid()}")
    try:
        system.get_file(path, str(draft))
        got = draft.stat().st_size
        if size is not None and got != size:
            raise _CutShortError(f"the connection breaks off after {got:,} of {size:,} bytes")
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _fetch_folder(address: str, system: Any, root: str, place: Path) -> Path:
    """A copy of a folder; what has not changed since the last run is not read again."""
    found = _try(address, lambda: system.find(root, detail=True))
    start = root.rstrip("/") + "/"
    files = {
        path[len(start) :]: info
        for path, info in found.items()
        if path.startswith(start) and info.get("type", "file") == "file"
    }
    files = {name: info for name, info in files.items()
             if name and not is_litter(name) and not leaves_folder(name)}  # fmt: skip
    if not files:
        raise GraftError(
            "there are no files at this address; put pictures there, or name another source; "
            f"got '{hide_secrets(address)}'"
        )
    folder, record = place / "files", place / "fetched.json"
    tokens = {name: _describe(info) for name, info in files.items()}
    try:
        known = json.loads(record.read_text())
    except (OSError, ValueError):
        known = {}
    known = {name: token for name, token in known.items() if (folder / name).is_file()}
    new = [name for name, token in tokens.items() if token is None or known.get(name) != token]
    gone = known.keys() - tokens.keys()
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    # What is being fetched is not known until it is whole.
    kept = {name: token for name, token in known.items() if name not in {*new, *gone}}
    for start_at in range(0, len(new), _AT_ONCE):
        part = new[start_at : start_at + _AT_ONCE]
        _try(address, partial(_download_all, system, start, folder, part, files))
        kept |= {name: tokens[name] for name in part}
        _write_record(record, kept)
    _write_record(record, kept)
    tell("Fetched", "%s: %s files, %s as before", hide_secrets(address),
                f"{len(new):,}", f"{len(files) - len(new):,}")  # fmt: skip
    return folder


# Files that are asked for in parallel, and lost if the run is killed meanwhile.
_AT_ONCE = 256


def _download_all(
    system: Any, start: str, folder: Path, names: list[str], files: Mapping[str, Mapping[str, Any]]
) -> None:
    places = [folder / name for name in names]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
    system.get([start + name for name in names], [str(place) for place in places])
    for name, place in zip(names, places, strict=True):
        size = files[name].get("size")
        if size is not None and place.stat().st_size != size:
            raise _CutShortError(f"{name!r} is cut short")


def _write_record(record: Path, tokens: Mapping[str, str | None]) -> None:
    draft = record.with_name(f".{record.name}.draft-{os.getpid()}")
    draft.write_text(json.dumps(tokens, indent=0))
    os.replace(draft, record)
