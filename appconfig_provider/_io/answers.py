"""Reads an answer of httpcore's chunk by chunk, within bounds of time and size."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import httpcore

from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._io.http import DecodingError, time_left
from appconfig_provider._plan import Response, Send
from appconfig_provider.protocols import Clock

MAX_BODY = 8 * 1024 * 1024
"""Bytes. The service's pages have at most 1 MB, so an answer that is far larger is not a page."""
PIECE = 1024 * 1024
"""Bytes that are decompressed before the clock is read again."""


class Answer:
    """Collects an answer, and gives up when it takes too long or grows too big."""

    def __init__(self, effect: Send, clock: Clock, answer: httpcore.Response) -> None:
        self._effect = effect
        self._clock = clock
        self._status = answer.status
        self._headers = read_headers(answer.headers)
        packed = self._headers.get("content-encoding", "").strip().lower() in _Unpacking.CODINGS
        self._unpacking = _Unpacking() if packed else None
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Take a chunk.

        Raises:
            RequestFailed: past the deadline, or past `MAX_BODY`.
            DecodingError: it is not encoded the way its header says.
        """
        if self._unpacking is None:
            self._keep(chunk)
            return
        # In pieces: a small chunk may decompress to very much, and that takes time.
        for piece in self._unpacking.unpack(chunk):
            self._keep(piece)

    def _keep(self, chunk: bytes) -> None:
        time_left(self._effect, self._clock, "the time ended in the middle of the answer to")
        self._size += len(chunk)
        if self._size > MAX_BODY:
            origin = self._effect.request.origin
            raise RequestFailed(Kind.MALFORMED, origin, f"an answer passed {MAX_BODY} bytes")
        self._chunks.append(chunk)

    def whole(self) -> Response:
        """Return what was collected."""
        return Response(self._status, self._headers, b"".join(self._chunks))


def read_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by their names in lower case; values of a repeated one are joined by `, `."""
    read = [(name.decode("ascii").lower(), value.decode("latin-1")) for name, value in pairs]
    headers = dict(read)
    if len(headers) == len(read):
        return headers
    values: dict[str, list[str]] = {}
    for name, value in read:
        values.setdefault(name, []).append(value)
    return {name: ", ".join(parts) for name, parts in values.items()}


class _Unpacking:
    """Undoes gzip and deflate, which are asked for only by a program's own `accept-encoding`."""

    CODINGS = frozenset({"gzip", "deflate"})

    def __init__(self) -> None:
        # `| 32` finds out by itself whether a header of gzip or of zlib comes. Some servers send
        # deflate without any header; `_piece` tries that second.
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._begun = False

    def unpack(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk holds, in pieces of at most `PIECE` bytes.

        Raises:
            DecodingError: the bytes are neither gzip nor deflate.
        """
        while chunk:
            yield self._piece(chunk)
            chunk = self._stream.unconsumed_tail

    def _piece(self, chunk: bytes) -> bytes:
        begun, self._begun = self._begun, True
        try:
            return self._stream.decompress(chunk, PIECE)
        except zlib.error as error:
            if begun:
                raise DecodingError(str(error)) from error
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        return self._piece(chunk)
