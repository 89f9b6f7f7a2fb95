# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Static files under addresses that name their content: kept for ever, compressed, whole."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings

from edge import hashed_static
from edge.compression import takes_gzip
from edge.hashed_static import HashedStatic, plain_name
from edge.kept_pages import MadeOnce
from edge.static_files import StaticMiddleware
from tests.unit.partial_node import PartialNode

STYLE, SCRIPT = "console/console.css", "console/overview.js"
GZIP = {"Accept-Encoding": "gzip, deflate"}


@pytest.fixture(scope="module")
def serve() -> StaticMiddleware:
    return StaticMiddleware(lambda request: HttpResponse("elsewhere"))


def get(serve: StaticMiddleware, path: str, **headers: str) -> Any:
    return serve(RequestFactory().get(path, headers=headers))


def source(name: str) -> bytes:
    return Path(str(finders.find(name))).read_bytes()


def test_an_address_names_its_content(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = HashedStatic().url(STYLE)
    assert re.fullmatch(r"/static/console/console\.[0-9a-f]{12}\.css", address)
    assert plain_name(address.removeprefix("/static/")) == STYLE
    other = tmp_path / "console.css"
    other.write_text("other")
    monkeypatch.setattr(hashed_static.finders, "find", lambda name: str(other))
    assert HashedStatic().url(STYLE) != address


def test_a_script_changes_its_address_with_what_it_imports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text('import { a } from "./part.js";\nconsole.log(a);\n')
    monkeypatch.setattr(hashed_static.finders, "find", lambda name: str(tmp_path / name))
    addresses = set()
    for value in (1, 2):
        (tmp_path / "part.js").write_text(f"export const a = {value};\n")
        addresses.add(HashedStatic().url("page.js"))
    assert len(addresses) == 2


def test_it_may_be_kept_for_ever(serve: StaticMiddleware) -> None:
    answer = get(serve, staticfiles_storage.url(STYLE))
    assert answer["Cache-Control"] == "max-age=31536000, public, immutable"
    assert answer["Content-Type"] == "text/css; charset=utf-8"
    assert answer.content == source(STYLE)
    assert isinstance(answer, MadeOnce)


def test_a_script_comes_with_all_that_it_imports(serve: StaticMiddleware) -> None:
    text = get(serve, staticfiles_storage.url(SCRIPT)).content.decode()
    assert "class LiveSocket" in text
    assert not re.search("^import ", text, re.MULTILINE)
    assert get(serve, f"/static/{SCRIPT}").content == source(SCRIPT), "the module itself is at its plain address"


def test_a_script_that_cannot_be_joined_is_served_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "page.js").write_text('import some from "./part.js";\nimport "./part.js";\n')
    (tmp_path / "part.js").write_text("")
    monkeypatch.setattr(hashed_static.finders, "find", lambda name: str(tmp_path / name))
    assert hashed_static.content_of("page.js") == (tmp_path / "page.js").read_bytes()
    assert "import some" in caplog.text


def test_the_address_of_another_release_leads_to_this_ones_and_is_not_kept(serve: StaticMiddleware) -> None:
    answer = get(serve, "/static/console/console.0123456789ab.css")
    assert (answer.status_code, answer["Location"]) == (302, staticfiles_storage.url(STYLE))
    assert answer["Cache-Control"] == "no-cache"
    assert not isinstance(answer, MadeOnce)


def test_what_is_no_file_is_not_served(serve: StaticMiddleware) -> None:
    for path in (
        "/static/console/nope.0123456789ab.css",
        "/static/../manage.0123456789ab.py",
        "/static/.0123456789ab.x",
    ):
        assert get(serve, path).content == b"elsewhere"


@pytest.mark.parametrize("path", [f"/static/{STYLE}", None])
def test_text_is_compressed_for_who_takes_it(serve: StaticMiddleware, path: str | None) -> None:
    path = path or staticfiles_storage.url(STYLE)
    packed, whole = get(serve, path, **GZIP), get(serve, path)
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == whole.content
    assert int(packed["Content-Length"]) == len(packed.content) < len(whole.content) / 2
    assert packed["Vary"] == whole["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in whole
    assert packed["ETag"] != whole["ETag"]


def test_a_font_is_not_compressed_again(serve: StaticMiddleware) -> None:
    font = next(path for path in serve.files if path.endswith(".woff2"))
    assert "Content-Encoding" not in get(serve, font, **GZIP)


def test_only_reads_are_answered(serve: StaticMiddleware) -> None:
    assert serve(RequestFactory().put(staticfiles_storage.url(STYLE))).status_code == 405


def test_while_developing_addresses_are_plain() -> None:
    with override_settings(DEBUG=True):
        assert HashedStatic().url(STYLE) == f"/static/{STYLE}"
    assert HashedStatic().url("nope.css") == "/static/nope.css"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/console/", "/docs/", "/admin/login/"])
def test_every_file_of_a_page_has_such_an_address(node: PartialNode, path: str) -> None:
    text = Client().get(path, headers={"Accept": "text/html"}).content.decode()
    named = re.findall(r'"/static/([^"]*)"', text)
    assert named
    assert [each for each in named if plain_name(each) is None] == []


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("xgzip", False),
        ("gzip;q=0", False),
        ("deflate, gzip;q=0.0, br", False),
        ("identity;q=1, *;q=0", False),
    ],
)
def test_who_takes_gzip(accepted: str, takes: bool) -> None:
    assert takes_gzip(accepted.encode()) is takes


def test_pages_are_compressed_and_metrics_and_answers_to_programs_are_not(node: PartialNode) -> None:
    packed = Client().get("/console/", headers={"Accept": "text/html", **GZIP})
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content).startswith(b"<!doctype html>")
    whole = Client().get("/console/", headers={"Accept": "text/html"})
    assert "Accept-Encoding" in whole["Vary"]
    assert "Content-Encoding" not in whole
    for path in ("/metrics", "/v1/load/stats?cluster=none"):
        assert "Content-Encoding" not in Client().get(path, headers=GZIP)
