# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Pages and their static files, compressed for clients that take gzip. Runs on Django's threads; zlib frees the others.

Calls are not compressed: a gateway is near, and its answers are small.
"""

from __future__ import annotations

import re
import zlib

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

GZIP = re.compile(rb"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[0-9.]+\s*)?(?=,|$)", re.IGNORECASE)
SMALLEST = 200  # bytes: below, the head of gzip outweighs what it saves


def takes_gzip(accept_encoding: bytes) -> bool:
    """Return whether a client takes gzip, by its `Accept-Encoding`."""
    return GZIP.search(accept_encoding) is not None


def gzipped(content: bytes) -> bytes:
    """Return the content as gzip. The same content gives the same bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


class PageCompression(GZipMiddleware):
    """Compresses pages. Django's part adds a random length, so that a secret in a page can't be guessed by its size.

    `/metrics` stays as it is: a scrape each few seconds is a large share of a node's work already.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Return the response, compressed if it is a page and the client takes gzip."""
        if not response.get("Content-Type", "").startswith("text/html"):
            return response
        if not takes_gzip(request.headers.get("Accept-Encoding", "").encode("latin-1", "replace")):
            patch_vary_headers(response, ("Accept-Encoding",))
            return response
        return super().process_response(request, response)
