# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The audit trail's table, and its page for both groups."""

from typing import Any, ClassVar

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models


def let_groups_view(apps: Any, schema_editor: Any) -> None:
    """Let the two groups see the page, where they still are."""
    using = schema_editor.connection.alias
    create_permissions(installed.get_app_config("metadata_center"), verbosity=0, using=using, apps=apps)
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    found = permission.objects.using(using).get(content_type__app_label="metadata_center", codename="view_auditentry")
    for each in group.objects.using(using).filter(name__in=("read-only", "operator")):
        each.permissions.add(found)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("metadata_center", "0002_groups")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("time", models.DateTimeField(db_index=True)),
                ("node", models.CharField(max_length=256)),
                ("act", models.CharField(max_length=512)),
                ("outcome", models.CharField(max_length=16)),
                ("who", models.CharField(max_length=512)),
                ("client", models.CharField(max_length=512)),
                ("what", models.TextField()),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit trail",
                "default_permissions": ("view",),
            },
        ),
        migrations.RunPython(let_groups_view, migrations.RunPython.noop),
    ]
