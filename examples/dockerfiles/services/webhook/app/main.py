"""Takes events in and logs them."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from voice.health import answer

log = structlog.get_logger()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = answer(self.path, {})
        self._send(status, body)

    def do_POST(self) -> None:
        event = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        log.info("event", path=self.path, size=len(event))
        self._send(202, {"taken": len(event)})

    def _send(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        log.info("request", line=format % args)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8000), Handler).serve_forever()
