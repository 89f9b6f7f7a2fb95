# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The models that stand for what people may see and do of a node. No tables."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: ClassVar = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="Node",
            fields=[
                ("name", models.CharField(max_length=256, primary_key=True, serialize=False)),
            ],
            options={
                "verbose_name_plural": "node",
                "permissions": (("set_log_level", "Can set the log level"),),
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Setting",
            fields=[
                ("path", models.CharField(max_length=256, primary_key=True, serialize=False)),
            ],
            options={
                "verbose_name_plural": "configuration",
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Task",
            fields=[
                ("name", models.CharField(max_length=256, primary_key=True, serialize=False)),
            ],
            options={
                "verbose_name": "recurring task",
                "permissions": (("run_task", "Can run a task now"),),
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
    ]
