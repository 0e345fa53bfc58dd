"""`[ecr]` of the settings: how repositories of Amazon ECR are made, and what is put up with."""

from __future__ import annotations

import fnmatch
import re

from orchestrator.model import SEVERITIES, EcrSettings, ScanException
from orchestrator.quantities import DAY
from orchestrator.tables import Table
from orchestrator.tagging import content_tag

_PATTERN = r"[A-Za-z0-9_.*-]{1,128}"
_MOST_STARS = 4
_MOST_TAGS = 50


def take_ecr(table: Table) -> EcrSettings:
    """Take the table's keys.

    Raises:
        WorkspaceError: They are not valid.
    """
    default = EcrSettings()
    ecr = EcrSettings(
        account=table.take_str("account"),
        region=table.take_str("region"),
        endpoint_url=table.take_str("endpoint-url"),
        profile=table.take_str("profile"),
        role=table.take_str("role"),
        create_repositories=table.take_bool("create-repositories", default=True),
        scan_on_push=table.take_bool("scan-on-push", default=True),
        encryption=table.take_str("encryption", default.encryption),
        immutable_tags=table.take_bool("immutable-tags", default=False),
        keep_builds=table.take_int("keep-builds", default.keep_builds),
        keep_tags=table.take_strs("keep-tags"),
        tags=table.take_env("tags"),
        severity=table.take_str("severity", default.severity),
        scan_timeout_s=table.take_seconds("scan-timeout", default.scan_timeout_s),
        exceptions=tuple(_exception(inner) for inner in table.take_tables("exceptions")),
    )
    _check(table, ecr)
    table.close()
    return ecr


def _check(table: Table, ecr: EcrSettings) -> None:
    if not re.fullmatch(r"(\d{12})?", ecr.account):
        hint = "aws sts get-caller-identity shows that of a user; zeros in front count"
        table.fail("account", f"account must be twelve digits in quotes, not {ecr.account!r}", hint)
    if not re.fullmatch(r"(https?://[^/@]+(/[^@]*)?)?", ecr.endpoint_url):
        hint = "write https://HOST:PORT, and give credentials as the AWS tools take them"
        table.fail("endpoint-url", "endpoint-url must be an http address without a user", hint=hint)
    role = ecr.role.replace("{account}", "0" * 12)
    if role and not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", role):
        hint = 'such as "arn:aws:iam::{account}:role/push"; {account} is that of the registry'
        table.fail("role", f"role must be the ARN of a role, not {ecr.role!r}", hint=hint)
    if not ecr.encryption:
        hint = 'write "AES256", "KMS", or the id, alias or ARN of a key'
        table.fail("encryption", "encryption is empty", hint=hint)
    if ecr.keep_builds < 0:
        table.fail("keep-builds", "keep-builds must not be negative", hint="0 keeps all")
    for pattern in ecr.keep_tags:
        _check_pattern(table, pattern)
    if len(ecr.tags) > _MOST_TAGS:
        hint = f"take {len(ecr.tags) - _MOST_TAGS} of them out"
        table.fail("tags", f"a repository has {_MOST_TAGS} tags at most", hint)
    if ecr.severity not in SEVERITIES:
        known = ", ".join(SEVERITIES)
        hint = 'write it in quotes: severity = "high"; "none" puts up with every finding'
        message = f"severity must be one of {known}, not {ecr.severity!r}"
        table.fail("severity", message, hint)


def _check_pattern(table: Table, pattern: str) -> None:
    if not re.fullmatch(_PATTERN, pattern) or pattern.count("*") > _MOST_STARS:
        hint = f"a tag, in which up to {_MOST_STARS} * stand for anything"
        table.fail("keep-tags", f"keep-tags holds {pattern!r}, which is no pattern", hint=hint)
    if fnmatch.fnmatchcase(content_tag("0" * 64), pattern):
        hint = "name the tags that deployments use; for no limit at all: keep-builds = 0"
        table.fail("keep-tags", f"{pattern!r} would keep everything that is ever pushed", hint=hint)


def _exception(table: Table) -> ScanException:
    exception = ScanException(
        finding=table.take_str("finding"),
        until=table.take_str("until"),
        reason=table.take_str("reason"),
        images=table.take_strs("images"),
    )
    if not exception.finding:
        hint = 'name what is put up with: finding = "CVE-2026-1234"'
        table.fail("finding", "an exception needs a finding", hint)
    if not re.fullmatch(DAY, exception.until):
        hint = 'write the last day on which it holds, in quotes: until = "2027-01-31"'
        table.fail("until", f"the exception of {exception.finding} needs until", hint=hint)
    if not exception.reason:
        hint = 'write reason = "...": somebody will have to decide about it again'
        table.fail("reason", f"the exception of {exception.finding} needs a reason", hint=hint)
    table.close()
    return exception
