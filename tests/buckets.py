"""Buckets for tests: one on moto's server, and an S3 that answers as it is told."""

from __future__ import annotations

import http.server
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from orchestrator.model import SharedPlace, WheelhouseSettings
from orchestrator.wheelhouse.shared_s3 import S3Level
from tests.servers import serving

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY_ID, SECRET, TOKEN = "AKIATESTKEYID0000001", "secret/That+NobodyMaySee", "session//Token+Hidden"


def use_credentials(monkeypatch: pytest.MonkeyPatch, *, secret: str = SECRET) -> None:
    """Let boto3 find these credentials and no settings of this machine."""
    forget_credentials(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)


def forget_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide all credentials and settings for AWS that this machine may have."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@dataclass(frozen=True)
class Bucket:
    """A bucket of a server that speaks S3."""

    endpoint: str
    name: str

    @classmethod
    def made(cls, endpoint: str) -> Bucket:
        """Create an empty bucket."""
        bucket = cls(endpoint, f"wheels-{uuid.uuid4().hex[:12]}")
        bucket.client().create_bucket(Bucket=bucket.name)
        return bucket

    def client(self) -> S3Client:
        """Return a client of the server, with credentials of its own."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="tester",
            aws_secret_access_key="tester",
        )

    def level(self, prefix: str = "team/wheels", **settings: Any) -> S3Level:
        """Return the level that is in the bucket."""
        place = SharedPlace.parse(f"s3://{self.name}/{prefix}")
        return S3Level(place, WheelhouseSettings(endpoint_url=self.endpoint, **settings))

    def keys(self) -> list[str]:
        """Return the keys of all objects."""
        listed = self.client().list_objects_v2(Bucket=self.name)
        return [item["Key"] for item in listed.get("Contents", [])]


@dataclass
class Answer:
    """An answer of S3: an error if `code` is given; `cut` sends that many bytes and hangs up."""

    status: int = 200
    code: str = ""
    body: bytes = b""
    cut: int | None = None
    region: str = ""


class ScriptedS3:
    """Gives one answer after the other, the last one for ever.

    `ranges` and `signatures` have what was sent.
    """

    def __init__(self, *answers: Answer) -> None:
        self.ranges: list[str] = []
        left = list(answers)
        self.signatures: list[str] = []
        ranges, signatures = self.ranges, self.signatures

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ranges.append(self.headers.get("Range", ""))
                signatures.append(self.headers.get("Authorization", ""))
                answer = left.pop(0) if len(left) > 1 else left[0]
                body = answer.body
                if answer.code:
                    message = f"<Message>{SECRET}</Message>"
                    body = f"<Error><Code>{answer.code}</Code>{message}</Error>".encode()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(body)))
                if answer.region:
                    self.send_header("x-amz-bucket-region", answer.region)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body[: answer.cut])

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def running(self) -> Iterator[ScriptedS3]:
        """Serve until the block ends."""
        with serving(self.server):
            yield self
