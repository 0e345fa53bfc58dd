"""What boto3 raises of ECR, said for people: what is wrong and what to do."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.aws import Trouble, code_of, trouble_of
from orchestrator.publish.ecr.api import EcrError, NotAllowedError

_DENIED = re.compile(r"User: (?P<user>arn:\S+) is not authorized to perform: (?P<action>[\w:]+)")
_SIGN_IN = (
    "give credentials as the AWS tools take them: AWS_PROFILE, AWS_ACCESS_KEY_ID, a role of this "
    "machine, or profile under [ecr]"
)
_PROBLEMS = {
    Trouble.NO_CREDENTIALS: ("there are no AWS credentials here", _SIGN_IN),
    Trouble.NO_PROFILE: (
        "there is no such AWS profile",
        "set AWS_PROFILE, or profile under [ecr], to one that aws configure list-profiles shows",
    ),
    Trouble.UNTRUSTED: (
        "the certificate of its endpoint is not trusted",
        "name the certificates to trust in SSL_CERT_FILE or AWS_CA_BUNDLE",
    ),
    Trouble.OUT_OF_REACH: (
        "out of reach ({kind})",
        "try again when the network is there, or correct region and endpoint-url under [ecr]",
    ),
    Trouble.UNKNOWN_CREDENTIALS: ("AWS does not know these credentials ({code})", _SIGN_IN),
    Trouble.EXPIRED: ("the AWS credentials have expired", "sign in again"),
    Trouble.CLOCK: ("this machine's clock is wrong", "set the clock"),
    Trouble.BUSY: ("busy ({code})", "try again later"),
}
_WAYS_OUT = {
    "ecr:CreateRepository": "allow the action; or create the repository by hand, which "
    "create-repositories = false under [ecr] says",
    "ecr:TagResource": "allow the action, or take tags out of [ecr]",
    "ecr:PutLifecyclePolicy": "allow the action, or set keep-builds = 0 under [ecr]",
    "ecr:DescribeImageScanFindings": 'allow the action, or set severity = "none" under [ecr]',
    "ecr:StartImageScan": "allow the action, or let the repository scan on push",
    "kms:CreateGrant": 'allow the action on the key, or set encryption = "AES256" under [ecr]',
    "kms:DescribeKey": 'allow the action on the key, or set encryption = "AES256" under [ecr]',
    "sts:AssumeRole": "allow the action, and let the role trust this user",
}


def explain(error: Exception, what: str) -> EcrError:
    """Return the error for a person; `what` is what it is about, such as a repository."""
    trouble, code = trouble_of(error), code_of(error)
    if trouble is Trouble.DENIED:
        return _denied(error, what)
    if known := _PROBLEMS.get(trouble):
        message = known[0].format(code=code, kind=type(error).__name__)
        return EcrError(f"{what}: {message}", hint=known[1])
    if code == "RepositoryNotFoundException":
        hint = "create it, or set create-repositories = true under [ecr]"
        return EcrError(f"{what} is not in ECR", hint=hint)
    if code == "KmsException":
        hint = 'set encryption under [ecr] to an enabled key of its region, or to "AES256"'
        return EcrError(f"{what}: the key cannot be used", hint=hint)
    action = _action(error)
    said = f"refuses {action} ({code})" if code else f"cannot be asked ({type(error).__name__})"
    hint = "registry and [ecr] in the settings say what it is asked for: change what it refuses"
    return EcrError(f"{what}: ECR {said}", hint=hint)


def _denied(error: Any, what: str) -> NotAllowedError:
    """Name the action that lacks, as the answer does, and who lacks it."""
    message = str(error.response.get("Error", {}).get("Message", ""))
    found = _DENIED.search(message)
    action = found["action"] if found else _action(error)
    who = f" (as {found['user']})" if found else ""
    hint = _WAYS_OUT.get(action, f"allow {action} for this user")
    return NotAllowedError(f"not allowed: {action} on {what}{who}", hint=hint)


def _action(error: Any) -> str:
    operation = str(getattr(error, "operation_name", "")) or "GetAuthorizationToken"
    return f"{'sts' if operation == 'AssumeRole' else 'ecr'}:{operation}"
