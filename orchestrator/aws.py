"""AWS by boto3: sessions, clients, and what its errors mean.

Errors leave this module as boto3 raises them: only who asked knows the words for people.
"""

from __future__ import annotations

import os
import ssl
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boto3 import Session
    from botocore.config import Config

_CONNECT_S = 10
_ATTEMPTS = 5
CONNECTIONS = 32
"""How many requests a client sends at once."""


class Trouble(Enum):
    """What is wrong, as far as that does not depend on the service."""

    NO_CREDENTIALS = "no credentials"
    NO_PROFILE = "no such profile"
    UNKNOWN_CREDENTIALS = "unknown credentials"
    EXPIRED = "expired credentials"
    DENIED = "denied"
    CLOCK = "wrong clock"
    BUSY = "busy"
    UNTRUSTED = "untrusted certificate"
    OUT_OF_REACH = "out of reach"
    OTHER = "other"


_KINDS = {
    Trouble.NO_CREDENTIALS: {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "TokenRetrievalError",
        "SSOError",
        "SSOTokenLoadError",
        "UnauthorizedSSOTokenError",
        "MetadataRetrievalError",
    },
    Trouble.NO_PROFILE: {"ProfileNotFound"},
    Trouble.UNTRUSTED: {"SSLError"},
    Trouble.OUT_OF_REACH: {
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ConnectionClosedError",
        "ConnectionError",
        "ProxyConnectionError",
        "HTTPClientError",
        "IncompleteReadError",
        "ResponseStreamingError",
    },
}
_CODES = {
    Trouble.DENIED: {
        "AccessDenied",
        "AccessDeniedException",
        "403",
        "Forbidden",
        "AllAccessDisabled",
    },
    Trouble.UNKNOWN_CREDENTIALS: {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidToken",
        "InvalidSecurity",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "IncompleteSignature",
        "UnrecognizedClientException",
    },
    Trouble.EXPIRED: {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"},
    Trouble.CLOCK: {"RequestTimeTooSkewed", "RequestExpired"},
    Trouble.BUSY: {
        "SlowDown",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "InternalError",
        "ServerException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "500",
        "502",
        "503",
    },
}


def trouble_of(error: Exception) -> Trouble:
    """Tell what an error of boto3 is about."""
    if code := code_of(error):
        return _first(_CODES, code)
    return _first(_KINDS, type(error).__name__)


def code_of(error: Any) -> str:
    """Return the code of an answer that is an error; nothing of another error."""
    answer = getattr(error, "response", None)  # other errors may have one, of another kind
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


def errors() -> tuple[type[Exception], ...]:
    """Return what sessions and clients raise."""
    from boto3.exceptions import Boto3Error  # noqa: PLC0415 - slow to import, like the next
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    return (BotoCoreError, Boto3Error, ClientError)


def open_session(profile: str = "") -> Session:
    """Return a session whose settings and credentials are looked for as boto3 does.

    A profile that the environment names goes before `profile`.
    """
    import boto3  # noqa: PLC0415 - slow to import

    is_named = any(os.environ.get(name) for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"))
    return boto3.Session(profile_name=None if is_named else profile or None)


def assume_role(session: Session, role: str, region: str, endpoint_url: str) -> Session:
    """Return a session with the rights of a role, renewed by STS whenever they run out."""
    import boto3  # noqa: PLC0415 - slow to import
    from botocore import credentials  # noqa: PLC0415
    from botocore.session import get_session  # noqa: PLC0415

    sts = open_client(session, "sts", region, endpoint_url)

    def assume() -> dict[str, str]:
        given = sts.assume_role(RoleArn=role, RoleSessionName="orch")["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    inner = get_session()
    inner._credentials = credentials.RefreshableCredentials.create_from_metadata(  # type: ignore[attr-defined]  # noqa: SLF001 - it has no other door
        metadata=assume(), refresh_using=assume, method="sts-assume-role"
    )
    return boto3.Session(botocore_session=inner)


def open_client(
    session: Session, service: str, region: str, endpoint_url: str, config: Config | None = None
) -> Any:
    """Return a client that tries again, and trusts what every other download trusts."""
    from botocore.config import Config  # noqa: PLC0415 - slow to import

    own = Config(
        connect_timeout=_CONNECT_S,
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        user_agent_extra="orch",
    )
    return session.client(  # type: ignore[call-overload]  # the service is no literal here
        service,
        region_name=region or None,
        endpoint_url=endpoint_url or None,
        verify=certificates(session),
        config=own.merge(config) if config else own,
    )


def certificates(session: Session) -> str | None:
    """Return the file of trusted certificates: as for every other download, the system's."""
    if session._session.get_config_variable("ca_bundle"):  # noqa: SLF001 - it has no other door
        return None
    return ssl.get_default_verify_paths().cafile


def _first(known: dict[Trouble, set[str]], name: str) -> Trouble:
    return next((trouble for trouble, names in known.items() if name in names), Trouble.OTHER)
