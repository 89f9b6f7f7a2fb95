# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Django's settings, all of them from the node's configuration.

`METADATA_CENTER_CONFIG` names the file; `metadata-center run -c FILE` sets it. What a deployment may change stands in
that file or in the environment, never here.
"""

import os
from datetime import timedelta
from pathlib import Path

from django.templatetags.static import static

from metadata_center import __version__
from metadata_center.accounts.database import SQLITE, databases
from metadata_center.configuration import load_configuration
from runtime.data_folder import DataFolder
from runtime.secret import secret_key

LOADED = load_configuration(os.environ.get("METADATA_CENTER_CONFIG"), os.environ)
CONFIG = LOADED.config

DATA_DIR = Path(CONFIG.node.data_dir).resolve()
DATA_FOLDER = DataFolder(DATA_DIR)
DATA_FOLDER.prepare(None if CONFIG.web.database else SQLITE, "secret.key")

DEBUG = CONFIG.web.debug
# With a shared database and without a configured key, the one kept there takes its place before any page is made.
SECRET_KEY = secret_key(CONFIG.web.secret_key, DATA_DIR / "secret.key")
ALLOWED_HOSTS = ["*"]  # the doors judge each request's Host before Django does: edge/doors.py

INSTALLED_APPS = [
    "metadata_center.apps.DaphneConfig",  # its `runserver` serves the ASGI application
    "unfold.apps.BasicAppConfig",  # the admin's looks; its templates go before Django's
    "metadata_center.apps.SiteConfig",  # django.contrib.admin
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular_sidecar",  # Swagger UI's files
    "django_prometheus",
    "metadata_center.apps.LogInsConfig",
    "metadata_center",
    "runtime",
    "edge",
    "loadstats",
    "kvcache",
    "replication",
    "discovery",
    "access",
    "console",
]

MIDDLEWARE = [
    "edge.middleware.EdgeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "edge.page_doors.PageDoors",
    "edge.static_files.StaticMiddleware",
    "edge.compression.PageCompression",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "metadata_center.urls"
ASGI_APPLICATION = "metadata_center.asgi.application"
APPEND_SLASH = False  # an API path is right or it is 404; the admin has its own redirect

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.theme.theme",
            ],
        },
    },
]

DATABASES = databases(CONFIG.web.database, DATA_DIR)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "loadstats": {
        "BACKEND": "loadstats.cache.MemoryLoadCache",
        "LOCATION": "node",
        "OPTIONS": {
            "request_seconds": CONFIG.load.request_expire_seconds,
            "tombstone_seconds": CONFIG.load.tombstone_seconds,
            "stub_seconds": CONFIG.load.request_expire_seconds,
            "max_records": CONFIG.load.max_requests,
            "max_engines": CONFIG.load.max_engines,
            "orphan_seconds": CONFIG.load.orphan_grace_seconds,
            "max_owners": CONFIG.load.max_owners,
            "client_share": CONFIG.quotas.share,
        },
    },
}

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [CONFIG.sockets.redis_url], "capacity": CONFIG.sockets.channel_capacity},
    }
    if CONFIG.sockets.redis_url
    else {
        "BACKEND": "loadstats.live.layer.LocalChannelLayer",
        "CONFIG": {"capacity": CONFIG.sockets.channel_capacity},
    }
}

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]

# Wrong passwords. Our handler has bounds of its own (`metadata_center/accounts/log_in.py`).
LOG_IN_TRIES = CONFIG.web.log_in_tries
AXES_HANDLER = "metadata_center.accounts.log_in.LogInTries"
AXES_FAILURE_LIMIT = 1
AXES_COOLOFF_TIME = timedelta(seconds=CONFIG.web.log_in_pause_seconds)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]  # what a right password forgives
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "metadata_center.accounts.log_in.client_address"
AXES_LOCKOUT_CALLABLE = "metadata_center.accounts.log_in.refusal"
AXES_DISABLE_ACCESS_LOG = True  # a table of all log-ins, which nothing would shorten
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# Length is what counts (NIST SP 800-63B).
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "metadata_center.audit.changes.PasswordWatch"},
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

UNFOLD = {
    "SITE_TITLE": "Metadata Center",
    "SITE_HEADER": "Metadata Center",
    "SITE_ICON": lambda request: static("console/icon.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("console/icon.svg")}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [lambda request: static("metadata_center/admin.css")],
    # The console's green: 600 carries white text, 500 is read on dark ground.
    "COLORS": {
        "primary": {
            "50": "#f0fdfa",
            "100": "#ccfbf1",
            "200": "#99f6e4",
            "300": "#5eead4",
            "400": "#2dd4bf",
            "500": "#14b8a6",
            "600": "#0f766e",
            "700": "#115e59",
            "800": "#134e4a",
            "900": "#0f3f3c",
            "950": "#042f2e",
        },
    },
    "DASHBOARD_CALLBACK": "metadata_center.admin.dashboard.dashboard",
    "SIDEBAR": {"show_search": False, "navigation": "metadata_center.admin.navigation.navigation"},
}

STATIC_URL = "static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},  # nothing is uploaded
    "staticfiles": {"BACKEND": "edge.hashed_static.HashedStatic"},
}
WHITENOISE_USE_FINDERS = True  # static files come out of the packages: no collectstatic step to forget

SECURE_CONTENT_TYPE_NOSNIFF = True
TLS = bool(CONFIG.http.cert_file) or CONFIG.web.tls_proxy
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CONFIG.web.tls_proxy else None
# Behind a proxy the port itself speaks no TLS. Calls and scrapes may come that way; a log-in would not hold.
SECURE_SSL_REDIRECT = TLS
SECURE_REDIRECT_EXEMPT = [r"^(?!admin/)"]
SECURE_HSTS_SECONDS = int(CONFIG.web.hsts_seconds) if TLS else 0
# HSTS for subdomains and in browsers' own lists: a node speaks for its own name alone.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

SESSION_ENGINE = "metadata_center.accounts.sessions"
SESSION_COOKIE_AGE = int(CONFIG.web.session_idle_seconds)
SESSION_MAX_SECONDS = CONFIG.web.session_max_seconds
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = TLS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "edge.pages.csrf_failure"
DATA_UPLOAD_MAX_MEMORY_SIZE = CONFIG.http.max_body_bytes

REST_FRAMEWORK = {
    # Gateways do not log in: all that reach the port may report load. Keys come with mutual TLS.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "EXCEPTION_HANDLER": "edge.pages.exception_response",
}

SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "TITLE": "Metadata Center",
    "VERSION": __version__,
    "LICENSE": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
    "DESCRIPTION": """\
Near real-time load of every inference engine, for LLM gateways.

Every answer is JSON in one envelope: `status`, `error`, `data` and `trace_id`. An error's `code` and `message` never
change; its `reason` is for people, and names the member that is wrong. The HTTP status is `code // 100000`. Besides
what each call lists, a path that is not known is answered 404 (40401000), and a method that its path does not have 405
(40501000) with `Allow`. `HEAD` is `GET` without the body; `OPTIONS` tells what a path takes.

Bodies are read as JSON whatever `Content-Type` says. A browser (`Accept: text/html`) gets a page on the same paths,
with forms to try the calls. A call that its caller may not make is answered 401 (40101001) if a key would help, else
403 (40301001), as is one that a web page of another site makes; a `Host` that is not the node's is answered 400. Not
in here: `GET /metrics`, which is Prometheus' text, and the calls of nodes to each
other.
""",
    "TAGS": [
        {"name": "load", "description": "The load of engines, and the requests that it follows from."},
        {"name": "cache", "description": "Which engines hold which prompts in their caches."},
        {"name": "replica", "description": "This node and its peers."},
        {"name": "events", "description": "What happened on the nodes that matters."},
        {"name": "node", "description": "This node itself."},
    ],
    "POSTPROCESSING_HOOKS": [],  # the structs name what is shared
}

LOGGING_CONFIG = None  # runtime.logs configures logging when a node starts
