# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ASGI application for servers other than our own: `daphne metadata_center.asgi:application`, `runserver`.

Such a server only imports, so importing builds and starts the node, and the end of the process stops it.
`metadata-center run` does not come through here.
"""

import atexit
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "metadata_center.settings")

from django.core.asgi import get_asgi_application

pages = get_asgi_application()

from django.conf import settings  # noqa: E402 Django must be set up first

from metadata_center.configuration import log_notes  # noqa: E402
from metadata_center.node import Node  # noqa: E402
from runtime.logs import configure  # noqa: E402

node = Node(settings.CONFIG, configure(settings.CONFIG.log))
log_notes(settings.LOADED)
node.start()
atexit.register(node.stop)

application = node.application(pages)
