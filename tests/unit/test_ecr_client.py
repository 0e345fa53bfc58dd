"""What AWS answers that moto does not: pages, limits, refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from orchestrator.model import EcrSettings
from orchestrator.publish.ecr import client
from orchestrator.publish.ecr.address import EcrAddress
from orchestrator.publish.ecr.api import EcrError, NotAllowedError, Present
from orchestrator.publish.ecr.client import BotoEcr
from orchestrator.publish.ecr.wish import Wish
from orchestrator.publish.findings import ScanStatus

ROOT = Path(__file__).parents[2]
ACCOUNT, NAME = "123456789012", "team/api"
DIGEST = "sha256:" + "1" * 64
WHERE = {"repositoryName": NAME, "imageId": {"imageDigest": DIGEST}, "registryId": ACCOUNT}


@pytest.fixture
def ecr() -> BotoEcr:
    ecr = BotoEcr(EcrAddress(ACCOUNT, "eu-west-1"), EcrSettings())
    ecr._client = boto3.client(
        "ecr", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    return ecr


@pytest.fixture
def aws(ecr: BotoEcr) -> Iterator[Stubber]:
    """Answers what it was told to, in that order, and refuses anything else."""
    with Stubber(ecr._client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_the_documented_rights_are_those_that_are_used() -> None:
    page = (ROOT / "docs/explanation/ecr.md").read_text("utf-8")
    policy = json.loads(page.partition("```json\n")[2].partition("```")[0])
    (everywhere, here) = policy["Statement"]
    allowed = {everywhere["Action"], *here["Action"]}
    source = Path(client.__file__).read_text("utf-8")
    operations = set(re.findall(r"_ecr\(\)\.([a-z]\w+)\(", source))
    used = {f"ecr:{name.title().replace('_', '')}" for name in operations}
    by_the_protocol = {
        "ecr:BatchCheckLayerAvailability",
        "ecr:CompleteLayerUpload",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    }
    assert len(used) > 8
    assert allowed == used | by_the_protocol | {"ecr:TagResource"}


def page(name: str, more: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = {
        "imageScanStatus": {"status": "COMPLETE"},
        "imageScanFindings": {"findings": [{"name": name, "severity": "LOW"}]},
    }
    return {**answer, "nextToken": more} if more else answer


def test_findings_are_read_from_all_pages(ecr: BotoEcr, aws: Stubber) -> None:
    operation = "describe_image_scan_findings"
    aws.add_response(operation, page("CVE-1", "next"), WHERE)
    aws.add_response(operation, page("CVE-2"), {**WHERE, "nextToken": "next"})
    assert [finding.name for finding in ecr.scan(NAME, DIGEST).findings] == ["CVE-1", "CVE-2"]


def test_a_scan_of_the_same_day_stands_for_another(ecr: BotoEcr, aws: Stubber) -> None:
    aws.add_client_error("start_image_scan", "LimitExceededException", expected_params=WHERE)
    assert ecr.start_scan(NAME, DIGEST)


def test_with_enhanced_scanning_scans_begin_by_themselves(ecr: BotoEcr, aws: Stubber) -> None:
    aws.add_client_error("start_image_scan", "ValidationException", expected_params=WHERE)
    assert ecr.start_scan(NAME, DIGEST)


def test_what_ecr_cannot_scan_is_told(ecr: BotoEcr, aws: Stubber) -> None:
    aws.add_client_error("start_image_scan", "UnsupportedImageTypeException")
    assert not ecr.start_scan(NAME, DIGEST)


def test_a_scan_that_nobody_asked_for_is_absent(ecr: BotoEcr, aws: Stubber) -> None:
    aws.add_client_error("describe_image_scan_findings", "ScanNotFoundException")
    assert ecr.scan(NAME, DIGEST).status is ScanStatus.ABSENT


def test_a_refusal_names_action_repository_account_and_region(ecr: BotoEcr, aws: Stubber) -> None:
    aws.add_client_error("create_repository", "AccessDeniedException", "no")
    with pytest.raises(NotAllowedError) as raised:
        ecr.create(NAME, Wish())
    wanted = f"not allowed: ecr:CreateRepository on repository {NAME} of ECR {ACCOUNT} in eu-west-1"
    assert raised.value.message == wanted
    assert "create-repositories = false" in raised.value.hint


def test_a_key_is_handed_on(ecr: BotoEcr, aws: Stubber) -> None:
    asked = {
        "repositoryName": NAME,
        "registryId": ACCOUNT,
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "alias/images"},
        "imageTagMutability": "MUTABLE",
        "tags": [],
    }
    aws.add_response("create_repository", {"repository": {}}, asked)
    assert ecr.create(NAME, Wish(encryption="alias/images"))


def test_of_a_tag_that_failed_otherwise_nothing_is_said(ecr: BotoEcr, aws: Stubber) -> None:
    failures = [
        {"imageId": {"imageTag": "v1"}, "failureCode": "ImageNotFound"},
        {"imageId": {"imageTag": "v2"}, "failureCode": "KmsError"},
    ]
    aws.add_response("batch_get_image", {"images": [], "failures": failures})
    assert ecr.find(NAME, ["v1", "v2"]) == Present({}, frozenset({"v1"}))


def test_an_answer_without_a_token_is_an_error(ecr: BotoEcr, aws: Stubber) -> None:
    aws.add_response("get_authorization_token", {"authorizationData": []})
    with pytest.raises(EcrError, match="cannot be used"):
        ecr.authorise()


ODD: tuple[object, ...] = (
    None,
    [],
    {},
    {"authorizationData": 5},
    {"repositories": [{}]},
    {"images": [{"imageId": []}], "failures": []},
    {"images": [], "failures": [{"failureCode": "ImageNotFound", "imageId": 5}]},
    {"imageDetails": [{"imagePushedAt": "yesterday"}]},
    {"imageScanStatus": 5},
    {"imageScanFindings": {"findings": [{"attributes": [{}]}]}},
)
CALLS: dict[str, Callable[[BotoEcr], object]] = {
    "get_authorization_token": lambda ecr: ecr.authorise(),
    "describe_repositories": lambda ecr: ecr.describe([NAME]),
    "get_lifecycle_policy": lambda ecr: ecr.lifecycle(NAME),
    "batch_get_image": lambda ecr: ecr.find(NAME, ["v1"]),
    "describe_images": lambda ecr: ecr.details(NAME, DIGEST),
    "describe_image_scan_findings": lambda ecr: ecr.scan(NAME, DIGEST),
}


@pytest.mark.parametrize("call", CALLS)
def test_whatever_aws_answers_is_a_value_or_an_error(ecr: BotoEcr, call: str) -> None:
    errors = []
    for answer in ODD:
        ecr._client = SimpleNamespace(**{call: lambda answer=answer, **_: answer})
        try:
            CALLS[call](ecr)
        except EcrError as error:
            errors.append(error.message)
    assert len(errors) > len(ODD) / 3
    assert {error.partition(" answers ")[2] for error in errors} <= {
        f"what cannot be used ({kind})"
        for kind in ("TypeError", "KeyError", "ValueError", "AttributeError")
    }
