"""The service with writes, over the database of the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from app.settings import Settings
from tests.api.serving import serving


@asynccontextmanager
async def writing(settings: Settings, **others: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings.model_copy(update={"writes": "open", **others})) as client:
        yield client
