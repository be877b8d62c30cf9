from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import get_resolver

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    call_command(
        "spectacular", validate=True, fail_on_warn=True, format="openapi-json", file=str(file)
    )
    return json.loads(file.read_text(encoding="utf-8"))


def operations(described):
    return [
        (f"{method} {path}", operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def example(content):
    return any("example" in body or "examples" in body for body in content.values())


def test_the_description_is_valid_and_has_every_call(described):
    paths = {
        "/" + str(pattern.pattern).replace("<uuid:", "{").replace("<int:", "{")
        .replace("<str:", "{").replace(">", "}")
        for include in get_resolver().url_patterns
        for pattern in getattr(include, "url_patterns", [])
    }  # fmt: skip
    api = {path for path in paths if path.startswith("/api/v1/")}

    assert len(api) > 20
    assert api <= described["paths"].keys()


@pytest.mark.parametrize("about", ["/api/v1/accounts", "/api/v1/broker", "/api/v1/nats/monitor"])
def test_every_call_of_ours_has_examples_and_refusals(described, about):
    calls = [o for o in operations(described) if about in o[0]]

    assert len(calls) >= 10
    for name, operation in calls:
        answers = operation["responses"]
        assert operation.get("description"), name
        assert {"401"} <= answers.keys(), name
        if "requestBody" in operation:
            assert example(operation["requestBody"]["content"]), name
        for code, answer in answers.items():
            if "content" in answer:
                assert example(answer["content"]), (name, code)


def test_each_call_says_who_may(described):
    schemes = described["components"]["securitySchemes"]

    assert {"apiToken", "cookieAuth", "accountToken"} <= schemes.keys()
    by_name = dict(operations(described))
    assert by_name["get /api/v1/accounts"]["security"] == [{"apiToken": []}, {"cookieAuth": []}]
    state = by_name["post /api/v1/accounts/{account_id}/state"]
    assert state["security"] == [{"accountToken": []}]
    assert "accounts:write" in by_name["post /api/v1/accounts"]["description"]


def test_yes_or_no_is_described_as_such(described):
    asked = described["paths"]["/api/v1/accounts/dead-letters"]["get"]["parameters"]

    assert [a["schema"] for a in asked if a["name"] == "replayed"] == [{"type": "boolean"}]


def test_a_password_can_only_be_written(described):
    schemas = described["components"]["schemas"]

    assert "password" in schemas["NewAccountRequest"]["properties"]
    holders = [
        name for name, schema in schemas.items() if "password" in schema.get("properties", {})
    ]
    # A user of NATS that was just made is told once.
    assert [name for name in holders if not name.endswith("Request")] == ["MadeUser"]


@pytest.mark.django_db
def test_the_description_and_its_page_are_for_who_is_signed_in(client):
    assert client.get("/api/v1/schema").status_code == 403
    assert client.get("/api/v1/docs").headers["Location"].startswith("/sign-in/")
    client.force_login(User.objects.create_user("reader"))

    schema, page = client.get("/api/v1/schema"), client.get("/api/v1/docs")
    script = client.get("/api/v1/docs?script=")

    assert b"openapi: 3.0.3" in schema.content
    assert (page.status_code, script["Content-Type"]) == (200, "application/javascript")
    assert "://" not in page.content.decode().replace("http://www.w3.org", "")
    assert "<style" not in page.content.decode()
    assert "unsafe" not in page["Content-Security-Policy"].replace(
        "style-src-attr 'unsafe-inline'", ""
    )
