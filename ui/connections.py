"""Connections that do not wait for ever: for a request that trickles in, or for a client that does not read its answer.

uvicorn closes an idle connection, but lets one that has begun take any time. What comes after the headers is timed by
`ui.security.Guard`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS = 10.0  # seconds that a request's line and headers may take, from the first byte or from the connection
UNREAD = 30.0  # seconds after which it is looked at whether a client reads
SLOWEST = 1000.0  # bytes a second that a body must come with, and an answer be read with


class Server(uvicorn.Server):
    """uvicorn's server, which ends the connections that never end by themselves as soon as it is told to stop."""

    def __init__(self, config: uvicorn.Config, end: Callable[[], object]) -> None:
        """A server of the application in ``config``; ``end`` ends such connections."""
        super().__init__(config)
        self._end = end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what has begun; without `end`, an open page would be waited for until patience ends."""
        self._end()
        await super().shutdown(sockets)


class Impatient(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with an end to patience."""

    _heading: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, but not for ever."""
        super().connection_made(transport)
        self._heading = self.loop.call_later(HEADERS, self._too_late)

    def data_received(self, data: bytes) -> None:
        """The clock runs while headers have begun and not ended."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_heading()
        elif self._heading is None:
            self._heading = self.loop.call_later(HEADERS, self._too_late)

    def pause_writing(self) -> None:
        """The client is behind with reading: see whether it reads at all."""
        super().pause_writing()
        self._look(0)

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._stop_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_heading()
        self._stop_reading()
        super().connection_lost(exc)

    def _too_late(self) -> None:
        self._heading = None
        self.transport.close()

    def _look(self, most: int) -> None:
        """Cut the connection where more is still to be read than there should be by now."""
        left = self.transport.get_write_buffer_size()
        if most and left > most:
            self.transport.abort()
            return
        most = max(left - int(SLOWEST * UNREAD), 1)
        self._reading = self.loop.call_later(UNREAD, self._look, most)

    def _stop_heading(self) -> None:
        if self._heading:
            self._heading.cancel()
            self._heading = None

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading.cancel()
            self._reading = None
