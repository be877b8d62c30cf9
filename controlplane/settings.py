"""Every setting, in one file. The environment is read here and nowhere else."""

from __future__ import annotations

import os
from collections import ChainMap
from pathlib import Path
from typing import Any
from urllib.parse import quote

import django_stubs_ext

from controlplane import home, logs
from controlplane.env import BadEnvironment, Environment

django_stubs_ext.monkeypatch()  # lets us write ModelAdmin[Account]

BASE_DIR = Path(__file__).resolve().parent.parent

# The data directory comes first: it holds the secrets, and what a running `standalone` wrote so
# that a command typed in another terminal meets the same servers. The environment wins over both.
HOME = Path(os.environ.get("TICKPLANE_HOME", "").strip() or BASE_DIR / "var").absolute()
try:
    env = Environment(
        ChainMap(
            dict(os.environ),
            home.running(HOME),
            {} if os.environ.get("TICKPLANE_SECRET_KEY") else home.own_secrets(HOME),
        )
    )
except home.HomeUnusable as e:
    raise BadEnvironment(str(e)) from e
env.text("TICKPLANE_HOME", "")

# Identity and safety
DEBUG = False
SECRET_KEY = env.secret("TICKPLANE_SECRET_KEY", "")
if not SECRET_KEY:
    raise BadEnvironment("TICKPLANE_SECRET_KEY is empty; give a long random text.")
SECRET_KEY_FALLBACKS = env.words("TICKPLANE_SECRET_KEY_FALLBACKS")
# They seal what is kept and never shown; the first seals, the others open what is older.
ACCOUNT_KEYS = env.keys("TICKPLANE_ACCOUNT_KEYS")
ALLOWED_HOSTS = env.words("TICKPLANE_ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.words("TICKPLANE_TRUSTED_ORIGINS")
# The calls of the message-broker contract carry no credentials. `standalone` listens on loopback
# only and lets them pass; anywhere else a caller signs in. See docs/decisions.md.
API_ANONYMOUS = env.flag("TICKPLANE_API_ANONYMOUS", default=False)
HTTPS = env.flag("TICKPLANE_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SESSION_COOKIE_AGE = 12 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "connect-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        # The admin writes style attributes, and so does the chart on its canvases; no rule lets
        # an inline script or style sheet in.
        "style-src-attr": ["'unsafe-inline'"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# Applications, from the bottom layer up. A process that serves no page loads no admin, REST or
# Channels, and beat, which only sends task names, no application at all: 110 MB less in all.
ROLE = env.choice("TICKPLANE_ROLE", "all", ("all", "worker", "beat", "pipeline", "standalone"))
_MODELS = ["django.contrib.auth", "django.contrib.contenttypes", "streams", "accounts", "pipeline"]
_PAGES = [
    "django.contrib.admin",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "realtime",
    "controlplane",
]
INSTALLED_APPS = {
    "all": _MODELS + _PAGES,
    "worker": _MODELS,
    "pipeline": _MODELS,
    "beat": [],
    # It migrates every table and makes the administrator; the admin's pages are the web process's.
    "standalone": [
        *_MODELS,
        "django.contrib.admin.apps.SimpleAdminConfig",
        "django.contrib.sessions",
        "controlplane",
    ],
}[ROLE]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "controlplane" / "templates"],  # Ours come before the admin's own.
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "controlplane.views.demo",
            ]
        },
    }
]
# Celery checks the URLs as it starts: a process that serves none shall not load every view.
ROOT_URLCONF = "controlplane.urls" if ROLE == "all" else ""
ASGI_APPLICATION = "controlplane.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "sign-in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Language and time
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
FORMAT_MODULE_PATH = ["controlplane.formats"]
LOCALE_PATHS = [BASE_DIR / "controlplane" / "locale"]

# Files
STATIC_URL = "static/"
# Served from where they lie: nothing to collect at set-up, nothing to forget after an upgrade.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# The database
_SQLITE_URL = f"sqlite:///{quote(str(HOME / 'tickplane.sqlite3'))}"
DATABASE_URL = env.text("DATABASE_URL", _SQLITE_URL)
DATABASES: dict[str, Any] = {"default": env.database("DATABASE_URL", _SQLITE_URL)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE: a transaction that will write waits at its beginning, where waiting is allowed,
    # instead of failing with "database is locked" in its middle.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif ROLE == "worker":
    # A task a second for each shard: connecting each time costs more than what the task asks for.
    DATABASES["default"] |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}

# Brokers. An empty URL means the embedded part, or none where none can be embedded.
NATS_URL = env.url("NATS_URL", ("nats", "tls"), "nats://127.0.0.1:4222", several=True)
NATS_MONITOR_URL = env.url("NATS_MONITOR_URL", ("http", "https"), "http://127.0.0.1:8222")
NATS_PASSWORD = env.secret("TICKPLANE_NATS_PASSWORD", "")
NATS_PID_FILE = HOME / "nats" / "nats.pid"
# How the subjects of market data begin; single templates may be edited beside it.
SUBJECT_SCHEME = env.choice("TICKPLANE_SUBJECT_SCHEME", "market", ("market", "push"))
RABBITMQ_URL = env.url("RABBITMQ_URL", ("amqp", "amqps"))
REDIS_URL = env.url("REDIS_URL", ("redis", "rediss", "unix"))

CACHES: dict[str, Any] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    if not REDIS_URL
    else {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}
# Control messages between web processes only; market data never travels here.
CHANNEL_LAYERS: dict[str, Any] = {
    "default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    if not REDIS_URL
    else {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL]},
    }
}

# Celery
_QUEUE_FOLDER = HOME / "celery" / "queue"
CELERY_BROKER_URL = (
    env.url("CELERY_BROKER_URL", ("amqp", "amqps", "redis", "rediss", "filesystem"))
    or RABBITMQ_URL
    or "filesystem://localhost"
)
_ON_FILES = CELERY_BROKER_URL.startswith("filesystem:")
CELERY_BROKER_TRANSPORT = "controlplane.filebroker:Transport" if _ON_FILES else None
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {
        "data_folder_in": str(_QUEUE_FOLDER),
        "data_folder_out": str(_QUEUE_FOLDER),
        "control_folder": str(HOME / "celery" / "control"),
        "polling_interval": 0.1,
    }
    if _ON_FILES
    else {}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # For ever; the default gives up after a hundred.
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
# With one, the worker sleeps up to ten seconds at a time: see docs/decisions.md.
CELERY_WORKER_PREFETCH_MULTIPLIER = 8
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = not _ON_FILES
CELERY_BEAT_SCHEDULE_FILENAME = str(HOME / "celery" / "schedule")


def _every(seconds: float, task: str, *, expires_s: float | None = None) -> dict[str, Any]:
    # One that waited longer than its own period is stale: the next one does its work.
    return {"task": task, "schedule": seconds, "options": {"expires": expires_s or seconds}}


CELERY_BEAT_SCHEDULE = {
    "publish-accounts": _every(1.0, "accounts.tick", expires_s=2.0),
    "prune-accounts": _every(3600.0, "accounts.prune"),
    "collect-dead-letters": _every(10.0, "accounts.collect_dead_letters"),
    "keep-streams": _every(60.0, "streams.keep"),
    "collect-advisories": _every(10.0, "streams.collect_advisories"),
    "refresh-consumers": _every(15.0, "streams.refresh_consumers"),
    "prune-streams": _every(3600.0, "streams.prune"),
}

# REST
REST_FRAMEWORK: dict[str, Any] = {
    # What a program shows counts before what a browser brings along.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "controlplane.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["controlplane.permissions.NamedRights"],
    "DEFAULT_PARSER_CLASSES": ["controlplane.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["controlplane.renderers.ExactJSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "controlplane.openapi.Schema",
    "EXCEPTION_HANDLER": "controlplane.refusals.answer",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Tickplane",
    "DESCRIPTION": "One control plane for trading-account and market-data streams.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "accounts.api.described.pushes",
    ],
    # From the side car: no page of ours asks another site for anything.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": False, "filter": True, "validatorUrl": None},
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "accountToken": {
                "type": "http",
                "scheme": "bearer",
                "description": "`tpa_…`: pushes the state of one account, or of one group's.",
            }
        }
    },
}

# How long the past of the accounts is kept
_LONGEST_DAYS = 3650
# A terminal that pushes nothing for so long is STALE, then DISCONNECTED.
ACCOUNT_STALE_S = env.whole("TICKPLANE_ACCOUNT_STALE_S", 15, least=2, most=3600)
ACCOUNT_DISCONNECTED_S = env.whole(
    "TICKPLANE_ACCOUNT_DISCONNECTED_S", 60, least=ACCOUNT_STALE_S + 1, most=86_400
)
ACCOUNT_SESSIONS = HOME / "sessions"
EQUITY_RETENTION_DAYS = env.whole(
    "TICKPLANE_EQUITY_RETENTION_DAYS", 90, least=1, most=_LONGEST_DAYS
)
EVENT_RETENTION_DAYS = env.whole("TICKPLANE_EVENT_RETENTION_DAYS", 30, least=1, most=_LONGEST_DAYS)
AUDIT_RETENTION_DAYS = env.whole("TICKPLANE_AUDIT_RETENTION_DAYS", 365, least=1, most=_LONGEST_DAYS)

# What a worker of the pipeline keeps of its sources while NATS is away.
PIPELINE_BUFFER_MB = env.whole("TICKPLANE_PIPELINE_BUFFER_MB", 64, least=1, most=65_536)

# What is kept of NATS: backups per stream, and its advisories. The newest backup stays for ever.
BACKUPS_KEPT = env.whole("TICKPLANE_BACKUPS_KEPT", 10, least=1, most=10_000)
BACKUP_RETENTION_DAYS = env.whole(
    "TICKPLANE_BACKUP_RETENTION_DAYS", 30, least=1, most=_LONGEST_DAYS
)
ADVISORIES_KEPT = env.whole("TICKPLANE_ADVISORIES_KEPT", 10_000, least=100, most=10_000_000)

# Logs
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", LOG_LEVELS)
LOGGING = logs.configuration(
    LOG_LEVEL, env.choice("TICKPLANE_PUBLISH_LOG_LEVEL", LOG_LEVEL, LOG_LEVELS)
)
# The same on NATS, for everybody who may read it. What LOG_LEVEL leaves out cannot be sent.
NATS_LOG_LEVEL = env.choice("TICKPLANE_NATS_LOG_LEVEL", "WARNING", (*LOG_LEVELS, "OFF"))
NATS_EVENTS = env.flag("TICKPLANE_NATS_EVENTS", default=True)

# Read by the tests and by the set-up; named here so that they are known settings.
env.text("TICKPLANE_RECORDED_DATA", "")
env.text("TICKPLANE_BEGAN_AT", "")
env.refuse_unknown()
