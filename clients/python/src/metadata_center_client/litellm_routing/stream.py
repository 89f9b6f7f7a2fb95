# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A streamed answer on its way through: its first piece and its end are noticed, however it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from metadata_center_client.litellm_routing.flight import Flight, current_flight

OWN = frozenset({"_stream", "_pieces", "_flight"})


class WatchedStream:
    """A stream of LiteLLM's, in all else as it was: attributes and `isinstance` are those of the stream.

    The call is over when the stream ends, fails or is closed, when its reader is cancelled, and when nobody holds it.
    """

    def __init__(self, stream: Any, flight: Flight) -> None:
        self._stream = stream
        self._flight = flight
        self._pieces: AsyncIterator[Any] | None = None

    @property  # type: ignore[misc]  # wrappers say so in this way
    def __class__(self) -> Any:
        return type(self._stream)

    def __getattr__(self, name: str) -> Any:
        if name in OWN:  # not set yet
            raise AttributeError(name)
        return getattr(self._stream, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self._stream, name, value)

    def __aiter__(self) -> WatchedStream:
        return self

    async def __anext__(self) -> Any:
        if self._pieces is None:
            self._pieces = aiter(self._stream)
        outer = current_flight.get()
        current_flight.set(self._flight)  # LiteLLM may fall back to another engine in here
        try:
            piece = await anext(self._pieces)
        except BaseException:
            self._flight.end()
            raise
        finally:
            current_flight.set(outer)
        self._flight.first_token()
        return piece

    async def __aenter__(self) -> WatchedStream:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the stream."""
        self._flight.end()
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()

    def __del__(self) -> None:
        flight = self.__dict__.get("_flight")
        if flight is not None:
            flight.end()
