# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The pictures in README and docs/, taken of real nodes under load: `make screenshots`, about three minutes.

Three nodes are fed by a thread of its own; a browser looks at them, light and dark. A page that is not there is left
out, and said so.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from heapq import heappop, heappush
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from random import Random
from threading import Event, Thread
from time import monotonic

from PIL import Image

from tests.browser.chromium import Tab, chromium
from tests.clusters import ClusterNode, running_cluster
from tests.nodes import ROOT

IMAGES = ROOT / "docs" / "images"
WIDTH = 1440
SCHEMES = ("light", "dark")
MINUTE = 56  # seconds: pictures of the last minute are full then
EXPIRE_SECONDS = 200  # what nobody ended; engines with no news are stale after a quarter of it
GRACE_SECONDS = 300  # orphans stay for all pictures
OWNERS = tuple(f"gateway-{letter}" for letter in "acdefghi")
LEAKING = OWNERS[3]  # does not report the ends of some requests
LEAKED = 900
STUCK = ("10.20.1.77", "10.20.2.140", "10.20.3.9")  # engines of the first cluster whose gateway died
SILENT = "gateway-b"  # said that it lives, and never again; a part of these engines' requests are its own
ORPHANED = ("10.20.0.41", "10.20.1.203", "10.20.3.118", "10.21.0.17")

# Name, engines, requests in flight on each, and how unevenly (sigma of a log-normal distribution).
CLUSTERS = (
    ("deepseek-r1", 1000, 4.0, 0.6),
    ("gpt-oss-120b", 64, 7.0, 0.5),
    ("qwen3-235b-a22b", 32, 10.0, 0.12),
    ("llama-3.3-70b", 24, 8.0, 0.25),
    ("mistral-large", 16, 3.0, 0.8),
    ("whisper-large-v3", 6, 1.0, 0.3),
    ("bge-m3-embeddings", 8, 2.0, 0.4),
)
LIFE_SECONDS = 20.0
REQUEST = "chatcmpl-9f3b61d0"  # the one that is looked up
PREFILL_SECONDS = 1.2


class Gateways:
    """Requests begin, get their first token and tokens, and end, each engine in its own measure. Ends by `stop`."""

    def __init__(self, node: ClusterNode) -> None:
        self._random = Random(7)
        self._connection = HTTPConnection(node.address, node.port, timeout=10)
        self._due: list[tuple[float, int, str, str, dict[str, object]]] = []
        self._count = self._calls = 0
        self._stop = Event()
        self._thread = Thread(target=self._run, name="gateways")
        self.engines = [
            (name, f"10.{20 + place}.{number // 250}.{number % 250 + 1}", mean * self._random.lognormvariate(0, sigma))
            for place, (name, engines, mean, sigma) in enumerate(CLUSTERS)
            for number in range(engines)
        ]

    def start(self) -> None:
        """Fill all engines, then go on from there."""
        for cluster, ip, mean in self.engines:
            for _ in range(max(1, round(mean))):
                self._begin(cluster, ip, 1e9 if ip in STUCK else self._random.expovariate(1 / LIFE_SECONDS))
            for _ in range(3 if ip in ORPHANED else 0):
                self._begin(cluster, ip, 1e9, SILENT)
        for cluster, ip, _ in self.engines[: LEAKED // 2] * 2:
            self._begin(cluster, ip, 1e9, LEAKING)
        for owner in OWNERS:
            self._call("PUT", "/v1/load/owner", {"owner": owner, "ttl_seconds": 3600})
        self._call("PUT", "/v1/load/owner", {"owner": SILENT, "ttl_seconds": 1})
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        weights = [0.0 if ip in STUCK else mean for _, ip, mean in self.engines]
        born = monotonic()
        while not self._stop.wait(0.05):
            now = monotonic()
            wave = 1 + 0.15 * math.sin((now - born) / 9)
            for cluster, ip, _ in self._random.choices(
                self.engines, weights, k=int(sum(weights) * wave / LIFE_SECONDS / 20)
            ):
                self._begin(cluster, ip, self._random.expovariate(1 / LIFE_SECONDS))
            while self._due and self._due[0][0] <= now:
                _, _, method, path, body = heappop(self._due)
                self._call(method, path, body)

    def _begin(self, cluster: str, ip: str, seconds: float, owner: str = "") -> None:
        self._count += 1
        named: dict[str, object] = {"request_id": f"chatcmpl-{self._count:08x}"}
        prompt = int(self._random.lognormvariate(6.8, 0.9))
        owner = owner or OWNERS[self._count % len(OWNERS)]
        begun = named | {"cluster": cluster, "ip": ip, "prompt_length": prompt, "owner": owner}
        self._call("POST", "/v1/load/stats", begun)
        prefill = min(seconds, self._random.random() * 2 * PREFILL_SECONDS)
        self._later(prefill, "DELETE", "/v1/load/prompt", named)
        tokens = named | {"input_tokens": prompt, "output_tokens": self._random.randrange(600)}
        self._later(prefill, "PUT", "/v1/load/tokens", tokens)
        self._later(seconds, "DELETE", "/v1/load/stats", named)

    def _later(self, seconds: float, method: str, path: str, body: dict[str, object]) -> None:
        self._calls += 1  # what is due at one time is in its order
        heappush(self._due, (monotonic() + seconds, self._calls, method, path, body))

    def _call(self, method: str, path: str, body: dict[str, object]) -> None:
        self._connection.request(method, path, json.dumps(body))
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text


class Album:
    """Takes pictures with a tab."""

    def __init__(self, tab: Tab, site: str) -> None:
        self._tab = tab
        self._site = site

    def open(self, path: str) -> bool:
        """Go there; False, and a word, where it is not."""
        self._tab.open(f"{self._site}{path}")
        if self._tab.run("performance.getEntriesByType('navigation')[0].responseStatus") == 404:
            say(f"{path}: not there, left out")
            return False
        return True

    def live(self, seconds: float = 0.0) -> None:
        """Wait until the page is live, and as long again as it takes to be worth a picture."""
        self._tab.until("document.getElementById('sign').dataset.state === 'live'")
        self.rest(seconds)

    def rest(self, seconds: float) -> None:
        for _ in range(math.ceil(seconds)):
            self._tab.run("new Promise(done => setTimeout(done, 1000))")

    def take(self, name: str, height: int = 900, *, anew: bool = False) -> None:
        """The page as it is, light and dark; `anew` where it only asks for the scheme when it is opened."""
        self._tab.call(
            "Emulation.setDeviceMetricsOverride", width=WIDTH, height=height, deviceScaleFactor=1, mobile=False
        )
        for scheme in SCHEMES:
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            self._tab.call("Emulation.setEmulatedMedia", features=features)
            if anew:
                self._tab.open(self._tab.run("location.href"))
            self._tab.run("new Promise(done => setTimeout(done, 400))")
            data = self._tab.call("Page.captureScreenshot", format="png")["data"]
            file = IMAGES / f"{name}-{scheme}.png"
            picture = Image.open(BytesIO(b64decode(data))).convert("RGB")
            picture.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)  # half of its size
            say(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1024} KB")

    def log_in(self, name: str, password: str) -> None:
        self._tab.run(f"document.querySelector('[name=username]').value = {json.dumps(name)}")
        self._tab.run(f"document.querySelector('[name=password]').value = {json.dumps(password)}")
        self._tab.run("document.querySelector('[name=password]').form.requestSubmit()")
        self._tab.until("document.readyState === 'complete' && !document.querySelector('[name=password]')")


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def add_admin(folder: Path, password: str) -> None:
    """An account on the node that keeps its files there."""
    own = {"METADATA_CENTER_NODE_DATA_DIR": str(folder), "DJANGO_SUPERUSER_PASSWORD": password}
    words = ["createsuperuser", "--noinput", "--username", "photographer", "--email", "", "--verbosity", "0"]
    subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=os.environ | own, check=True)


@contextmanager
def scene() -> Iterator[Album]:
    """Three nodes under load, and a browser in front of the first."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise SystemExit("screenshots: needs Chromium")
    expire = {
        "METADATA_CENTER_LOAD_REQ_EXPIRE": f"{EXPIRE_SECONDS}s",
        "METADATA_CENTER_LOAD_ORPHAN_GRACE": f"{GRACE_SECONDS}s",
    }
    password = secrets.token_hex()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        add_admin(folder / "n0", password)
        nodes = stack.enter_context(running_cluster(folder, 3, environment=expire)).nodes
        shown = {"cluster": "qwen3-235b-a22b", "request_id": REQUEST, "ip": "10.22.0.9", "prompt_length": 12840}
        nodes[1].call("POST", "/v1/load/stats", shown | {"owner": SILENT})
        nodes[2].call("DELETE", "/v1/load/prompt", {"request_id": REQUEST})
        nodes[1].call("PUT", "/v1/load/tokens", {"request_id": REQUEST, "input_tokens": 12840, "output_tokens": 311})
        gateways = Gateways(nodes[0])
        stack.callback(gateways.stop)
        gateways.start()
        tab = stack.enter_context(chromium(program, folder / "chromium"))
        tab.call("Emulation.setScrollbarsHidden", hidden=True)
        tab.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=900, deviceScaleFactor=1, mobile=False)
        album = Album(tab, f"http://{nodes[0].address}:{nodes[0].port}")
        yield album
        if album.open("/admin/"):
            album.log_in("photographer", password)
            album.rest(2)
            album.take("admin", anew=True)


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with scene() as album:
        album.open("/console/clusters/deepseek-r1/")
        album.live(MINUTE)
        album.take("cluster", 1180)
        album.open("/console/")
        album.live(MINUTE)
        album.take("console", 760)
        album.open("/console/gateways/")
        album.live(3)
        album.take("gateways", 640)
        album.open("/console/engine/?cluster=qwen3-235b-a22b&engine=10.22.0.9")
        album.live()
        album.take("engine", 760)
        album.open("/console/events/")
        album.live()
        album.take("events", 640)
        album.open("/console/nodes/")
        album.live(3)
        album.take("nodes")
        album.open(f"/console/request/?id={REQUEST}")
        album.live()
        album.take("request", 760)
        if album.open("/docs/"):
            album.rest(4)
            album.take("docs")


if __name__ == "__main__":
    main()
