# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Tests with the real LiteLLM, in an environment of its own.

`tests/integration/test_litellm.py` runs them, and gives them the addresses of real nodes in NODE_URLS.
"""

from __future__ import annotations

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # prices are not looked up on the internet
