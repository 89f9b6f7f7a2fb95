# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What LiteLLM's proxy loads, as its settings name it under `callbacks`."""

import os

from metadata_center_client.litellm_routing import LoadRouting

routing = LoadRouting(os.environ["METADATA_CENTER_NODES"].split(","), owner="litellm-proxy")
