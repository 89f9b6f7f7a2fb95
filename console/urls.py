# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The console's URLs, and the front page.

A cluster may be called anything, so clusters have a prefix of their own: one called "nodes" has its page beside Nodes.
"""

from django.urls import path, register_converter

from console import engine_page, events, gateways_page, search_page, views


class ClusterName:
    """Any text: a cluster may be called what its gateway likes, slashes and line ends included."""

    regex = r"(?s:.+)"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ClusterName, "cluster")

app_name = "console"
urlpatterns = [
    path("", views.index, name="index"),
    path("console/", views.overview, name="overview"),
    path("console/attention/", views.watch, name="attention"),
    path("console/metrics/", views.metrics, name="metrics"),
    path("console/gateways/", gateways_page.gateways, name="gateways"),
    path("console/nodes/", views.nodes, name="nodes"),
    path("console/search/", search_page.find, name="search"),
    path("console/engine/", engine_page.show, name="engine"),
    path("console/events/", events.events, name="events"),
    path("console/request/", views.look_up, name="request"),
    path("console/clusters/", views.to_overview, name="clusters"),
    path("console/clusters/<cluster:name>/", views.cluster, name="cluster"),
    path("console/<cluster:name>/", views.to_cluster),  # where clusters were before
]
