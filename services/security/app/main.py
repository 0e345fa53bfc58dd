"""Audits pinned requirements, or this image's own packages, for known vulnerabilities."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from voiceplatform.components import READY, Components, Status
from voiceplatform.service import create_service

TIMEOUT_S = 120
AUDIT = (
    *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
    *("--vulnerability-service", "osv", "--cache-dir", "/tmp/pip-audit"),
)


class Requirements(BaseModel):
    """The text of a requirements file in which every version is pinned."""

    text: str = Field(min_length=1, max_length=200_000)


def scanner() -> Status:
    """The scanner is there if its version can be read."""
    version("pip-audit")
    return READY


def scratch() -> Status:
    """Audits need a folder to write to; the rest of the file system is read-only."""
    with tempfile.TemporaryFile():
        return READY


components = Components()
components.add("pip-audit", scanner)
components.add("scratch-folder", scratch)
app: FastAPI = create_service("security", components=components)


async def run_audit(*arguments: str) -> Any:
    """Run the scanner; it exits with 1 both for findings and for failures, so read its output."""
    process = await asyncio.create_subprocess_exec(
        *AUDIT, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    except TimeoutError as error:
        raise HTTPException(504, f"the audit took more than {TIMEOUT_S} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        return json.loads(output)
    except ValueError as error:
        reason = errors.decode(errors="replace").strip().splitlines() or ["no output"]
        raise HTTPException(502, f"the audit failed: {reason[-1]}") from error


@app.post("/audits")
async def audit(requirements: Requirements) -> Any:
    """Audit pinned requirements, without resolving or installing anything."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text(requirements.text, encoding="utf-8")
        return await run_audit("--requirement", str(file), "--no-deps", "--disable-pip")


@app.get("/audits/self")
async def audit_self() -> Any:
    """Audit the packages this service runs on."""
    return await run_audit("--local")
