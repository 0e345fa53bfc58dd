"""The page: asks a service whether it is ready, and sends it a request of one's own."""

from __future__ import annotations

import json
from typing import Any

import gradio
import httpx
from fastapi import FastAPI

TIMEOUT_S = 30


def send(method: str, address: str, body: str) -> tuple[str, str]:
    """Send a request; return its status and its body as readable text."""
    try:
        content = json.loads(body) if body.strip() else None
        answer = httpx.request(method, address, json=content, timeout=TIMEOUT_S)
    except (ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        return "failed", f"{type(error).__name__}: {error}"
    try:
        text = json.dumps(answer.json(), indent=2)
    except ValueError:
        text = f"{len(answer.content)} bytes of {answer.headers.get('content-type', 'unknown')}"
    return f"{answer.status_code} {answer.reason_phrase}", text


def build_page(services: dict[str, str]) -> FastAPI:
    """Build the page as an application; `services` maps names to addresses."""
    choices: list[Any] = [(name, f"{url}/health/ready") for name, url in services.items()]
    with gradio.Blocks(title="Voice platform") as page:
        gradio.Markdown("# Voice platform\nPick a service or type an address.")
        with gradio.Row():
            method = gradio.Dropdown(["GET", "POST"], value="GET", label="Method", scale=1)
            address = gradio.Dropdown(choices, label="Address", allow_custom_value=True, scale=5)
        body = gradio.Code("", language="json", label="Body")
        button = gradio.Button("Send", variant="primary")
        status = gradio.Textbox(label="Status")
        answer = gradio.Code(language="json", label="Answer")
        button.click(send, [method, address, body], [status, answer])
    return gradio.mount_gradio_app(FastAPI(), page, path="/", ssr_mode=False)
