"""The service with writes, over the database of the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from app.settings import Settings
from tests.api.assertions import JSON
from tests.api.serving import serving


@asynccontextmanager
async def writing(settings: Settings, **others: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings.model_copy(update={"writes": "open", **others})) as client:
        yield client


async def is_taken(client: httpx.AsyncClient, path: str, content: bytes) -> bool:
    """Whether a document that is posted there is stored, and not refused."""
    response = await client.post(path, content=content, headers={"Content-Type": JSON})
    assert response.status_code in (201, 400), response.text
    return response.status_code == 201
