"""ECR's own interface by boto3, for one private registry."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from orchestrator import aws, logs
from orchestrator.model import EcrSettings
from orchestrator.oci.image import INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE
from orchestrator.publish.ecr.address import EcrAddress
from orchestrator.publish.ecr.answers import (
    parse_absent,
    parse_details,
    parse_digests,
    parse_scan,
)
from orchestrator.publish.ecr.api import Authorisation, EcrError, Present
from orchestrator.publish.ecr.explained import explain
from orchestrator.publish.ecr.wish import Found, Wish
from orchestrator.publish.findings import Scan, ScanStatus
from orchestrator.publish.outgoing import ImageDetails
from orchestrator.publish.registry import DOCKER_INDEX, DOCKER_MANIFEST

_AT_ONCE = 100
"""How many images or repositories ECR takes in a request."""
_MEDIA_TYPES = [MANIFEST_MEDIA_TYPE, INDEX_MEDIA_TYPE, DOCKER_MANIFEST, DOCKER_INDEX]
_NO_REPOSITORY = "RepositoryNotFoundException"


class _AbsentError(Exception):
    """What was asked about is not there."""


class BotoEcr:
    """The registry of an address; credentials are looked for when it is first asked something."""

    def __init__(self, address: EcrAddress, settings: EcrSettings) -> None:
        self._address, self._settings = address, settings
        self._client: Any = None
        self._lock = threading.Lock()

    def authorise(self) -> Authorisation:
        """Ask for a token, which is a user and a password."""
        with self._explained("the registry"):
            (data,) = self._ecr().get_authorization_token()["authorizationData"]
        logs.event("ecr.authorised", expires=data["expiresAt"].isoformat())
        user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        left_s = (data["expiresAt"] - datetime.now(UTC)).total_seconds()
        return Authorisation(user, password, left_s)

    def describe(self, names: Sequence[str]) -> dict[str, Found]:
        """Ask about many at once; where one of them lacks, ECR only says so: then one by one."""
        found: dict[str, Found] = {}
        for some in _pieces(names):
            try:
                with self._explained(f"repository {some[0]}", absent=_NO_REPOSITORY):
                    answer = self._ecr().describe_repositories(repositoryNames=some, **self._mine)
                    found |= {row["repositoryName"]: _found(row) for row in answer["repositories"]}
            except _AbsentError:
                if len(some) > 1:
                    for name in some:
                        found |= self.describe([name])
        return found

    def create(self, name: str, wish: Wish) -> bool:
        """Create a repository with its policy; one that another is creating is left to them."""
        with self._explained(f"repository {name}"):
            try:
                self._ecr().create_repository(**_creation(name, wish), **self._mine)
            except self._ecr().exceptions.RepositoryAlreadyExistsException:
                return False
            if wish.lifecycle:
                self._ecr().put_lifecycle_policy(
                    repositoryName=name, lifecyclePolicyText=wish.lifecycle, **self._mine
                )
        logs.event("ecr.created", repository=name)
        return True

    def lifecycle(self, name: str) -> str:
        """Read the policy's text."""
        missing = "LifecyclePolicyNotFoundException"
        try:
            with self._explained(f"repository {name}", absent=missing):
                answer = self._ecr().get_lifecycle_policy(repositoryName=name, **self._mine)
                return str(answer["lifecyclePolicyText"])
        except _AbsentError:
            return ""

    def find(self, name: str, pointers: Sequence[str]) -> Present:
        """Look up many at once; a repository that lacks has none of them."""
        digests: dict[str, str] = {}
        absent: set[str] = set()
        for some in _pieces(pointers):
            ids = [_image_id(pointer) for pointer in some]
            try:
                with self._explained(f"repository {name}", absent=_NO_REPOSITORY):
                    answer = self._ecr().batch_get_image(
                        repositoryName=name,
                        imageIds=ids,
                        acceptedMediaTypes=_MEDIA_TYPES,
                        **self._mine,
                    )
                    digests |= parse_digests(answer["images"])
                    absent |= parse_absent(answer["failures"])
            except _AbsentError:
                return Present({}, frozenset(pointers))
        wanted = set(pointers)
        return Present(
            {pointer: digest for pointer, digest in digests.items() if pointer in wanted},
            frozenset((absent & wanted) - digests.keys()),
        )

    def details(self, name: str, digest: str) -> ImageDetails | None:
        """Ask about one image."""
        try:
            with self._explained(f"repository {name}", absent="ImageNotFoundException"):
                (image,) = self._ecr().describe_images(
                    repositoryName=name, imageIds=[_image_id(digest)], **self._mine
                )["imageDetails"]
                return parse_details(image)
        except _AbsentError:
            return None

    def scan(self, name: str, digest: str) -> Scan:
        """Read all pages of what was found."""
        pages: list[Mapping[str, Any]] = []
        more: dict[str, Any] = {}
        try:
            with self._explained(f"repository {name}", absent="ScanNotFoundException"):
                while not pages or more:
                    page = self._ecr().describe_image_scan_findings(
                        repositoryName=name, imageId=_image_id(digest), **self._mine, **more
                    )
                    pages.append(page)
                    more = {"nextToken": page["nextToken"]} if page.get("nextToken") else {}
                return parse_scan(pages)
        except _AbsentError:
            return Scan(ScanStatus.ABSENT)

    def start_scan(self, name: str, digest: str) -> bool:
        """Ask for a scan; one of the same day, and scans that begin by themselves, stand for it."""
        known = self._ecr_exceptions()
        with self._explained(f"repository {name}"):
            try:
                self._ecr().start_image_scan(
                    repositoryName=name, imageId=_image_id(digest), **self._mine
                )
            except known.UnsupportedImageTypeException:
                return False
            except (known.LimitExceededException, known.ValidationException):
                return True
        return True

    @property
    def _mine(self) -> dict[str, str]:
        return {"registryId": self._address.account}

    def _ecr_exceptions(self) -> Any:
        with self._explained("the registry"):
            return self._ecr().exceptions

    def _ecr(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - slow to import

        address, settings = self._address, self._settings
        session = aws.open_session(settings.profile)
        if settings.role:
            role = settings.role.format(account=address.account)
            session = aws.assume_role(session, role, address.region, settings.endpoint_url)
        config = Config(
            use_fips_endpoint=address.is_fips or None,
            use_dualstack_endpoint=address.is_dual_stack or None,
        )
        return aws.open_client(session, "ecr", address.region, settings.endpoint_url, config)

    @contextmanager
    def _explained(self, what: str, absent: str = "") -> Iterator[None]:
        """Turn what boto3 raises into errors for people.

        Raises:
            _AbsentError: The answer has the code `absent`.
            EcrError: In place of boto3's own error.
        """
        try:
            yield
        except aws.errors() as error:
            if absent and aws.code_of(error) == absent:
                raise _AbsentError from None
            raise explain(error, f"{what} of ECR {self._address}") from None
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            kind = type(error).__name__
            raise EcrError(
                f"ECR {self._address} answers what cannot be used ({kind})",
                hint="try again; endpoint-url under [ecr], where it is set, must lead to ECR",
            ) from None


def _creation(name: str, wish: Wish) -> dict[str, Any]:
    key = {"kmsKey": wish.kms_key} if wish.kms_key else {}
    creation: dict[str, Any] = {
        "repositoryName": name,
        "imageScanningConfiguration": {"scanOnPush": wish.scan_on_push},
        "encryptionConfiguration": {"encryptionType": wish.encryption_type, **key},
        "imageTagMutability": wish.mutability,
        "tags": [{"Key": name, "Value": value} for name, value in wish.tags],
    }
    if wish.mutability == "IMMUTABLE_WITH_EXCLUSION":
        filters = [{"filterType": "WILDCARD", "filter": tag} for tag in wish.movable]
        creation["imageTagMutabilityExclusionFilters"] = filters
    return creation


def _found(item: Mapping[str, Any]) -> Found:
    encryption = item.get("encryptionConfiguration", {})
    return Found(
        bool(item.get("imageScanningConfiguration", {}).get("scanOnPush")),
        str(encryption.get("encryptionType", "AES256")),
        str(encryption.get("kmsKey", "")),
        str(item.get("imageTagMutability", "MUTABLE")),
    )


def _image_id(pointer: str) -> dict[str, str]:
    return {"imageDigest": pointer} if ":" in pointer else {"imageTag": pointer}


def _pieces(items: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), _AT_ONCE):
        yield list(items[start : start + _AT_ONCE])
