from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from controlplane import views

urlpatterns = [
    path("sign-in/", LoginView.as_view(redirect_authenticated_user=True), name="sign-in"),
    path("sign-in/once/<str:token>/", views.sign_in_once, name="sign-in-once"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
]
