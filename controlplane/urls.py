"""Every URL of the web process."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("streams.urls")),
    path("", include("accounts.urls")),
    path("", include("realtime.urls")),
    path("", include("controlplane.account_urls")),
]
