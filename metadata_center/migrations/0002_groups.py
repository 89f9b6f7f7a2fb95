# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The two groups: `read-only` sees everything but accounts, `operator` also does what there is to do.

Both can be changed in the admin, and are not made again.
"""

from typing import Any, ClassVar

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEW = {
    "admin": ("view_logentry",),
    "loadstats": ("view_cluster", "view_engine", "view_request"),
    "metadata_center": ("view_node", "view_setting", "view_task"),
    "replication": ("view_peer",),
}
ACT = {
    "loadstats": ("end_request", "forget_engine"),
    "metadata_center": ("run_task", "set_log_level"),
    "replication": ("resync_peer",),
}


def make_groups(apps: Any, schema_editor: Any) -> None:
    """Make both, with their permissions: those are made after all migrations otherwise."""
    using = schema_editor.connection.alias
    for app in VIEW:
        create_permissions(installed.get_app_config(app), verbosity=0, using=using, apps=apps)
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    for name, granted in (("read-only", (VIEW,)), ("operator", (VIEW, ACT))):
        made, _ = group.objects.using(using).get_or_create(name=name)
        for permissions in granted:
            for app, codenames in permissions.items():
                found = permission.objects.using(using).filter(content_type__app_label=app, codename__in=codenames)
                if len(found) != len(codenames):
                    raise LookupError(f"{app}: expected the permissions {codenames}, got {list(found)}")
                made.permissions.add(*found)


def drop_groups(apps: Any, schema_editor: Any) -> None:
    """Remove both."""
    group = apps.get_model("auth", "Group")
    group.objects.using(schema_editor.connection.alias).filter(name__in=("read-only", "operator")).delete()


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("loadstats", "0001_initial"),
        ("metadata_center", "0001_initial"),
        ("replication", "0001_initial"),
    ]

    operations: ClassVar = [migrations.RunPython(make_groups, drop_groups)]
