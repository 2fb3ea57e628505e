"""Pictures that lie elsewhere: fetched once, again where they changed, errors without secrets."""

from __future__ import annotations

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest
from PIL import Image

from graft.datasets import ClassFoldersDataset
from graft.errors import GraftError
from graft.sources import remote
from graft.sources.remote import fetch, forget_fetched


class Server(ThreadingHTTPServer):
    """Serves some bytes at every path, counts who asks, and misbehaves on request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.asked = b"", []
        self.status, self.breaks, self.pause, self.has_tag = 200, 0, 0.0, True

    @property
    def address(self):
        return f"http://me:secret@127.0.0.1:{self.server_address[1]}/pets.zip?sig=secret"


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self._answer(is_head=True)

    def do_GET(self):
        self._answer(is_head=False)

    def _answer(self, is_head):
        server = self.server
        server.asked.append("HEAD" if is_head else "GET")
        time.sleep(server.pause)
        self.send_response(server.status)
        if server.status != 200:
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_header("Content-Length", str(len(server.content)))
        self.send_header("Content-Type", "application/zip")
        if server.has_tag:
            self.send_header("ETag", f'"{hashlib.sha256(server.content).hexdigest()}"')
        self.end_headers()
        if is_head:
            return
        if server.breaks:
            server.breaks -= 1
            self.wfile.write(server.content[: len(server.content) // 2])
            self.wfile.flush()
            self.connection.close()
            return
        self.wfile.write(server.content)

    def log_message(self, *_):
        pass


def pack(colours, count=3):
    """A zip of class folders, each of pictures of one colour."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, colour in colours.items():
            for number in range(count):
                picture = io.BytesIO()
                Image.new("RGB", (32, 32), (*colour, number)).save(picture, "png")
                archive.writestr(f"pets/{name}/{number}.png", picture.getvalue())
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(remote.CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "_SECONDS_BETWEEN", 0.01)
    forget_fetched()
    yield tmp_path / "cache"
    forget_fetched()


@pytest.fixture
def server():
    server = Server()
    server.content = pack({"cat": (200, 0), "dog": (0, 200)})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_an_archive_at_an_address_is_read_like_one_beside_it(server, get_facts):
    dataset = ClassFoldersDataset(filepath=server.address)
    source = dataset.load()
    assert {*get_facts(source).values()} == {"cat", "dog"}
    assert source.read("pets/cat/1.png")[:4] == b"\x89PNG"
    assert [name for name, _ in dataset.walk()] == ["0/pets.zip"]
    assert server.asked.count("GET") == 1


def test_a_second_run_asks_and_reads_nothing(server):
    first = fetch(server.address)
    server.asked.clear()
    forget_fetched()
    assert fetch(server.address) == first
    assert server.asked == ["HEAD"]


def test_what_has_changed_is_read_again_and_the_old_is_gone(server, cache):
    first = fetch(server.address)
    server.content = pack({"owl": (9, 9)})
    forget_fetched()
    second = fetch(server.address)
    assert second.read_bytes() == server.content
    assert not first.exists()
    assert len([path for path in cache.rglob("*") if path.is_file()]) == 1


def test_of_a_server_that_says_nothing_of_the_content_it_is_read_each_time(server):
    server.has_tag = False
    fetch(server.address)
    server.content = pack({"owl": (9, 9)})
    forget_fetched()
    assert fetch(server.address).read_bytes() == server.content


def test_a_connection_that_breaks_is_tried_again(server):
    server.breaks = 2
    assert fetch(server.address).read_bytes() == server.content


def refuse(address, message):
    with pytest.raises(GraftError, match=message) as error:
        fetch(address)
    assert len(str(error.value).splitlines()) == 1
    assert "secret" not in str(error.value)
    assert str(error.value).endswith("/pets.zip'")


def test_one_that_breaks_each_time_is_told_and_leaves_nothing(server, cache):
    server.breaks = 99
    refuse(server.address, r"3 times\); look at the address")
    assert [path for path in cache.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("status", "told"),
    [(404, "nothing at this address, 404"), (403, "no permission, 403"), (401, "credentials, 401"),
     (503, "the server answers 503, 3 times")],
)  # fmt: skip
def test_what_the_server_refuses_is_told_in_one_line(server, status, told):
    server.status = status
    refuse(server.address, told)


def test_a_slow_server_is_waited_for_and_a_silent_one_is_not(server, monkeypatch):
    server.pause = 0.3
    assert fetch(server.address).exists()
    forget_fetched()
    monkeypatch.setattr(remote, "_SECONDS_OF_SILENCE", 0.1)
    refuse(server.address, "does not answer in time, 3 times")


def test_nobody_there_is_told_in_one_line(server):
    address = server.address
    server.shutdown()
    server.server_close()
    refuse(address, r"the connection fails, \w+, 3 times")


def test_an_unknown_kind_of_address_and_a_missing_package_say_what_to_do(monkeypatch):
    refuse("nonsense://host/pets.zip", "no such kind of address")

    def fail(*_, **__):
        raise ImportError("Please install s3fs")

    monkeypatch.setattr(fsspec.core, "url_to_fs", fail)
    for kind, extra in [("s3", "s3"), ("gs", "gcs"), ("az", "azure"), ("hf", "hf")]:
        refuse(f"{kind}://bucket/pets.zip", f"install the extra {extra} of this project")


@pytest.mark.parametrize(
    ("kind", "asked"), [("https", 3), ("s3", 3), ("hf", 3), ("gs", 1), ("az", 1), ("abfs", 1)]
)
def test_a_client_that_tries_again_itself_is_asked_once(kind, asked, monkeypatch):
    class Gone:
        count = 0

        def isdir(self, path):
            return False

        def info(self, path):
            self.count += 1
            raise ConnectionResetError

    system = Gone()
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda address, **_: (system, address))
    refuse(f"{kind}://bucket/pets.zip", "the connection fails, ConnectionResetError")
    assert system.count == asked


@pytest.fixture
def bucket():
    system = fsspec.filesystem("memory")
    for name, content in [("cat/1.png", b"1"), ("dog/1.png", b"2"), (".hidden/x.png", b"")]:
        system.pipe_file(f"/pets/{name}", content)
    yield system
    system.rm("/pets", recursive=True)


def test_a_folder_of_a_cloud_is_fetched_once_and_then_what_changed(bucket, get_facts, monkeypatch):
    dataset = ClassFoldersDataset(filepath="memory://pets")
    assert get_facts(dataset.load()) == {"cat/1.png": "cat", "dog/1.png": "dog"}
    read = []
    real = type(bucket).get_file
    monkeypatch.setattr(
        type(bucket), "get_file",
        lambda self, path, *a, **k: (read.append(path), real(self, path, *a, **k))[1],
    )  # fmt: skip
    monkeypatch.setattr(
        type(bucket), "get",
        lambda self, paths, places, **k: [self.get_file(*one) for one in zip(paths, places)],  # noqa: B905
    )  # fmt: skip
    bucket.pipe_file("/pets/dog/2.png", b"3")
    bucket.rm("/pets/cat/1.png")
    forget_fetched()
    source = dataset.load()
    assert get_facts(source) == {"dog/1.png": "dog", "dog/2.png": "dog"}
    assert source.read("dog/2.png") == b"3"
    assert [path.rpartition("/")[2] for path in read if path.endswith("dog/2.png")] == ["2.png"]
    assert not [path for path in read if path.endswith("dog/1.png")]


def test_an_empty_folder_of_a_cloud_is_refused(bucket):
    bucket.mkdir("/pets/empty")
    with pytest.raises(GraftError, match="there are no files at this address"):
        fetch("memory://pets/empty")


def test_a_run_over_an_address_ends_in_splits_and_the_next_has_nothing_to_do(
    server, project: Path, run_kedro: Callable
) -> None:
    server.content = pack({"cat": (200, 0), "dog": (0, 200)}, count=12)
    arguments = ("--env=own_pictures", "--pipelines=ingestion,splitting", "--params")
    outcome = run_kedro(*arguments, f"source={server.address}")
    assert outcome.code == 0, outcome.err
    assert "24 pictures in 2 classes (12 each)" in outcome.out
    assert "secret" not in outcome.out
    server.asked.clear()
    outcome = run_kedro(*arguments, f"source={server.address}")
    assert "nothing to do" in outcome.out
    assert "GET" not in server.asked
