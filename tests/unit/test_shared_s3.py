"""What S3 and its kin answer: broken transfers go on, errors are said for people."""

from __future__ import annotations

import hashlib
import io
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore import exceptions

from orchestrator.levels import LevelError, RefusedFileError
from orchestrator.wheelhouse.shared_s3_errors import explain
from tests.buckets import (
    KEY_ID,
    SECRET,
    TOKEN,
    Answer,
    Bucket,
    ScriptedS3,
    forget_credentials,
    use_credentials,
)

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    use_credentials(monkeypatch)


def fetched(*answers: Answer) -> tuple[bytes | None, list[str]]:
    """Fetch from an S3 that answers so; return what came and the ranges that were asked for."""
    into = io.BytesIO()
    with ScriptedS3(*answers).running() as server:
        is_there = Bucket(server.endpoint, "wheels").level().fetch(SHA256, into)
    return into.getvalue() if is_there else None, server.ranges


def failing(answer: Answer, use: str = "fetch") -> LevelError:
    """Return the error when an S3 answers so."""
    with ScriptedS3(answer).running() as server:
        level = Bucket(server.endpoint, "wheels").level()
        uses: dict[str, Callable[[], object]] = {
            "fetch": lambda: level.fetch(SHA256, io.BytesIO()),
            "sizes": lambda: level.sizes([SHA256]),
            "put": lambda: level.put(SHA256, Path(__file__), "x.whl"),
        }
        with pytest.raises(LevelError) as raised:
            uses[use]()
    return raised.value


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped() -> None:
    first, rest = Answer(body=CONTENT, cut=HALF), Answer(206, body=CONTENT[HALF:])
    assert fetched(first, rest) == (CONTENT, ["", f"bytes={HALF}-"])


def test_a_transfer_that_breaks_off_again_and_again_is_given_up() -> None:
    error = failing(Answer(body=CONTENT, cut=0))
    assert error.message.startswith("s3://wheels/team/wheels is out of reach")


def test_an_object_that_is_not_there_is_no_error() -> None:
    assert fetched(Answer(404, "NoSuchKey")) == (None, [""])


@pytest.mark.parametrize(
    ("answer", "use", "message", "hint"),
    [
        (Answer(404, "NoSuchBucket"), "fetch", "there is no such bucket", "correct shared"),
        (Answer(404, "NoSuchBucket"), "put", "there is no such bucket", "create it"),
        (Answer(403, "AccessDenied"), "fetch", "does not allow s3:GetObject", "s3:ListBucket"),
        (Answer(403, "AccessDenied"), "sizes", "does not allow s3:GetObject", "s3:ListBucket"),
        (Answer(403, "AccessDenied"), "put", "does not allow s3:PutObject", "kms:GenerateDataKey"),
        (Answer(403, "InvalidAccessKeyId"), "fetch", "does not know these cred", "AWS_PROFILE"),
        (Answer(403, "SignatureDoesNotMatch"), "put", "does not know these cred", "AWS_PROFILE"),
        (Answer(400, "ExpiredToken"), "fetch", "the credentials have expired", "sign in again"),
        (Answer(403, "RequestTimeTooSkewed"), "fetch", "machine's clock is wrong", "the clock"),
        (Answer(503, "SlowDown"), "fetch", "is busy (SlowDown)", "try again later"),
        (Answer(400, "KMS.DisabledException"), "put", "refuses s3:PutObject", "kms-key"),
        (Answer(400, "IllegalLocationConstraintException"), "put", "another region", "region"),
    ],
    ids=lambda value: f"{value.code}" if isinstance(value, Answer) else "",
)
def test_an_answer_is_said_for_people(answer: Answer, use: str, message: str, hint: str) -> None:
    error = failing(answer, use)
    assert error.message.startswith("s3://wheels/team/wheels")
    assert message in error.message
    assert hint in error.hint
    assert not any(secret in f"{error} {error.hint}" for secret in (KEY_ID, SECRET, TOKEN))


def test_a_refusal_of_one_file_is_none_of_the_level() -> None:
    assert isinstance(failing(Answer(403, "AccessDenied")), RefusedFileError)
    assert not isinstance(failing(Answer(404, "NoSuchBucket")), RefusedFileError)


def test_the_hint_names_the_region_of_the_bucket() -> None:
    error = failing(Answer(301, "PermanentRedirect", region="eu-west-3"))
    assert 'region = "eu-west-3"' in error.hint


def test_without_credentials_the_error_says_how_to_give_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forget_credentials(monkeypatch)
    error = failing(Answer(body=CONTENT))
    assert "there are no AWS credentials here" in error.message
    assert "AWS_PROFILE" in error.hint
    assert "anonymous = true" in error.hint


def test_a_profile_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "no such AWS profile" in failing(Answer()).message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (exceptions.ConnectTimeoutError(endpoint_url="x", error="x"), "out of reach"),
        (exceptions.ReadTimeoutError(endpoint_url="x", error="x"), "out of reach"),
        (exceptions.ProxyConnectionError(proxy_url="http://me:SECRET@proxy"), "out of reach"),
        (exceptions.ConnectionClosedError(endpoint_url="x", error="x"), "out of reach"),
        (exceptions.SSLError(endpoint_url="x", error=OSError()), "is not trusted"),
        (exceptions.SSOTokenLoadError(error_msg="x"), "no AWS credentials here"),
        (exceptions.ParamValidationError(report="x"), "cannot be used"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_a_fault_on_the_way_is_said_for_people(error: Exception, message: str) -> None:
    said = explain(error, "s3://wheels", "s3:GetObject")
    assert said.message.startswith("s3://wheels")
    assert message in said.message
    assert said.hint
    assert "SECRET" not in f"{said} {said.hint}"


def test_anonymous_reading_sends_no_credentials() -> None:
    into = io.BytesIO()
    with ScriptedS3(Answer(body=CONTENT)).running() as server:
        level = Bucket(server.endpoint, "wheels").level(anonymous=True)
        assert level.fetch(SHA256, into)
        Bucket(server.endpoint, "wheels").level().sizes([SHA256])
    assert into.getvalue() == CONTENT
    assert [bool(signature) for signature in server.signatures] == [False, True]


def test_a_server_that_does_not_answer_is_out_of_reach() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        level = Bucket(f"http://127.0.0.1:{unused.getsockname()[1]}", "wheels").level()
        with pytest.raises(LevelError, match="is out of reach") as raised:
            level.fetch(SHA256, io.BytesIO())
    assert "endpoint-url" in raised.value.hint
