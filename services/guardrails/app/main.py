"""Filters text: rules always, and a classifier where its model is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from pydantic import BaseModel, Field

from app.rules import find_personal_data, find_words, mask
from voiceplatform import settings
from voiceplatform.components import READY, Components
from voiceplatform.resource import Resource, files
from voiceplatform.service import create_service

if TYPE_CHECKING:
    from app.classifier import Classifier

MODEL = settings.path("GUARDRAILS_MODEL", "")
WORDS = [word for word in settings.text("GUARDRAILS_WORDS").split(",") if word]
LIMIT = float(settings.text("GUARDRAILS_LIMIT", "0.8"))
HARMLESS = {"safe", "neutral", "ok", "non-toxic"}


class Text(BaseModel):
    """What someone is about to say."""

    text: str = Field(max_length=20_000)


class Verdict(BaseModel):
    """Whether it may be said, why not, and how it reads with the findings masked."""

    allowed: bool
    reasons: list[str]
    masked: str
    scores: dict[str, float] = {}


def load_classifier() -> Classifier:
    """Load the model; onnxruntime is imported only for it."""
    from app.classifier import Classifier

    return Classifier(MODEL)


components = Components()
components.add("rules", lambda: READY)
classifier: Resource[Classifier] | None = None
if settings.text("GUARDRAILS_MODEL"):
    needed = files(MODEL / "model.onnx", MODEL / "tokenizer.json")
    classifier = Resource("classifier", load_classifier, needed)
app: FastAPI = create_service(
    "guardrails", components=components, resources=[classifier] if classifier else []
)


@app.post("/verdicts")
def judge(said: Text) -> Verdict:
    """Say whether a text may be said."""
    findings = [*find_personal_data(said.text), *find_words(said.text, WORDS)]
    scores = classifier.get().classify(said.text) if classifier else {}
    reasons = {finding.rule for finding in findings}
    reasons |= {k for k, score in scores.items() if score >= LIMIT and k.lower() not in HARMLESS}
    return Verdict(
        allowed=not reasons,
        reasons=sorted(reasons),
        masked=mask(said.text, findings),
        scores=scores,
    )
