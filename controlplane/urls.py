"""Every URL of the web process."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import include, path
from django.utils.translation import gettext_lazy as _
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from controlplane import views
from streams.api import contract

admin.site.site_title = admin.site.site_header = "Tickplane"
admin.site.site_url = None  # Its "View site" would be a second way to the dashboard.
admin.site.index_title = _("Administration")

# In two parts, page and script, because our policy lets no script in that stands in a page.
docs = SpectacularSwaggerSplitView.as_view(template_name="controlplane/api_docs.html")

# By name, as Django wants it.
handler404 = "controlplane.views.no_page"
handler500 = "controlplane.views.failed"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/docs", login_required(docs), name="api-docs"),
    path("api/v1/status", contract.Status.as_view(collector=views.collector), name="status"),
    path("", include("streams.urls")),
    path("", include("accounts.urls")),
    path("", include("realtime.urls")),
    path("", include("controlplane.account_urls")),
]
