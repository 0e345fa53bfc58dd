"""Small wheels of one's own: a package that can have any number of versions."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile

_MODULES = 20


def pure_wheel(name: str, version: str) -> tuple[str, bytes]:
    """Return a wheel's file name and bytes: twenty modules, the same for the same version."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    wheel = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    texts = {
        **{
            f"{module}/m{number}.py": f"VALUE = {number}, {version!r}\n" * 50
            for number in range(_MODULES)
        },
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": wheel,
    }
    rows = [f"{path},{_record_hash(text)},{len(text)}\n" for path, text in texts.items()]
    record = "".join([*rows, f"{info}/RECORD,,\n"])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in {**texts, f"{info}/RECORD": record}.items():
            archive.writestr(zipfile.ZipInfo(path), text, zipfile.ZIP_DEFLATED)
    return f"{module}-{version}-py3-none-any.whl", out.getvalue()


def _record_hash(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return "sha256=" + digest.rstrip(b"=").decode()
