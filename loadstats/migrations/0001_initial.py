# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The models that stand for what people may see and do of the load. No tables."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: ClassVar = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="Cluster",
            fields=[
                ("name", models.CharField(max_length=256, primary_key=True, serialize=False)),
            ],
            options={
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Engine",
            fields=[
                ("name", models.CharField(max_length=512, primary_key=True, serialize=False)),
            ],
            options={
                "permissions": (("forget_engine", "Can end an engine's requests and forget it"),),
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Request",
            fields=[
                ("request_id", models.CharField(max_length=256, primary_key=True, serialize=False)),
            ],
            options={
                "permissions": (("end_request", "Can end a request"),),
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
    ]
