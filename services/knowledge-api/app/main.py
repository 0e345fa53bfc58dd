"""Remembers texts and finds them again by meaning: OpenAI embeddings, kept in Neo4j."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, HTTPException, Query
from neo4j.exceptions import DriverError, Neo4jError
from pydantic import BaseModel, Field

from app.store import Store, server_status
from voiceplatform import settings
from voiceplatform.components import Components
from voiceplatform.resource import Resource, environment
from voiceplatform.service import create_service

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class Passage(BaseModel):
    """A text worth remembering."""

    title: str = Field(min_length=1, max_length=200)
    text: str = Field(min_length=1, max_length=8000)


class Found(BaseModel):
    """A text that was found, and how near it is: 1 is the same."""

    title: str
    text: str
    score: float


def load_client() -> AsyncOpenAI:
    """Make the client of the embeddings service."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(timeout=30, max_retries=2)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold the store's connections while the service runs."""
    app.state.store = Store()
    yield
    await app.state.store.close()


embeddings: Resource[Any] = Resource("openai", load_client, environment("OPENAI_API_KEY"))
components = Components()
components.add("neo4j", server_status)
app = create_service(
    "knowledge-api", components=components, resources=[embeddings], lifespan=lifespan
)


async def embed(text: str) -> list[float]:
    """Return a text's embedding."""
    client = embeddings.get()
    from openai import OpenAIError

    model = settings.text("EMBEDDING_MODEL", "text-embedding-3-small")
    try:
        answer = await client.embeddings.create(model=model, input=text)
    except OpenAIError as error:
        raise HTTPException(502, f"openai: {error}") from error
    return list(answer.data[0].embedding)


@app.post("/passages", status_code=201)
async def remember(passage: Passage) -> Passage:
    """Remember a text."""
    embedding = await embed(passage.text)
    try:
        await app.state.store.remember(passage.title, passage.text, embedding)
    except (DriverError, Neo4jError) as error:
        raise HTTPException(503, f"neo4j: {error}") from error
    return passage


@app.get("/passages")
async def find(q: str, limit: Annotated[int, Query(ge=1, le=50)] = 5) -> list[Found]:
    """Find texts that mean something like the question."""
    embedding = await embed(q)
    try:
        return [Found(**row) for row in await app.state.store.find(embedding, limit)]
    except (DriverError, Neo4jError) as error:
        raise HTTPException(503, f"neo4j: {error}") from error
