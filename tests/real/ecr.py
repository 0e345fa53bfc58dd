"""Amazon ECR for tests: moto is its own interface, a registry behind a gate its data.

The gate does what ECR does and a registry does not: it wants ECR's token, refuses what goes to
repositories that do not exist, lists what refers to an image, and tells moto of each manifest, so
that moto can refuse a tag, name its images and scan them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
from botocore.exceptions import ClientError

from orchestrator.model import EcrSettings
from orchestrator.oci.image import INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE
from orchestrator.publish.ecr.address import EcrAddress
from orchestrator.publish.ecr.client import BotoEcr
from tests.real.fault_proxy import FaultProxy, Handler
from tests.registries import referrer_rows

ACCOUNT, REGION = "123456789012", "eu-west-1"
TOKEN = f"{ACCOUNT}-auth-token"


@dataclass
class EcrSite:
    """An ECR; `asked` has `METHOD PATH` of each request for data, which needs the `token`."""

    endpoint: str
    upstream: str
    address: str = ""
    token: str = TOKEN
    asked: list[str] = field(default_factory=list)
    manifests: dict[str, list[bytes]] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[EcrSite]:
        """Listen on a free port of 127.0.0.1."""
        site = self

        class Gate(_Gate):
            ecr = site

        proxy = FaultProxy(self.upstream, handler=Gate, asked=self.asked)
        with proxy.running():
            self.address = proxy.address
            yield self

    @cached_property
    def client(self) -> Any:
        """Return a client with credentials of its own."""
        return boto3.client(
            "ecr",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="tester",
            aws_secret_access_key="tester",
        )

    def ecr(self, **settings: Any) -> BotoEcr:
        """Return the interface under test."""
        return BotoEcr(
            EcrAddress(ACCOUNT, REGION), EcrSettings(endpoint_url=self.endpoint, **settings)
        )

    def put(self, name: str, tags: Sequence[str]) -> str:
        """Store an image in moto alone."""
        layers = [{"digest": f"sha256:{uuid.uuid4().hex * 2}", "size": 7}]
        manifest = json.dumps({"mediaType": MANIFEST_MEDIA_TYPE, "layers": layers, "config": {}})
        digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
        for tag in tags:
            self.client.put_image(
                repositoryName=name, imageManifest=manifest, imageTag=tag, imageDigest=digest
            )
        return digest

    def plan_findings(self, name: str, findings: Mapping[str, Any]) -> None:
        """Let moto answer with findings for the next image of a repository."""
        result = {
            "registryId": ACCOUNT,
            "repositoryName": name,
            "imageId": {},
            "imageScanStatus": {"status": "COMPLETE", "description": "done"},
            "imageScanFindings": findings,
        }
        request = urllib.request.Request(
            f"{self.endpoint}/moto-api/static/ecr/scan-finding-results",
            json.dumps({"results": [result], "region": REGION}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 201


class _Gate(Handler):
    ecr: EcrSite
    body: bytes | None = None

    def _serve(self) -> None:
        self.owner.fault_of(f"{self.command} {self.path}")
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = re.fullmatch(r"/v2/(.+?)/(blobs|manifests|tags)/([^?]*).*", self.path)
        listed = re.fullmatch(r"/v2/(.+?)/referrers/(.+)", self.path)
        if not self._is_authorised():
            self.refuse(401, "UNAUTHORIZED")
        elif listed is not None:
            self._list(referrer_rows(self.ecr.manifests.get(listed[1], ()), listed[2]))
        elif found is None:  # is there a registry at all?
            self._pass_on(None)
        elif (refusal := self._tell(found[1], found[2], found[3])) is not None:
            self.refuse(*refusal)
        else:
            self._pass_on(None)

    def _is_authorised(self) -> bool:
        wanted = "Basic " + base64.b64encode(f"AWS:{self.ecr.token}".encode()).decode()
        return self.headers.get("Authorization") == wanted

    def _tell(self, name: str, kind: str, pointer: str) -> tuple[int, str] | None:
        """Tell moto of a manifest; return a refusal."""
        client = self.ecr.client
        try:
            (repository,) = client.describe_repositories(repositoryNames=[name])["repositories"]
        except client.exceptions.RepositoryNotFoundException:
            return 404, "NAME_UNKNOWN"
        if kind != "manifests" or self.command != "PUT":
            return None
        assert self.body is not None
        digest = "sha256:" + hashlib.sha256(self.body).hexdigest()
        known = client.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": digest}])
        tag = {} if ":" in pointer else {"imageTag": pointer}
        if not tag and repository.get("imageTagMutabilityExclusionFilters"):
            tag = {"imageTag": f"untagged-{digest[-12:]}"}  # moto knows no image without one there
        if ":" not in pointer or not known["images"]:
            try:
                client.put_image(
                    repositoryName=name,
                    imageManifest=self.body.decode(),
                    imageManifestMediaType=self.headers["Content-Type"],
                    imageDigest=digest,
                    **tag,
                )
            except ClientError as error:
                return 400, str(error.response["Error"]["Code"])
        self.ecr.manifests.setdefault(name, []).append(self.body)
        if not known["images"] and repository["imageScanningConfiguration"]["scanOnPush"]:
            client.start_image_scan(repositoryName=name, imageId={"imageDigest": digest})
        return None

    def _list(self, rows: Sequence[Mapping[str, Any]]) -> None:
        index = {"schemaVersion": 2, "mediaType": INDEX_MEDIA_TYPE, "manifests": rows}
        body = json.dumps(index).encode()
        self.send_response(200)
        self.send_header("Content-Type", INDEX_MEDIA_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _pieces(self) -> Iterator[bytes]:
        yield self.body or b""

    def refuse(self, status: int, code: str) -> None:
        body = json.dumps({"errors": [{"code": code, "message": "no"}]}).encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="ecr",service="ecr.amazonaws.com"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
