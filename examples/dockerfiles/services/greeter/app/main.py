"""Greets callers by name."""

from fastapi.responses import HTMLResponse
from jinja2 import Template
from voice_web import make_app

PAGE = Template("<h1>Hello, {{ name | e }}</h1>")
app = make_app({"template": lambda: bool(PAGE.render(name="x"))})


@app.get("/hello/{name}", response_class=HTMLResponse)
def hello(name: str) -> str:
    return PAGE.render(name=name)
