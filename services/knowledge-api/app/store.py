"""The store: passages in Neo4j, found by the distance of their embeddings."""

from __future__ import annotations

from typing import Any

from neo4j import AsyncDriver, AsyncGraphDatabase, GraphDatabase

from voiceplatform import settings
from voiceplatform.components import READY, Status, waiting

DIMENSIONS = 1536
LIMITS = {"connection_timeout": 2.0, "connection_acquisition_timeout": 2.0}  # in seconds
RETRY_S = 5.0
URI = settings.text("NEO4J_URI", "bolt://neo4j:7687")
INDEX = f"""
CREATE VECTOR INDEX passages IF NOT EXISTS FOR (p:Passage) ON (p.embedding)
OPTIONS {{indexConfig: {{
  `vector.dimensions`: {DIMENSIONS}, `vector.similarity_function`: 'cosine'}}}}
"""
REMEMBER = """
MERGE (d:Document {title: $title})
CREATE (d)-[:HAS]->(:Passage {text: $text, embedding: $embedding})
"""
FIND = """
CALL db.index.vector.queryNodes('passages', $limit, $embedding) YIELD node, score
MATCH (d:Document)-[:HAS]->(node)
RETURN d.title AS title, node.text AS text, score
"""


def _auth() -> tuple[str, str] | None:
    password = settings.text("NEO4J_PASSWORD")
    return (settings.text("NEO4J_USER", "neo4j"), password) if password else None


def server_status() -> Status:
    """Return whether the server answers; a connection of its own, given up after 2 seconds."""
    with GraphDatabase.driver(URI, auth=_auth(), **LIMITS) as driver:
        try:
            driver.verify_connectivity()
        except Exception as error:
            return waiting(f"{URI}: {error}")
    return READY


class Store:
    """Passages and their embeddings."""

    def __init__(self) -> None:
        self._driver: AsyncDriver = AsyncGraphDatabase.driver(
            URI, auth=_auth(), max_transaction_retry_time=RETRY_S, **LIMITS
        )

    async def close(self) -> None:
        await self._driver.close()

    async def remember(self, title: str, text: str, embedding: list[float]) -> None:
        await self._driver.execute_query(INDEX)
        await self._driver.execute_query(REMEMBER, title=title, text=text, embedding=embedding)

    async def find(self, embedding: list[float], limit: int) -> list[dict[str, Any]]:
        result = await self._driver.execute_query(FIND, embedding=embedding, limit=limit)
        return [record.data() for record in result.records]
