# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages' static files, out of the packages. Runs on Django's threads."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

from edge.compression import SMALLEST, gzipped, takes_gzip
from edge.hashed_static import content_of, plain_name
from edge.kept_pages import MadeOnce
from edge.pages import READS

KEEP = "max-age=31536000, public, immutable"  # a year, the most that HTTP knows (RFC 9111)
COMPRESSIBLE = ("text/", "image/svg+xml", "application/json", "application/javascript")


class StaticMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc] # untyped
    """WhiteNoise with whole answers, which are kept, and with addresses that name their content."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request for a static file; hand on all others."""
        path = request.path_info
        if path.startswith(self.static_prefix):
            name = plain_name(path.removeprefix(self.static_prefix))
            if name is not None and self.static_prefix + name in self.files:
                return self._hashed(request, name)
        answer: HttpResponseBase = super().__call__(request)
        return answer

    def _hashed(self, request: HttpRequest, name: str) -> HttpResponseBase:
        """Return the file whose address has a hash."""
        if request.method not in READS:
            return HttpResponseNotAllowed(READS)
        own = staticfiles_storage.url(name)
        if own != request.path_info:
            # A page of another release: it is led to this release's file, and asks again next time.
            return HttpResponseRedirect(own, headers={"Cache-Control": "no-cache"})
        content = content_of(name)
        assert content is not None  # it is among the files
        media_type = self.media_types.get_type(name)
        answer = MadeOnce(
            content, content_type=f"{media_type}; charset=utf-8" if media_type[:5] == "text/" else media_type
        )
        answer["Cache-Control"] = KEEP
        answer["ETag"] = f'"{own.rsplit(".", 2)[1]}"'
        return _compressed(request, answer)

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """Return the answer for a file at its plain address."""
        if request.method not in READS:
            return HttpResponseNotAllowed(READS)
        answer = static_file.get_response(request.method, request.META)
        with answer.file or BytesIO() as file:
            whole = MadeOnce(file.read(), status=int(answer.status), headers=dict(answer.headers))
        return _compressed(request, whole)


def _compressed(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Return a file's answer, compressed if that helps and the client takes gzip."""
    if answer.status_code != 200 or not answer["Content-Type"].startswith(COMPRESSIBLE):
        return answer
    patch_vary_headers(answer, ("Accept-Encoding",))
    accepted = request.headers.get("Accept-Encoding", "").encode("latin-1", "replace")
    if len(answer.content) >= SMALLEST and takes_gzip(accepted):
        answer.content = gzipped(answer.content)
        answer["Content-Encoding"] = "gzip"
        answer["ETag"] = f"W/{answer['ETag'].removeprefix('W/')}"  # the same file in other bytes
        answer["Content-Length"] = str(len(answer.content))
    return answer
