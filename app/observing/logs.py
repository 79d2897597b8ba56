"""Logs as lines of JSON, or as text for people; both with the id of the request they are about."""

import logging
import re
from collections.abc import MutableMapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Literal

import orjson

from app.observing.exchange import Exchange, request_id

Format = Literal["json", "text"]

_access = logging.getLogger("upesi.access")
# Parameters by which others hand secrets over in a URL. None of ours is, but people try.
_SECRETS = re.compile(r"(?i)\b((?:access_token|api_?key|key|password|sig|signature|subscription-key)=)[^&]*")
_LONGEST_QUERY = 2000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Json(logging.Formatter):
    """An object a line: `time`, `level`, `logger`, `message`, `request_id`, `error`, and the fields of an access."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if known := request_id.get():
            line["request_id"] = known
        line |= getattr(record, "access", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        # Whatever a client put into a path: a text that is no Unicode would end the log, and not the request.
        return orjson.dumps(line, default=str).decode() if _is_text(line) else orjson.dumps(_replaced(line)).decode()


class Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        about = f" [{known}]" if (known := request_id.get()) else ""
        line = f"{record.levelname + ':':<9} {_CONTROL.sub('?', record.getMessage())}{about}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


_FORMATTERS: dict[Format, type[logging.Formatter]] = {"json": Json, "text": Text}


def _is_text(line: dict[str, Any]) -> bool:
    return all(not isinstance(value, str) or value.isascii() or _encodes(value) for value in line.values())


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _replaced(line: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.encode(errors="replace").decode() if isinstance(value, str) else value
        for name, value in line.items()
    }


def configuration(form: Format) -> dict[str, Any]:
    """For logging.config, and for uvicorn. What uvicorn writes of each request is written by `Access` instead."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": f"{__name__}.{_FORMATTERS[form].__name__}"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "loggers": {
            "upesi": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            # What they warn of Python would write as it is, a traceback over many lines.
            "asyncio": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "asyncpg": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "uvicorn.error": {"handlers": [], "level": "INFO", "propagate": True},
            "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": False},
        },
    }


class Access:
    """Writes a line for each request."""

    def begin(self, scope: MutableMapping[str, Any], exchange: Exchange) -> None:
        """Nothing: the line is of the end."""

    def end(self, scope: MutableMapping[str, Any], exchange: Exchange) -> None:
        milliseconds = round((perf_counter() - exchange.began) * 1000, 2)
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        query = _SECRETS.sub(r"\1…", scope["query_string"][:_LONGEST_QUERY].decode("latin-1"))
        path = raw.decode("latin-1")
        peer = scope.get("client")
        fields = {
            "method": scope["method"],
            "path": path,
            "query": query,
            "route": exchange.route,
            "status": exchange.status,
            "milliseconds": milliseconds,
            "client": peer[0] if peer else None,
            "stages": {name: round(seconds * 1000, 2) for name, seconds in exchange.watch.laps.items()},
        }
        asked = f"{path}?{query}" if query else path
        _access.info("%s %s %s %s ms", scope["method"], asked, exchange.status, milliseconds, extra={"access": fields})
