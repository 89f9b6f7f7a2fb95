# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The text of `--help`: our commands first, then Django's. Needs no settings. Pure but for reading folders."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Final

import django
from django.core.management import find_commands

from metadata_center import __version__

COMMANDS: Final = {
    "Nodes": {
        "run": "run one node, until Ctrl-C or SIGTERM",
        "run_cluster": "run several nodes on this machine that find each other by DNS",
        "run_log": "run a Valkey and several nodes on this machine that learn from each other through its log",
        "config": "show every setting, its value and where that came from",
        "top": "show the load of all clusters in the terminal, as it changes",
        "replay": "play a trace of LLM requests against nodes and check their numbers",
    },
    "Accounts for the admin": {
        "ensure_admin": "make a first admin with a random password, if there is no superuser",
        "createsuperuser": "make an account that may do everything",
        "changepassword": "set an account's password",
        "axes_reset_username": "let an account log in again that had too many wrong passwords",
        "clearsessions": "forget log-ins that have expired",
        "migrate": "bring the database up to date, as every command does by itself",
    },
    "Keys for gateways, nodes and programs": {
        "keys": "create, list and revoke the keys that callers show",
    },
    "Development": {
        "check": "look for faults in Django's part",
        "openapi": "write the calls down as an OpenAPI document",
        "shell": "Python with Django set up",
        "runserver": "run one node on Daphne, started again when code changes",
    },
}

# Where Django looks for commands beside our own apps. A test compares.
_PACKAGES: Final = (
    "django/core/management",
    "django/contrib/auth/management",
    "django/contrib/contenttypes/management",
    "django/contrib/sessions/management",
    "django/contrib/staticfiles/management",
    "axes/management",
    "rest_framework/management",
)
_WIDTH: Final = 100


def help_text(program: str) -> str:
    """Return the text. `program` is what the reader calls it as."""
    own = {name for group in COMMANDS.values() for name in group}
    width = max(map(len, own))
    lines = [
        f"Metadata Center {__version__}: the load of every inference engine, for LLM gateways.",
        "",
        f"usage: {program} COMMAND [-c FILE] [options]",
    ]
    for title, group in COMMANDS.items():
        lines += ["", f"{title}:", *(f"  {name:{width}}  {text}" for name, text in group.items())]
    lines += [
        "",
        "Django's other commands:",
        fill(", ".join(sorted(django_commands() - own)), _WIDTH, initial_indent="  ", subsequent_indent="  "),
        "",
        "COMMAND --help says more of one. Every command takes -c FILE, the configuration (.toml, .yaml or .json);",
        "without it METADATA_CENTER_CONFIG names the file. --version shows the version.",
    ]
    return "\n".join(lines) + "\n"


def django_commands() -> set[str]:
    """Return the names of the commands that Django and its apps have."""
    packages = Path(django.__file__).parent.parent
    return {name for package in _PACKAGES for name in find_commands(str(packages / package))}
