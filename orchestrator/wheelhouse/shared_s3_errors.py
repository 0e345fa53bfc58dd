"""What boto3 raises, said for people: what is wrong and what to do.

Nothing of an answer is repeated but its code: messages of stores may hold what was signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.levels import LevelError, RefusedFileError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_MISSING = {"NoSuchKey", "NotFound", "404", "InvalidRange", "416"}
_DENIED = {"AccessDenied", "403", "Forbidden", "AllAccessDisabled"}
_ELSEWHERE = {
    "PermanentRedirect",
    "TemporaryRedirect",
    "301",
    "307",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "BadRequest",
    "400",
}
_NO_CREDENTIALS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "TokenRetrievalError",
    "SSOError",
    "SSOTokenLoadError",
    "UnauthorizedSSOTokenError",
    "MetadataRetrievalError",
}
_OUT_OF_REACH = {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ConnectionError",
    "ProxyConnectionError",
    "HTTPClientError",
    "IncompleteReadError",
    "ResponseStreamingError",
}
_SIGN_IN = (
    "give credentials as the AWS tools take them (AWS_PROFILE, AWS_ACCESS_KEY_ID, a role of "
    "this machine), or set anonymous = true under [wheelhouse] if everybody may read the bucket"
)
_ANSWERS: tuple[tuple[frozenset[str], str, str], ...] = (
    (
        frozenset({"NoSuchBucket"}),
        "{level}: there is no such bucket",
        "check its name and endpoint-url under [wheelhouse], or create it",
    ),
    (
        frozenset(
            {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity"}
        ),
        "{level} does not know these credentials ({code})",
        _SIGN_IN,
    ),
    (
        frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}),
        "{level}: the credentials have expired",
        "sign in again",
    ),
    (
        frozenset({"RequestTimeTooSkewed", "RequestExpired"}),
        "{level}: this machine's clock is wrong",
        "set the clock",
    ),
    (
        frozenset({"SlowDown", "ServiceUnavailable", "InternalError", "500", "502", "503"}),
        "{level} is busy ({code})",
        "try again later",
    ),
)
"""What codes of answers mean: what is wrong, and the hint."""


def is_missing(error: ClientError) -> bool:
    """Tell whether an answer only says that an object, or the rest of it, is not there."""
    return _code(error) in _MISSING


def explain(error: Exception, level: str, action: str) -> LevelError:
    """Return the error for a person; `action` is the permission that was used."""
    # Errors of connections have one too, which is None.
    if getattr(error, "response", None) is not None:
        return _explain_answer(error, level, action)
    kind = type(error).__name__
    if kind in _NO_CREDENTIALS:
        return LevelError(f"{level}: there are no AWS credentials here", hint=_SIGN_IN)
    if kind == "ProfileNotFound":
        return LevelError(f"{level}: there is no such AWS profile", hint="check AWS_PROFILE")
    if kind == "SSLError":
        return LevelError(
            f"{level}: the certificate of its endpoint is not trusted",
            hint="name the certificates to trust in SSL_CERT_FILE or AWS_CA_BUNDLE",
        )
    if kind in _OUT_OF_REACH:
        return LevelError(
            f"{level} is out of reach ({kind})",
            hint="check the network, and endpoint-url and region under [wheelhouse]",
        )
    return LevelError(
        f"{level} cannot be used ({kind})",
        hint="check the bucket's name, and endpoint-url and region under [wheelhouse]",
    )


def _explain_answer(error: Any, level: str, action: str) -> LevelError:
    code = _code(error)
    if code in _DENIED:
        return _denied(level, action)
    if code in _ELSEWHERE:
        return LevelError(f"{level} is in another region", hint=_region_hint(error))
    for codes, message, hint in _ANSWERS:
        if code in codes:
            return LevelError(message.format(level=level, code=code), hint=hint)
    hint = "check the bucket's policy, and kms-key under [wheelhouse]"
    return LevelError(f"{level} refuses {action} ({code})", hint=hint)


def _denied(level: str, action: str) -> LevelError:
    """Say which permission lacks; reading, S3 also says so of an object that is not there."""
    if action == "s3:GetObject":
        return RefusedFileError(
            f"{level} does not allow s3:GetObject",
            hint="allow it on the objects, and s3:ListBucket on the bucket: without that S3 "
            "refuses what is not there too",
        )
    return LevelError(
        f"{level} does not allow {action}",
        hint=f"allow {action} on the objects, and kms:GenerateDataKey where it has a KMS key",
    )


def _region_hint(error: Any) -> str:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = headers.get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region")
    if region:
        return f'set region = "{region}" under [wheelhouse], or AWS_REGION'
    return "set region and endpoint-url under [wheelhouse], or AWS_REGION"


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
