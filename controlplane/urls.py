"""Every URL of the web process."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.utils.translation import gettext_lazy as _

admin.site.site_title = admin.site.site_header = "Tickplane"
admin.site.site_url = None  # Its "View site" would be a second way to the dashboard.
admin.site.index_title = _("Administration")

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("streams.urls")),
    path("", include("accounts.urls")),
    path("", include("realtime.urls")),
    path("", include("controlplane.account_urls")),
]
