from __future__ import annotations

from django.urls import path

from accounts import api

urlpatterns = [
    path("api/v1/accounts", api.Accounts.as_view(), name="accounts-list"),
    path("api/v1/accounts/<uuid:account_id>", api.AccountDetail.as_view(), name="accounts-detail"),
]
