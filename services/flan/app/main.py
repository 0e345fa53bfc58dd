"""Follows written instructions about a text, with a FLAN-T5 model."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field

from voiceplatform import settings
from voiceplatform.resource import Resource, files
from voiceplatform.service import create_service

MODEL = settings.path("FLAN_MODEL", "/models/flan")
Generate = Any


class Instruction(BaseModel):
    """What to do, in words, and how long the answer may be."""

    text: str = Field(min_length=1, max_length=4000)
    max_new_tokens: int = Field(default=128, ge=1, le=512)


class Answer(BaseModel):
    """What the model wrote."""

    text: str


def load_model() -> tuple[Any, Any]:
    """Load tokenizer and model from files of this machine; nothing is downloaded."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL, local_files_only=True)
    model = AutoModelForSeq2SeqLM.from_pretrained(MODEL, local_files_only=True)
    return tokenizer, model.eval()


flan: Resource[tuple[Any, Any]] = Resource(
    "flan-model", load_model, files(MODEL / "config.json", MODEL / "spiece.model")
)
app: FastAPI = create_service("flan", resources=[flan])


@app.post("/answers")
def follow(instruction: Instruction) -> Answer:
    """Follow an instruction."""
    import torch

    tokenizer, model = flan.get()
    tokens = tokenizer(instruction.text, return_tensors="pt", truncation=True)
    with torch.inference_mode():
        output = model.generate(**tokens, max_new_tokens=instruction.max_new_tokens)
    return Answer(text=tokenizer.decode(output[0], skip_special_tokens=True))
