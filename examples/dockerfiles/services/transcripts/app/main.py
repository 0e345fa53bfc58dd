"""Keeps the words of a call and shows them as a page."""

from fastapi import UploadFile
from fastapi.responses import HTMLResponse
from jinja2 import Template
from voice_web import make_app

PAGE = Template("<ol>{% for line in lines %}<li>{{ line | e }}</li>{% endfor %}</ol>")
app = make_app({"template": lambda: bool(PAGE.render(lines=["x"]))})


@app.post("/page", response_class=HTMLResponse)
async def page(words: UploadFile) -> str:
    text = (await words.read()).decode("utf-8", "replace")
    return PAGE.render(lines=text.splitlines())
