# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The model that stands for what people may see and do of the other nodes. No table."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: ClassVar = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="Peer",
            fields=[
                ("name", models.CharField(max_length=256, primary_key=True, serialize=False)),
            ],
            options={
                "permissions": (("resync_peer", "Can pull everything from a peer"),),
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
    ]
