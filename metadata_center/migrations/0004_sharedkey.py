# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The key that signs sessions, where several nodes share a database."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("metadata_center", "0003_audit")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="SharedKey",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("made", models.CharField(max_length=128)),
                ("in_use", models.CharField(default="", max_length=64)),
            ],
            options={"default_permissions": ()},
        ),
    ]
