"""What boto3 raises, said for people: what is wrong and what to do.

Nothing of an answer is repeated but its code: messages of stores may hold what was signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.aws import Trouble, code_of, trouble_of
from orchestrator.levels import LevelError, RefusedFileError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_MISSING = {"NoSuchKey", "NotFound", "404", "InvalidRange", "416"}
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
_SIGN_IN = (
    "give credentials as the AWS tools take them (AWS_PROFILE, AWS_ACCESS_KEY_ID, a role of "
    "this machine), or set anonymous = true under [wheelhouse] if everybody may read the bucket"
)
_PROBLEMS = {
    Trouble.NO_CREDENTIALS: ("{level}: there are no AWS credentials here", _SIGN_IN),
    Trouble.NO_PROFILE: (
        "{level}: there is no such AWS profile",
        "set AWS_PROFILE to one that aws configure list-profiles shows",
    ),
    Trouble.UNTRUSTED: (
        "{level}: the certificate of its endpoint is not trusted",
        "name the certificates to trust in SSL_CERT_FILE or AWS_CA_BUNDLE",
    ),
    Trouble.OUT_OF_REACH: (
        "{level} is out of reach ({kind})",
        "try again when the network is there, or correct endpoint-url under [wheelhouse]",
    ),
    Trouble.UNKNOWN_CREDENTIALS: ("{level} does not know these credentials ({code})", _SIGN_IN),
    Trouble.EXPIRED: ("{level}: the credentials have expired", "sign in again"),
    Trouble.CLOCK: ("{level}: this machine's clock is wrong", "set the clock"),
    Trouble.BUSY: ("{level} is busy ({code})", "try again later"),
}
"""What is wrong, and the hint."""


def is_missing(error: ClientError) -> bool:
    """Tell whether an answer only says that an object, or the rest of it, is not there."""
    return code_of(error) in _MISSING


def explain(error: Exception, level: str, action: str) -> LevelError:
    """Return the error for a person; `action` is the permission that was used."""
    trouble, code, kind = trouble_of(error), code_of(error), type(error).__name__
    if trouble is Trouble.DENIED:
        return _denied(level, action)
    if known := _PROBLEMS.get(trouble):
        message, hint = known
        return LevelError(message.format(level=level, code=code, kind=kind), hint=hint)
    if not code:
        return LevelError(
            f"{level} cannot be used ({kind})",
            hint="shared, endpoint-url and region under [wheelhouse] say where it is: correct them",
        )
    if code == "NoSuchBucket":
        return LevelError(
            f"{level}: there is no such bucket",
            hint="create it, or correct shared or endpoint-url under [wheelhouse]",
        )
    if code in _ELSEWHERE:
        return LevelError(f"{level} is in another region", hint=_region_hint(error))
    hint = "let the bucket's policy allow it, and kms-key under [wheelhouse] name an enabled key"
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
