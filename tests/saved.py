"""What docker save gives: an archive of one image."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator

PLAIN = b"a layer, as a tar" * 1000
DIFF_ID = f"sha256:{hashlib.sha256(PLAIN).hexdigest()}"
CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-01-01T00:00:00Z",
    "config": {"Env": ["A=b"], "Cmd": None, "Hostname": "", "Image": "sha256:x", "User": "1000"},
    "rootfs": {"type": "layers", "diff_ids": [DIFF_ID]},
    "history": [{"created_by": "COPY a /a"}, {"created_by": "ENV A=b", "empty_layer": True}],
}
MANIFEST = [{"Config": "config.json", "RepoTags": None, "Layers": ["x/layer.tar"]}]


def saved(*changed: tuple[str, bytes]) -> Iterator[bytes]:
    """Yield what `docker save` gives, in pieces that end anywhere."""
    members = {
        "x/layer.tar": PLAIN,
        "config.json": json.dumps(CONFIG).encode(),
        "manifest.json": json.dumps(MANIFEST).encode(),
        **dict(changed),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    data = out.getvalue()
    yield from (data[start : start + 777] for start in range(0, len(data), 777))
