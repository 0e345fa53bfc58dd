"""A shared level that is an S3 bucket, or a bucket of a store that speaks S3."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from orchestrator.aws import CONNECTIONS, open_client, open_session
from orchestrator.levels import Sink
from orchestrator.model import SharedPlace, WheelhouseSettings
from orchestrator.wheelhouse.shared_s3_errors import explain, is_missing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

_CHUNK = 1 << 20
_ATTEMPTS = 4


class S3Level:
    """Objects `PREFIX/sha256/ab/SHA256`, each with its file's name in its metadata.

    Credentials, region and endpoint are found as boto3 finds them, where the settings do not
    say; boto3 is imported, and they are looked for, when the level is first used.
    """

    is_local = False

    def __init__(self, place: SharedPlace, settings: WheelhouseSettings) -> None:
        self.name = place.text
        self._bucket = place.bucket
        self._prefix = f"{place.prefix}/" if place.prefix else ""
        self._settings = settings
        self._client: S3Client | None = None
        self._lock = threading.Lock()

    def key(self, sha256: str) -> str:
        """Return an object's key."""
        return f"{self._prefix}sha256/{sha256[:2]}/{sha256}"

    def fetch(self, sha256: str, into: Sink) -> bool:
        """Write an object piece by piece; a broken transfer goes on where it stopped."""
        offset = 0
        with self._explained("s3:GetObject"):
            for attempt in range(_ATTEMPTS):
                answer = self._get(sha256, offset)
                if answer is None:
                    return offset > 0
                try:
                    for data in answer["Body"].iter_chunks(_CHUNK):
                        into.write(data)
                        offset += len(data)
                except _broken_streams():
                    if attempt + 1 == _ATTEMPTS:
                        raise
                else:
                    return True
        return False

    def sizes(self, sha256s: Collection[str]) -> dict[str, int]:
        """Ask for each object's size: what the level holds beside them may be without end."""
        if not sha256s:
            return {}
        with self._explained("s3:GetObject"), ThreadPoolExecutor(CONNECTIONS) as pool:
            found = zip(sha256s, pool.map(self._size, sha256s), strict=True)
            return {sha256: size for sha256, size in found if size is not None}

    def put(self, sha256: str, file: Path, name: str) -> None:
        """Upload a file, in parts where it is large; the object appears when it is complete."""
        from boto3.s3 import transfer  # noqa: PLC0415 - slow to import

        with self._explained("s3:PutObject"):
            client, limits = self._s3(), transfer.TransferConfig(max_concurrency=4)
            with transfer.create_transfer_manager(client, limits) as manager:
                how = self._how_to_put(client, name)
                manager.upload(str(file), self._bucket, self.key(sha256), how).result()

    def _get(self, sha256: str, offset: int) -> GetObjectOutputTypeDef | None:
        """Begin to read an object; None where it is not there, or has no more bytes."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

        where: dict[str, Any] = {"Bucket": self._bucket, "Key": self.key(sha256)}
        if offset:
            where["Range"] = f"bytes={offset}-"
        try:
            return self._s3().get_object(**where)
        except ClientError as error:
            if is_missing(error):
                return None
            raise

    def _size(self, sha256: str) -> int | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

        try:
            return self._s3().head_object(Bucket=self._bucket, Key=self.key(sha256))[
                "ContentLength"
            ]
        except ClientError as error:
            if is_missing(error):
                return None
            raise

    def _how_to_put(self, client: S3Client, name: str) -> dict[str, Any]:
        """Return what goes with an upload; the checksum only where it is sure to be known."""
        how: dict[str, Any] = {
            "Metadata": {"file": quote(name)},
            "ContentType": "application/octet-stream",
        }
        if (urlsplit(client.meta.endpoint_url).hostname or "").endswith(_AWS):
            how["ChecksumAlgorithm"] = "SHA256"
        if self._settings.sse:
            how["ServerSideEncryption"] = self._settings.sse
        if self._settings.kms_key:
            how["SSEKMSKeyId"] = self._settings.kms_key
        return how

    def _s3(self) -> S3Client:
        with self._lock:
            if self._client is None:
                self._client = _connect(self._settings)
            return self._client

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        """Turn what boto3 raises into errors for people.

        Raises:
            LevelError: In place of boto3's own error.
        """
        from boto3.exceptions import Boto3Error  # noqa: PLC0415 - slow to import, like the next
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        try:
            yield
        except (BotoCoreError, Boto3Error, ClientError, HTTPError) as error:
            raise explain(error, self.name, action) from None


_AWS = (".amazonaws.com", ".amazonaws.com.cn")


def _connect(settings: WheelhouseSettings) -> S3Client:
    """Return a client for S3; how buckets are addressed is left to boto3 and its own files.

    What is fetched is checked by sha256 here, so that stores are not asked for checksums that
    many of them do not know.
    """
    from botocore import UNSIGNED  # noqa: PLC0415 - slow to import
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    if settings.anonymous:
        config = config.merge(Config(signature_version=UNSIGNED))
    session = open_session()
    client: S3Client = open_client(session, "s3", settings.region, settings.endpoint_url, config)
    return client


def _broken_streams() -> tuple[type[Exception], ...]:
    from botocore import exceptions  # noqa: PLC0415 - slow to import

    return (
        exceptions.IncompleteReadError,
        exceptions.ReadTimeoutError,
        exceptions.ResponseStreamingError,
    )
