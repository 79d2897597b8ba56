"""A client's connection, and what becomes of it when its worker leaves."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# For the first request of a client that has just connected to arrive, seconds.
_FIRST_REQUEST = 2.0


class Connection(HttpToolsProtocol):
    """uvicorn's, which ends each that has no request when the worker is told to stop.

    Who has just connected has a request on its way, and no reason to send it a second time when it is lost: it is
    waited for, and answered with `Connection: close`. One that is idle between requests is ended, which its client is
    ready for (RFC 9112, section 9.3.1).
    """

    _has_asked = False
    _leaving = False

    def on_headers_complete(self) -> None:
        self._has_asked = True
        super().on_headers_complete()
        if self._leaving:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        if self._has_asked:
            super().shutdown()
        else:
            self._leaving = True
            self.loop.call_later(_FIRST_REQUEST, super().shutdown)
