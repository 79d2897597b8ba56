"""The only way out for GDAL: a SOCKS5 proxy (RFC 1928) that connects to the hosts the operator allows.

GDAL follows redirects, and has no setting against it. What it opens is checked before (`app.raster.sources`), and what
it connects to is checked here, so that a redirect leads no further than an href does.
"""

import asyncio
import ipaddress
import threading
from contextlib import suppress
from queue import SimpleQueue

from app.raster.sources import Sources

_VERSION, _NO_PASSWORD, _CONNECT = 5, 0, 1
_DONE, _FORBIDDEN, _UNREACHABLE, _UNKNOWN_COMMAND = 0, 2, 4, 7
_CHUNK = 1 << 16


def opened(sources: Sources) -> str:
    """Start a gate, for as long as the process lives; its URL for curl, which leaves the names to it."""
    ports: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=lambda: asyncio.run(_serve(sources, ports)), name="gate", daemon=True).start()
    return f"socks5h://127.0.0.1:{ports.get(timeout=10)}"


async def _serve(sources: Sources, ports: "SimpleQueue[int]") -> None:
    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await _connect(sources, reader, writer)
        writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    ports.put(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


async def _connect(sources: Sources, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    writer.write(bytes((_VERSION, _NO_PASSWORD)))
    _, command, _, kind = await reader.readexactly(4)
    host = await _host(reader, kind)
    port = int.from_bytes(await reader.readexactly(2), "big")
    if command != _CONNECT:
        _reply(writer, _UNKNOWN_COMMAND)
    elif not sources.admits(host, port):
        _reply(writer, _FORBIDDEN)
    else:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            _reply(writer, _UNREACHABLE)
            return
        _reply(writer, _DONE)
        await asyncio.gather(_relay(reader, far_writer), _relay(far_reader, writer))


async def _host(reader: asyncio.StreamReader, kind: int) -> str:
    if kind == 3:
        (length,) = await reader.readexactly(1)
        return (await reader.readexactly(length)).decode("ascii", "replace")
    return str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))


def _reply(writer: asyncio.StreamWriter, status: int) -> None:
    writer.write(bytes((_VERSION, status, 0, 1, 0, 0, 0, 0, 0, 0)))


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()
