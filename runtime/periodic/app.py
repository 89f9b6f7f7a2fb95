# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node's Celery application, with its broker and a queue of its own.

Built once by the composition root. Always holds: it is not the process's default or current app (`shared_task`s bind
when it is finalized), it handles no signals, and it changes neither stdout nor logging.
"""

from __future__ import annotations

from typing import Any, Final

from celery import Celery
from django.utils.module_loading import autodiscover_modules

from runtime.config.error import ConfigError
from runtime.config.schema import Config
from runtime.periodic.runs import TrackedTask

# By name, because most nodes have no Redis, and its client is a twentieth of what a start takes. Kombu's Sentinel
# has another transport.
PLAIN_REDIS: Final = ("kombu.transport.redis", "Transport")
CAREFUL_REDIS: Final = "runtime.periodic.careful_redis:CarefulTransport"  # by name, because workers report it as JSON
# Without a host Celery warns at each start.
_URLS: Final = {"memory://": "memory://localhost/"}

_TRANSPORT_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    # How often the worker looks for messages. Celery's default is a second.
    "memory": {"polling_interval": 0.05},
    # A broker that does not answer must not hold beat or worker for ever.
    "redis": {"socket_connect_timeout": 2.0, "socket_timeout": 5.0},
}


def build_app(config: Config, node_name: str) -> Celery:
    """Build the app of a node, with the `tasks` modules of all installed Django apps.

    Raises ConfigError if the broker's URL can't be used.
    """
    autodiscover_modules("tasks")
    app: Celery = Celery(
        "metadata-center",
        broker=_URLS.get(config.celery.broker, config.celery.broker),
        set_as_current=False,
        fixups=[],
        task_cls=TrackedTask,
    )
    try:
        found = app.connection_for_write().transport
        transport: str = found.driver_type
        is_plain_redis = (type(found).__module__, type(found).__name__) == PLAIN_REDIS
    except (ImportError, KeyError, ValueError) as error:
        # Not the URL itself: it may hold a password.
        raise ConfigError(f"[Celery] Broker: {error.args[0] if error.args else error!r}") from None
    outside = transport != "memory"
    if is_plain_redis:
        app.conf.broker_transport = CAREFUL_REDIS
    app.conf.update(
        # A node's tasks work on its own ledger, so no other node may take them.
        task_default_queue=f"metadata-center.{node_name}",
        broker_transport_options=_TRANSPORT_OPTIONS.get(transport, {}),
        broker_connection_timeout=2.0,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # No effect here, since tasks are acknowledged when they begin. Celery warns if it is unset.
        worker_cancel_long_running_tasks_on_connection_loss=True,
        result_backend=None,
        result_expires=None,
        task_ignore_result=True,
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        accept_content=["json"],
        enable_utc=True,
        timezone="UTC",
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_prefetch_multiplier=1,
        # For Flower, which needs a broker outside this process.
        worker_send_task_events=outside,
        worker_enable_remote_control=outside,
    )
    app.finalize()
    return app
