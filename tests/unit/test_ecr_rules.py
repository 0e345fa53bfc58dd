"""Which hosts are ECR's, what its repositories are to be like, and which findings count."""

from __future__ import annotations

import fnmatch
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from orchestrator.errors import WorkspaceError
from orchestrator.model import EcrSettings, ScanException
from orchestrator.publish.ecr.address import EcrAddress, address_of, parse_host
from orchestrator.publish.ecr.answers import parse_scan
from orchestrator.publish.ecr.api import NotAllowedError
from orchestrator.publish.ecr.explained import explain
from orchestrator.publish.ecr.wish import Found, Wish, differences, lifecycle_policy, wish_of
from orchestrator.publish.findings import Finding, Scan, ScanStatus, Severity, judge

ACCOUNT = "123456789012"
DAY = "2026-06-15"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("dkr.ecr.eu-west-1.amazonaws.com", EcrAddress(ACCOUNT, "eu-west-1")),
        ("dkr.ecr.cn-north-1.amazonaws.com.cn", EcrAddress(ACCOUNT, "cn-north-1")),
        ("dkr.ecr.us-gov-west-1.amazonaws.com", EcrAddress(ACCOUNT, "us-gov-west-1")),
        ("dkr.ecr-fips.us-east-1.amazonaws.com", EcrAddress(ACCOUNT, "us-east-1", is_fips=True)),
        ("dkr-ecr.us-east-1.on.aws", EcrAddress(ACCOUNT, "us-east-1", is_dual_stack=True)),
    ],
)
def test_a_private_registry_is_known_by_its_host(host: str, address: EcrAddress) -> None:
    assert parse_host(f"{ACCOUNT}.{host}") == address


@pytest.mark.parametrize(
    "host",
    [
        "public.ecr.aws",
        "registry.example.com",
        "12345.dkr.ecr.eu-west-1.amazonaws.com",
        f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com.example.com",
        f"{ACCOUNT}.dkr-ecr.eu-west-1.amazonaws.com",
        "127.0.0.1:5000",
    ],
)
def test_other_hosts_are_none(host: str) -> None:
    assert parse_host(host) is None
    assert address_of(host, EcrSettings()) is None


def test_an_account_says_that_a_host_of_another_name_is_ecr() -> None:
    settings = EcrSettings(account=ACCOUNT, region="eu-west-1")
    assert address_of("127.0.0.1:5000", settings) == EcrAddress(ACCOUNT, "eu-west-1")


def test_two_regions_are_a_contradiction() -> None:
    with pytest.raises(WorkspaceError, match=r"eu-west-1.*us-east-1"):
        address_of(f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com", EcrSettings(region="us-east-1"))


def expired(policy: str, images: list[set[str]]) -> list[set[str]]:
    """Return which images a policy expires; images are their tags, the oldest first.

    An image belongs to the first rule whose patterns all match tags of it, as ECR has it.
    """
    gone = []
    owned: set[int] = set()
    for rule in sorted(json.loads(policy)["rules"], key=lambda item: int(item["rulePriority"])):
        selection = rule["selection"]
        assert selection["countType"] == "imageCountMoreThan"
        patterns = selection.get("tagPatternList", [])
        assert bool(patterns) == (selection["tagStatus"] == "tagged")
        mine = [
            number
            for number, tags in enumerate(images)
            if number not in owned
            and (
                all(any(fnmatch.fnmatchcase(tag, p) for tag in tags) for p in patterns)
                if patterns
                else not tags
            )
        ]
        owned |= set(mine)
        gone += mine[: max(0, len(mine) - selection["countNumber"])]
    return [images[number] for number in gone]


def test_the_oldest_content_tags_expire() -> None:
    images = [{f"fp-{number}"} for number in range(5)]
    assert expired(lifecycle_policy(3, []), images) == [{"fp-0"}, {"fp-1"}]


def test_what_a_tag_to_keep_names_never_expires_and_takes_no_place() -> None:
    images = [
        {"fp-0", "live"},
        {"fp-1", "v1.0"},
        {"fp-2"},
        {"fp-3", "v1.1"},
        {"fp-4"},
        {"fp-5", "latest"},
    ]
    policy = lifecycle_policy(1, ["live", "latest", "v*"])
    assert expired(policy, images) == [{"fp-2"}]


def test_what_packages_hold_takes_no_place_of_images_and_is_bounded() -> None:
    images = [{f"pk-{number}"} for number in range(10)] + [{"fp-0"}]
    assert expired(lifecycle_policy(1, []), images) == [{"pk-0"}, {"pk-1"}]


def test_what_has_no_tag_is_bounded_too() -> None:
    images: list[set[str]] = [set() for _ in range(20)]
    assert len(expired(lifecycle_policy(3, []), images)) == 20 - 4 * 3


def test_rules_have_priorities_of_their_own() -> None:
    rules = json.loads(lifecycle_policy(3, ["b", "a", "b"]))["rules"]
    assert [rule["rulePriority"] for rule in rules] == [1, 2, 3, 4, 5]
    assert {rule["action"]["type"] for rule in rules} == {"expire"}


def test_plain_tags_of_the_settings_are_kept_and_may_move() -> None:
    settings = EcrSettings(immutable_tags=True, keep_tags=("live", "v*"))
    wish = wish_of(settings, ["latest", "{version}"])
    assert wish.movable == ("latest", "live")
    assert wish.mutability == "IMMUTABLE_WITH_EXCLUSION"
    kept = json.loads(wish.lifecycle)["rules"][:3]
    assert [rule["selection"]["tagPatternList"] for rule in kept] == [["latest"], ["live"], ["v*"]]


def test_without_a_limit_there_is_no_policy() -> None:
    assert wish_of(EcrSettings(keep_builds=0), ["latest"]).lifecycle == ""


def test_more_movable_tags_than_ecr_knows_are_an_error() -> None:
    tags = [f"t{number}" for number in range(6)]
    assert wish_of(EcrSettings(), tags).mutability == "MUTABLE"
    with pytest.raises(WorkspaceError, match=r"t0.*t5"):
        wish_of(EcrSettings(immutable_tags=True), tags)


@pytest.mark.parametrize(
    ("encryption", "kind", "key"),
    [("AES256", "AES256", ""), ("KMS", "KMS", ""), ("alias/images", "KMS", "alias/images")],
)
def test_encryption_is_aes_aws_own_key_or_a_key(encryption: str, kind: str, key: str) -> None:
    wish = Wish(encryption=encryption)
    assert (wish.encryption_type, wish.kms_key) == (kind, key)


def test_differences_are_named() -> None:
    found = Found(scan_on_push=False, encryption_type="AES256", mutability="IMMUTABLE")
    assert differences(Wish(encryption="KMS"), found) == [
        "scan-on-push is false, not true",
        "encryption is AES256, not KMS",
        "tags is IMMUTABLE, not MUTABLE",
    ]
    assert differences(Wish(), Found(scan_on_push=True, encryption_type="AES256")) == []


BAD = Finding("CVE-2026-1", Severity.CRITICAL, "libssl3", "3.0.1", "3.0.2")
WORSE_NAMED = Finding("CVE-2026-2", Severity.HIGH, "zlib1g", "1.2")


def scan_of(*findings: Finding) -> Scan:
    return Scan(ScanStatus.COMPLETE, findings, "2026-06-15T10:00:00+00:00")


def judged(*findings: Finding, threshold: str = "critical", until: str = "") -> Any:
    exceptions = [ScanException("CVE-2026-1", until, "why", ("api",))] if until else []
    return judge([scan_of(*findings)], threshold, exceptions, "api", DAY)


def test_a_critical_finding_fails_with_its_name_package_and_versions() -> None:
    error = judged(BAD, WORSE_NAMED).error
    assert "1 finding of at least critical severity" in error.message
    assert "CVE-2026-1 (critical) in libssl3 3.0.1, fixed in 3.0.2" in error.message
    assert "CVE-2026-2" not in error.message
    assert "[[ecr.exceptions]]" in error.hint


def test_below_the_threshold_nothing_fails() -> None:
    verdict = judged(WORSE_NAMED)
    assert verdict.error is None
    assert verdict.counts == (("high", 1),)
    assert "no fixed version told" in judged(WORSE_NAMED, threshold="high").error.message


@pytest.mark.parametrize(
    ("threshold", "count"), [("critical", 1), ("high", 2), ("medium", 3), ("low", 4)]
)
def test_a_threshold_takes_what_is_worse_too(threshold: str, count: int) -> None:
    findings = [Finding(f"CVE-{severity.value}", severity) for severity in Severity]
    verdict = judged(*findings, threshold=threshold)
    assert [item.severity for item in verdict.failing] == list(reversed(Severity))[:count]


@pytest.mark.parametrize(
    ("until", "passes"), [("2026-06-14", False), (DAY, True), ("2026-06-16", True)]
)
def test_an_exception_holds_until_its_day_is_over(until: str, passes: bool) -> None:  # noqa: FBT001
    verdict = judged(BAD, until=until)
    assert (verdict.error is None) == passes
    assert [item.name for item, _ in verdict.excepted] == ["CVE-2026-1"] * passes
    if not passes:
        assert "its exception ended on 2026-06-14" in verdict.error.message


def test_an_exception_of_other_images_is_none() -> None:
    exception = ScanException("CVE-2026-1", "2027-01-01", "why", ("python-*",))
    assert judge([scan_of(BAD)], "critical", [exception], "api", DAY).failing == (BAD,)
    assert judge([scan_of(BAD)], "critical", [exception], "python-web", DAY).failing == ()


def test_what_several_platforms_share_is_one_finding() -> None:
    verdict = judge([scan_of(BAD), scan_of(BAD, WORSE_NAMED)], "high", [], "api", DAY)
    assert verdict.failing == (BAD, WORSE_NAMED)


def test_of_very_many_findings_the_message_names_some() -> None:
    many = [Finding(f"CVE-{number:02}", Severity.CRITICAL) for number in range(30)]
    message = judged(*many).error.message
    assert "30 findings" in message
    assert "and 20 more" in message


def test_the_basic_scanner_is_understood() -> None:
    attributes = [
        {"key": "package_version", "value": "3.0.1"},
        {"key": "package_name", "value": "libssl3"},
    ]
    finding = {"name": "CVE-1", "uri": "u", "severity": "CRITICAL", "attributes": attributes}
    page = {
        "imageScanStatus": {"status": "COMPLETE"},
        "imageScanFindings": {
            "imageScanCompletedAt": datetime(2026, 6, 1, tzinfo=UTC),
            "findings": [finding, {"name": "CVE-2", "severity": "UNDEFINED"}],
        },
    }
    scan = parse_scan([page])
    assert scan.status is ScanStatus.COMPLETE
    assert scan.completed == "2026-06-01T00:00:00+00:00"
    assert scan.findings == (
        Finding("CVE-1", Severity.CRITICAL, "libssl3", "3.0.1", "", "u"),
        Finding("CVE-2", Severity.UNKNOWN),
    )


def enhanced(*packages: dict[str, Any], **more: Any) -> dict[str, Any]:
    details = {"vulnerabilityId": "CVE-1", "sourceUrl": "u", "vulnerablePackages": list(packages)}
    findings = [{"severity": "HIGH", "packageVulnerabilityDetails": details, **more}]
    return {
        "imageScanStatus": {"status": "ACTIVE"},
        "imageScanFindings": {"enhancedFindings": findings},
    }


def test_the_enhanced_scanner_is_understood_and_tells_what_is_fixed() -> None:
    libssl = {"name": "libssl3", "version": "3.0.1", "release": "1", "epoch": 1}
    page = enhanced(
        {**libssl, "fixedInVersion": "1:3.0.2-1"},
        {"name": "other", "version": "1", "epoch": 0, "fixedInVersion": "NotAvailable"},
    )
    assert parse_scan([page]).status is ScanStatus.COMPLETE
    assert parse_scan([page, page]).findings == (
        Finding("CVE-1", Severity.HIGH, "libssl3", "1:3.0.1-1", "1:3.0.2-1", "u"),
        Finding("CVE-1", Severity.HIGH, "other", "1", "", "u"),
    )


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("IN_PROGRESS", ScanStatus.IN_PROGRESS),
        ("PENDING", ScanStatus.IN_PROGRESS),
        ("FAILED", ScanStatus.FAILED),
        ("UNSUPPORTED_IMAGE", ScanStatus.UNSUPPORTED),
        ("SCAN_ELIGIBILITY_EXPIRED", ScanStatus.FAILED),
        ("SOMETHING_NEW", ScanStatus.FAILED),
    ],
)
def test_statuses_are_told_apart(said: str, status: ScanStatus) -> None:
    page = {"imageScanStatus": {"status": said, "description": "why"}}
    assert parse_scan([page]) == Scan(status, description="why")


def denied(operation: str, message: str = "no", code: str = "AccessDeniedException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def test_what_is_not_allowed_is_named_with_who_may_not() -> None:
    user = f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/orch"
    message = f"User: {user} is not authorized to perform: ecr:TagResource on resource: x"
    error = explain(denied("CreateRepository", message), "repository team/api")
    assert isinstance(error, NotAllowedError)
    assert error.message == f"not allowed: ecr:TagResource on repository team/api (as {user})"
    assert "take tags out of [ecr]" in error.hint


@pytest.mark.parametrize(
    ("operation", "action", "way_out"),
    [
        ("CreateRepository", "ecr:CreateRepository", "create-repositories = false"),
        ("PutLifecyclePolicy", "ecr:PutLifecyclePolicy", "keep-builds = 0"),
        ("DescribeImageScanFindings", "ecr:DescribeImageScanFindings", 'severity = "none"'),
        ("StartImageScan", "ecr:StartImageScan", "scan on push"),
        ("BatchGetImage", "ecr:BatchGetImage", "allow ecr:BatchGetImage"),
        ("AssumeRole", "sts:AssumeRole", "trust"),
    ],
)
def test_a_denial_names_the_action_and_the_ways_out(
    operation: str, action: str, way_out: str
) -> None:
    error = explain(denied(operation), "it")
    assert action in error.message
    assert way_out in error.hint


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (denied("X", code="ExpiredTokenException"), "have expired"),
        (denied("X", code="UnrecognizedClientException"), "does not know these credentials"),
        (denied("X", code="ThrottlingException"), "busy"),
        (denied("X", code="KmsException"), "the key cannot be used"),
        (denied("X", code="RepositoryNotFoundException"), "is not in ECR"),
        (denied("PutImage", code="Strange"), "refuses ecr:PutImage (Strange)"),
        (NoCredentialsError(), "no AWS credentials"),
        (EndpointConnectionError(endpoint_url="https://secret"), "out of reach"),
    ],
)
def test_errors_are_said_for_people(error: Exception, said: str) -> None:
    explained = explain(error, "it")
    assert said in explained.message
    assert explained.hint
    assert "secret" not in f"{explained} {explained.hint}"
