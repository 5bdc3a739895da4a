# SPDX-License-Identifier: Apache-2.0
"""Where chunks of recordings lie: a folder of this machine, or any S3-compatible store. They are encrypted already."""

import contextlib
import io
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, parse_qs, urlsplit

from portineria.control.settings.start import current
from portineria.core.errors import NotFound, Unavailable
from portineria.process.settings import BadSettings
from portineria.recording.chunk import CHUNK_BYTES

if TYPE_CHECKING:
    from minio import Minio

TIMEOUT_S = 30.0
_NAME = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)*\.chunk")


class StoreAway(Unavailable):
    code = "recording.store"


class NoChunk(NotFound):
    code = "recording.chunk"


class RecordingStore(Protocol):
    """``put`` of the same name again writes the same bytes. All raise StoreAway; ``get`` NoChunk too."""

    def put(self, name: str, data: bytes) -> None: ...
    def get(self, name: str) -> bytes: ...
    def delete(self, name: str) -> None: ...


def store() -> RecordingStore:
    """As the settings say. Raise BadSettings."""
    settings = current()
    return store_at(settings.recordings, settings.state / "recordings")


@lru_cache(maxsize=4)
def store_at(text: str, folder: Path) -> RecordingStore:
    if not text:
        return DirectoryStore(folder)
    if text.startswith("/"):
        return DirectoryStore(Path(text))
    return s3_store(text)


def _checked(name: str) -> str:
    """Names are made of ids of ours; what is not must never become a path."""
    if not _NAME.fullmatch(name):
        raise NoChunk(f"no chunk is called {name[:100]!r}")
    return name


class DirectoryStore:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, data: bytes) -> None:
        """On the disk when this returns."""
        path = self._folder / _checked(name)
        new = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            for folder in (path.parent, *path.parent.parents):  # each may have been made just now
                _sync(folder)
                if folder == self._folder:
                    break
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise StoreAway(f"{path}: {error.strerror}") from error

    def get(self, name: str) -> bytes:
        try:
            with (self._folder / _checked(name)).open("rb") as file:
                return file.read(CHUNK_BYTES + 1)
        except FileNotFoundError as error:
            raise NoChunk(f"{name} is not there") from error
        except OSError as error:
            raise StoreAway(f"{name}: {error.strerror}") from error

    def delete(self, name: str) -> None:
        try:
            (self._folder / _checked(name)).unlink(missing_ok=True)
        except OSError as error:
            raise StoreAway(f"{name}: {error.strerror}") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class S3Store:
    """Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as for every program that speaks S3."""

    def __init__(self, client: "Minio", bucket: str, prefix: str) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def _path(self, name: str) -> str:
        return f"{self._prefix}{_checked(name)}"

    def put(self, name: str, data: bytes) -> None:
        with _away(name):
            self._client.put_object(self._bucket, self._path(name), io.BytesIO(data), len(data))

    def get(self, name: str) -> bytes:
        with _away(name):
            answer = self._client.get_object(self._bucket, self._path(name))
            try:
                return bytes(answer.read(CHUNK_BYTES + 1))
            finally:
                answer.close()

    def delete(self, name: str) -> None:
        with _away(name):
            self._client.remove_object(self._bucket, self._path(name))


@contextlib.contextmanager
def _away(name: str) -> Iterator[None]:
    from minio.error import MinioException, S3Error
    from urllib3.exceptions import HTTPError

    try:
        yield
    except S3Error as error:
        if error.code == "NoSuchKey":
            raise NoChunk(f"{name} is not there") from error
        raise StoreAway(f"{name}: {error.code}") from error
    except (MinioException, HTTPError, OSError) as error:
        raise StoreAway(f"{name}: {error}") from error


def s3_store(text: str) -> S3Store:
    """``s3://BUCKET[/PREFIX]?endpoint=https://HOST[:PORT][&region=…]``. Raise BadSettings."""
    endpoint, bucket, prefix, region = read_s3(text)
    try:
        from minio import Minio
        from minio.credentials.providers import EnvAWSProvider
        from urllib3 import PoolManager, Retry, Timeout
    except ImportError as error:
        raise BadSettings("recordings in an S3 store need more of Portineria: pip install 'portineria[s3]'") from error
    pool = PoolManager(timeout=Timeout(connect=5, read=TIMEOUT_S), retries=Retry(total=1))
    client = Minio(
        endpoint.netloc, secure=endpoint.scheme == "https", region=region, credentials=EnvAWSProvider(),
        http_client=pool,
    )  # fmt: skip
    return S3Store(client, bucket, f"{prefix}/" if prefix else "")


def read_s3(text: str) -> tuple[SplitResult, str, str, str]:
    """(endpoint, bucket, prefix, region); raise BadSettings."""
    parts = urlsplit(text)
    given = parse_qs(parts.query)
    endpoint = urlsplit(given.get("endpoint", [""])[0])
    if parts.scheme != "s3" or not parts.netloc or endpoint.scheme not in ("http", "https") or not endpoint.netloc:
        raise BadSettings(
            f"recordings: {text!r} is neither a folder from / nor s3://BUCKET/PREFIX?endpoint=https://HOST"
        )
    return endpoint, parts.netloc, parts.path.strip("/"), given.get("region", ["us-east-1"])[0]
