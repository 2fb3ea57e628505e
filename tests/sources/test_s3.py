"""Pictures in a bucket: fetched once, again where they changed, errors without secrets.

Against moto's server, which answers as Amazon's S3 does.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from PIL import Image

from graft.datasets import ClassFoldersDataset
from graft.errors import GraftError
from graft.sources import remote
from graft.sources.remote import fetch, forget_fetched

needed = "needs s3fs and moto, which the extra test brings"
boto3 = pytest.importorskip("boto3", reason=needed)
pytest.importorskip("s3fs", reason=needed)
moto_server = pytest.importorskip("moto.server", reason=needed)

BUCKET = "animals"
KEY, SECRET = "AKIAOFTHETESTS", "secret-of-the-tests"


class Bucket:
    """A bucket on a server of its own, which counts what is read and misbehaves on request."""

    def __init__(self) -> None:
        self._server = moto_server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.address = f"http://{host}:{port}"
        self.read: list[str] = []
        self.breaks = 0
        self._answer = self._server._server.app
        self._server._server.app = self
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
        self.client = boto3.client("s3", region_name="us-east-1", endpoint_url=self.address, **keys)
        self.client.create_bucket(Bucket=BUCKET)

    def __call__(self, environment, start_response):
        """Answer a request; of a body that is to break only the first half is sent."""
        is_read = environment["REQUEST_METHOD"] == "GET" and environment["PATH_INFO"].count("/") > 1
        if not is_read:
            return self._answer(environment, start_response)
        self.read.append(environment["PATH_INFO"].removeprefix(f"/{BUCKET}/"))
        body = b"".join(self._answer(environment, start_response))
        if self.breaks:
            self.breaks -= 1
            return [body[: len(body) // 2]]
        return [body]

    @property
    def credentials(self) -> dict[str, object]:
        """As they would stand in ``credentials.yml``."""
        return {"key": KEY, "secret": SECRET, "client_kwargs": {"endpoint_url": self.address}}

    def put(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=name, Body=content)

    def empty(self) -> None:
        for found in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            self.client.delete_object(Bucket=BUCKET, Key=found["Key"])
        self.read, self.breaks = [], 0

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    bucket = Bucket()
    yield bucket
    bucket.stop()


@pytest.fixture
def bucket(server: Bucket, tmp_path: Path, monkeypatch) -> Iterator[Bucket]:
    monkeypatch.setenv(remote.CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "_SECONDS_BETWEEN", 0.01)
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        server.put(f"pets/{name}", name.encode())
    server.read.clear()
    forget_fetched()
    yield server
    server.empty()
    forget_fetched()


def fetch_again(bucket: Bucket, path: str = "pets") -> Path:
    """As another run does."""
    forget_fetched()
    bucket.read.clear()
    return fetch(f"s3://{BUCKET}/{path}", bucket.credentials)


def test_a_folder_of_a_bucket_is_read_like_one_beside_it(bucket: Bucket, get_facts) -> None:
    dataset = ClassFoldersDataset(filepath=f"s3://{BUCKET}/pets", credentials=bucket.credentials)
    source = dataset.load()
    assert get_facts(source) == {"cat/1.png": "cat", "cat/2.png": "cat", "dog/1.png": "dog"}
    assert source.read("cat/2.png") == b"cat/2.png"


def test_a_second_run_reads_nothing(bucket: Bucket) -> None:
    first = fetch_again(bucket)
    assert sorted(bucket.read) == ["pets/cat/1.png", "pets/cat/2.png", "pets/dog/1.png"]
    assert fetch_again(bucket) == first
    assert bucket.read == []


def test_what_has_changed_is_read_and_nothing_else(bucket: Bucket) -> None:
    fetch_again(bucket)
    bucket.put("pets/cat/1.png", b"another")
    bucket.put("pets/dog/2.png", b"new")
    bucket.client.delete_object(Bucket=BUCKET, Key="pets/dog/1.png")
    folder = fetch_again(bucket)
    assert sorted(bucket.read) == ["pets/cat/1.png", "pets/dog/2.png"]
    assert (folder / "cat/1.png").read_bytes() == b"another"
    assert not (folder / "dog/1.png").exists()


def test_an_archive_in_a_bucket_is_fetched_as_a_file(bucket: Bucket, get_facts) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("owl/1.png", b"1")
        archive.writestr("emu/1.png", b"2")
    bucket.put("birds.zip", buffer.getvalue())
    place = f"s3://{BUCKET}/birds.zip"
    dataset = ClassFoldersDataset(filepath=place, credentials=bucket.credentials)
    assert get_facts(dataset.load()) == {"owl/1.png": "owl", "emu/1.png": "emu"}


@pytest.mark.parametrize("path", ["pets", "pets/cat/1.png"], ids=["a folder", "a file"])
def test_a_connection_that_breaks_is_tried_again(bucket: Bucket, path: str) -> None:
    bucket.put("pets/cat/1.png", b"x" * 100_000)
    bucket.breaks = 1
    found = fetch_again(bucket, path)
    assert (found / "cat/1.png" if found.is_dir() else found).stat().st_size == 100_000


def refuse(bucket: Bucket, address: str, message: str, **others: object) -> None:
    with pytest.raises(GraftError, match=message) as error:
        fetch(address, bucket.credentials | others)
    assert len(str(error.value).splitlines()) == 1
    assert SECRET not in str(error.value)
    assert KEY not in str(error.value)
    assert str(error.value).endswith(f"got '{address}'")


@pytest.mark.parametrize("address", [f"s3://{BUCKET}/pests", "s3://no-such-bucket/pets"])
def test_nothing_at_an_address_is_told_in_one_line(bucket: Bucket, address: str) -> None:
    refuse(bucket, address, "there is nothing at this address")


@pytest.mark.parametrize("path", ["pets", "pets/cat/1.png"], ids=["a folder", "a file"])
def test_keys_that_are_not_known_are_told_in_one_line(bucket: Bucket, path: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)
        refuse(bucket, f"s3://{BUCKET}/{path}", "no permission")


def test_a_server_that_is_not_there_is_told_in_one_line(bucket: Bucket) -> None:
    nowhere = {"endpoint_url": "http://127.0.0.1:9"}
    quick = {"retries": {"max_attempts": 0}, "connect_timeout": 1}
    refuse(
        bucket, f"s3://{BUCKET}/pets", r"the connection fails, \w+, 3 times",
        client_kwargs=nowhere, config_kwargs=quick,
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_takes_its_keys_from_credentials_yml(
    bucket: Bucket, project: Path, run_kedro: Callable
) -> None:
    for label, colour in [("cat", (200, 0)), ("dog", (0, 200))]:
        for number in range(12):
            picture = io.BytesIO()
            Image.new("RGB", (32, 32), (*colour, number)).save(picture, "png")
            bucket.put(f"photographs/{label}/{number}.png", picture.getvalue())
    folder = project / "conf/own_pictures"
    entry = yaml.safe_load((folder / "catalog_ingestion.yml").read_text())
    entry["raw_images"]["credentials"] = "mine"
    (folder / "catalog_ingestion.yml").write_text(yaml.safe_dump(entry))
    (folder / "credentials.yml").write_text(json.dumps({"mine": bucket.credentials}))
    arguments = ("--env=own_pictures", "--pipelines=ingestion,splitting", "--params")
    outcome = run_kedro(*arguments, f"source=s3://{BUCKET}/photographs")
    assert outcome.code == 0, outcome.err
    assert "24 pictures in 2 classes (12 each)" in outcome.out
    assert SECRET not in outcome.out + outcome.err
    bucket.read.clear()
    assert "nothing to do" in run_kedro(*arguments, f"source=s3://{BUCKET}/photographs").out
    assert bucket.read == []
