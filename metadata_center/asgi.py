# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ASGI application for servers other than our own: `daphne metadata_center.asgi:application`, `runserver`.

Such a server only imports, so importing builds and starts the node, and the end of the process stops it.
`metadata-center run` does not come through here.
"""

import atexit
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "metadata_center.settings")

import django

django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402 Django must be set up first
from msgspec.structs import replace  # noqa: E402

from metadata_center.accounts.migration import bring_up_to_date  # noqa: E402
from metadata_center.configuration import log_notes  # noqa: E402
from metadata_center.node import Node  # noqa: E402
from runtime.config import ConfigError  # noqa: E402
from runtime.logs import configure  # noqa: E402

running = ExitStack()
atexit.register(running.close)
try:
    running.enter_context(settings.DATA_FOLDER.in_use_by_this_node())
    if not settings.CONFIG.web.database:  # else the node's part does so
        with ThreadPoolExecutor(1) as thread:  # Django refuses to use a database on a loop, where uvicorn imports this
            thread.submit(bring_up_to_date, settings.DATA_FOLDER).result()
except ConfigError as error:
    sys.exit(f"metadata-center: {error}")

# What keeps a snapshot runs on the loop of our own server.
config = replace(settings.CONFIG, node=replace(settings.CONFIG.node, snapshot=False))
node = Node(config, configure(config.log))
log_notes(settings.LOADED)
node.start()
running.callback(node.stop)

application = node.application()
