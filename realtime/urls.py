"""Every URL of this app."""

from __future__ import annotations

from django.urls import path

from realtime import views

urlpatterns = [path("", views.Dashboard.as_view(), name="dashboard")]
