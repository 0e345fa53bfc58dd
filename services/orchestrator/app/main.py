"""Turns what was said into an answer: a prompt, a language model, a parser, as one chain."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from voiceplatform import settings
from voiceplatform.resource import Resource, environment
from voiceplatform.service import create_service

SYSTEM = "You answer in a voice conversation: short sentences, no lists, no markup."


class Turn(BaseModel):
    """What a speaker said, and what was said before."""

    speaker: str = "someone"
    text: str = Field(min_length=1, max_length=4000)
    history: list[tuple[str, str]] = []


class Answer(BaseModel):
    """What to say."""

    text: str


def build_chain() -> Any:
    """Build the chain; its packages take seconds to import, so this runs in the background."""
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
    from langchain_openai import ChatOpenAI

    prompt = ChatPromptTemplate.from_messages(
        [("system", SYSTEM), MessagesPlaceholder("history"), ("human", "{speaker}: {text}")]
    )
    model = ChatOpenAI(
        model=settings.text("ORCHESTRATOR_MODEL", "gpt-4o-mini"), timeout=30, max_retries=2
    )
    return prompt | model | StrOutputParser()


chain: Resource[Any] = Resource("language-model", build_chain, environment("OPENAI_API_KEY"))
app: FastAPI = create_service("orchestrator", resources=[chain])


@app.post("/turns")
async def answer(turn: Turn) -> Answer:
    """Answer one turn of a conversation."""
    ready_chain = chain.get()
    from openai import OpenAIError

    history = [(role, text) for role, text in turn.history if role in {"human", "ai"}]
    said = {"history": history, "speaker": turn.speaker, "text": turn.text}
    try:
        return Answer(text=await ready_chain.ainvoke(said))
    except OpenAIError as error:
        raise HTTPException(502, f"language model: {error}") from error
