"""All settings, from the environment. The embedded defaults serve one laptop; production must say what it needs."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from core.storage.address import storages_from_url
from renderowl.environment import (
    database_config,
    deprecation_marks,
    env,
    feature_switches,
    host_list,
    local_secret_key,
    positive_int,
    secret,
)
from renderowl.unfold import UNFOLD  # noqa: F401 - read by the admin theme

BASE_DIR = Path(__file__).resolve().parent.parent
if (BASE_DIR / ".env").is_file():
    env.read_env(str(BASE_DIR / ".env"))

DATA_DIR = (BASE_DIR / env.str("DATA_DIR", default="var")).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)
TESTING = "pytest" in sys.modules

# --- Safety -----------------------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = secret("SECRET_KEY")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("SECRET_KEY (or SECRET_KEY_FILE) must be set when DEBUG is off.")
    SECRET_KEY = local_secret_key(DATA_DIR)
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^live$", r"^ready$", r"^health"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
if env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Applications -----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "core",
    "accounts",
    "jobs",
    "credits",
    "assets",
    "renders",
    "monitoring",
]
MIDDLEWARE = [
    "core.middleware.RequestContextMiddleware",
    "monitoring.middleware.LivenessMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "core.middleware.ApiMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "renderowl.urls"
WSGI_APPLICATION = "renderowl.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "renderowl" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Database ---------------------------------------------------------------------------------------------------------
DATABASES = {"default": database_config(secret("DATABASE_URL", f"sqlite:///{DATA_DIR}/renderowl.sqlite3"))}
_database = DATABASES["default"]
_database["CONN_MAX_AGE"] = None
if _database["ENGINE"] == "django.db.backends.sqlite3":
    if _database["NAME"] != ":memory:":
        _database["NAME"] = str((BASE_DIR / _database["NAME"]).resolve())
    # WAL lets readers and one writer go on together. IMMEDIATE takes the write lock at BEGIN, so that two writers
    # wait for each other instead of failing halfway. 65,536 KB of page cache; 30 GB of memory map asked for: the
    # effective values are what `core.database.effective_pragmas` reports.
    _database["OPTIONS"] = {
        "timeout": 5,
        "transaction_mode": "IMMEDIATE",
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; "
            "PRAGMA mmap_size=32212254720; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864; "
            "PRAGMA foreign_keys=ON;"
        ),
    }
else:
    _database["CONN_HEALTH_CHECKS"] = True
if test_name := env.str("TEST_DATABASE_NAME", default=""):
    _database["TEST"] = {"NAME": test_name}

# --- Files ------------------------------------------------------------------------------------------------------------
STORAGE_URL = secret("STORAGE_URL", f"file://{DATA_DIR}/media")
STORAGES = storages_from_url(STORAGE_URL, BASE_DIR)
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
# Beside the storage, so that an upload is linked into it and not copied.
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "tmp"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
RENDEROWL_BODY_LIMIT_BYTES = 2 * 1024 * 1024
RENDEROWL_UPLOAD_LIMIT_BYTES = positive_int("UPLOAD_LIMIT_BYTES", 512 * 1024 * 1024)
RENDEROWL_FILE_CACHE_BYTES = positive_int("FILE_CACHE_BYTES", 4 * 1024**3)
RENDEROWL_SIGNED_URL_TTL_S = positive_int("SIGNED_URL_TTL_S", 24 * 3600)

# --- API --------------------------------------------------------------------------------------------------------------
RENDEROWL_API_VERSIONS = (1, 2)
# Longer than any request takes: a first request that is silent for longer has died.
RENDEROWL_IDEMPOTENCY_LOCK_S = positive_int("IDEMPOTENCY_LOCK_S", 60)
RENDEROWL_IDEMPOTENCY_RETENTION_S = positive_int("IDEMPOTENCY_RETENTION_S", 24 * 3600)
RENDEROWL_DEFAULT_API_VERSION = positive_int("DEFAULT_API_VERSION", 1)
RENDEROWL_API_PIN_READER = "accounts.authentication.pinned_version"
RENDEROWL_API_MARKS = deprecation_marks("API_DEPRECATIONS")
RENDEROWL_API_BROWNOUTS = env.bool("API_BROWNOUTS", default=False)
RENDEROWL_API_FEATURES = feature_switches("API_FEATURES")
# How long a process keeps counts of deprecated calls in memory; a killed one loses as much.
RENDEROWL_DEPRECATED_CALLS_FLUSH_S = positive_int("DEPRECATED_CALLS_FLUSH_S", 10)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiKeyAuthentication",
        "accounts.authentication.AccessTokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["core.api.permissions.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["core.api.parsers.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["core.api.renderers.JsonRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["core.api.filters.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.ProblemAutoSchema",
    "EXCEPTION_HANDLER": "core.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    # One format: `?format=` is a parameter like any other that no list has.
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "TEST_REQUEST_RENDERER_CLASSES": [
        "core.api.renderers.JsonRenderer",
        "rest_framework.renderers.MultiPartRenderer",
    ],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Renderowl",
    "DESCRIPTION": "Render videos from JSON edits, on your own machines.",
    "VERSION": "",
    "SERVE_INCLUDE_SCHEMA": False,
    # Its check builds one document of all versions at once; tests/architecture builds each as it is served.
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v[0-9]+",
    "GET_MOCK_REQUEST": "core.api.schema.build_mock_request",
    # Enums stay where they are used: components for them get names that change with the next one.
    "POSTPROCESSING_HOOKS": ["core.api.schema.add_problem_component"],
    "REDOC_UI_SETTINGS": {
        "theme": {"typography": {"fontFamily": "sans-serif", "headings": {"fontFamily": "sans-serif"}}}
    },
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "ROTATE_REFRESH_TOKENS": True,
    "ALGORITHM": "HS256",
    "SIGNING_KEY": SECRET_KEY,
    "AUDIENCE": "renderowl-api",
    "ISSUER": "renderowl",
    "LEEWAY": 5,
    "USER_ID_FIELD": "id",
    "USER_ID_CLAIM": "sub",
}

# --- Limits -----------------------------------------------------------------------------------------------------------
# Tests call far more often than any plan allows; those of the limits switch them on.
# A laptop has one user, whom limits only hinder; a service has strangers.
RENDEROWL_RATE_LIMITS = env.bool("RATE_LIMITS", default=not (DEBUG or TESTING))
RENDEROWL_CACHE_URL = secret("CACHE_URL", f"sqlite:///{DATA_DIR}/cache.sqlite3")

# --- Accounts and credits ---------------------------------------------------------------------------------------------
RENDEROWL_SIGNUP_CREDITS = env.int("SIGNUP_CREDITS", default=10)
RENDEROWL_SIGNUP_PLAN = env.str("SIGNUP_PLAN", default="free")

# --- Jobs -------------------------------------------------------------------------------------------------------------
RENDEROWL_JOBS_ENGINE = env.str("JOBS_ENGINE", default="database")
RENDEROWL_JOBS_ENGINES = ("database",)
RENDEROWL_JOBS_LEASE_S = positive_int("JOBS_LEASE_S", 30)
RENDEROWL_JOBS_GRACE_S = positive_int("JOBS_GRACE_S", 25)
RENDEROWL_JOBS_RETRY_BASE_S = env.float("JOBS_RETRY_BASE_S", default=5.0)
RENDEROWL_JOBS_RETRY_FACTOR = env.float("JOBS_RETRY_FACTOR", default=3.0)
RENDEROWL_JOBS_RETRY_CAP_S = env.float("JOBS_RETRY_CAP_S", default=600.0)
RENDEROWL_JOBS_RETENTION_DAYS = positive_int("JOBS_RETENTION_DAYS", 180)

# --- Renders ----------------------------------------------------------------------------------------------------------
RENDEROWL_RENDER_TIMEOUT_S = positive_int("RENDER_TIMEOUT_S", 2 * 3600)
RENDEROWL_FETCH_TIMEOUT_S = positive_int("FETCH_TIMEOUT_S", 120)

# --- Outside world ----------------------------------------------------------------------------------------------------
RENDEROWL_FETCH_ALLOW_HOSTS = host_list("FETCH_ALLOW_HOSTS")
# Without a mail server letters go to the console of a laptop, and nowhere in production.
_mail = env.email_url_config(secret("EMAIL_URL", "consolemail://" if DEBUG else "dummymail://"))
EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_HOST = _mail["EMAIL_HOST"]
EMAIL_PORT = _mail["EMAIL_PORT"] or 25
EMAIL_HOST_USER = _mail["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS = _mail.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _mail.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="renderowl@localhost")
RENDEROWL_FFMPEG = env.str("RENDEROWL_FFMPEG", default="")

# --- Logs -------------------------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "core.logs.RequestIdFilter"},
        "signed_links": {"()": "core.logs.SignedLinkFilter"},
    },
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"}},
    "handlers": {
        "nowhere": {"class": "logging.NullHandler"},
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id", "signed_links"]},
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Django gives its logger a handler of its own, so that each line would come twice.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": ["console"], "propagate": False},
        # What clients do wrong is told to them; lines for it would let anybody fill the log.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"handlers": ["nowhere"], "propagate": False},
    },
}

if TESTING:
    # Tests hash many passwords; a slow hash proves nothing there.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # They write counts themselves, each inside its own transaction.
    RENDEROWL_DEPRECATED_CALLS_FLUSH_S = 0
