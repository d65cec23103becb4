"""Django settings, read from the environment. The defaults suit development on one machine."""

from __future__ import annotations

import sys
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from core.logs import logging_settings
from renderowl.environment import (
    api_deprecations,
    cache_rules,
    credit_amount,
    database_config,
    env,
    feature_switches,
    host_list,
    local_secret_key,
    log_format,
    not_negative_int,
    pool_secrets,
    port_list,
    positive_int,
    seconds_list,
    secret,
    traces_exporter,
)
from renderowl.rest_framework import REST_FRAMEWORK, SPECTACULAR_SETTINGS, TOKENS  # noqa: F401 - read by the packages
from renderowl.storages import storages_from_url
from renderowl.unfold import UNFOLD  # noqa: F401 - read by the admin theme

BASE_DIR = Path(__file__).resolve().parent.parent
if (BASE_DIR / ".env").is_file():
    env.read_env(str(BASE_DIR / ".env"))

DATA_DIR = (BASE_DIR / env.str("DATA_DIR", default="var")).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)
TESTING = "pytest" in sys.modules
RENDEROWL_VERSION = "0.1.0"

# --- Security ---------------------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=True)
SECRET_KEY = secret("SECRET_KEY")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("SECRET_KEY (or SECRET_KEY_FILE) must be set when DEBUG is off.")
    SECRET_KEY = local_secret_key(DATA_DIR)
SECRET_KEY_FALLBACKS = [key for key in secret("SECRET_KEY_FALLBACKS").split(",") if key]
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
# Only the admin uses cookies. Sessions end after a working day.
SESSION_COOKIE_AGE = positive_int("SESSION_AGE_S", 12 * 3600)
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_REDIRECT_EXEMPT = [r"^live$", r"^ready$", r"^health", r"^metrics$"]
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
    "corsheaders",
    "health_check",
    "django_prometheus",
    "core",
    "api",
    "accounts",
    "jobs",
    "credits",
    "assets",
    "renders",
    "notifications",
    "analytics",
    "automations",
    "maintenance",
    "monitoring",
]
CORS_MIDDLEWARE = "corsheaders.middleware.CorsMiddleware"
MIDDLEWARE = [
    "monitoring.tracing.TracingMiddleware",
    "monitoring.performance.middleware.PerformanceMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "api.middleware.RequestContextMiddleware",
    "api.security_headers.SecurityHeadersMiddleware",
    "monitoring.middleware.ProbeMiddleware",
    "monitoring.middleware.DatabaseFileMiddleware",
    "accounts.client_address_middleware.ClientAddressMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "api.middleware.ApiMiddleware",
    # Outside of the response cache, to count cached responses too.
    "monitoring.metrics.middleware.BoundedPrometheusAfterMiddleware",
    "api.response_cache.middleware.ResponseCacheMiddleware",
    "api.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.second_factor_middleware.SecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# --- CORS -------------------------------------------------------------------------------------------------------------
# Scripts of these origins may call the API with a key or token, but never with the cookies of the admin.
CORS_ALLOWED_ORIGINS: list[str] = [origin.rstrip("/") for origin in env.list("CORS_ALLOWED_ORIGINS", default=[])]
CORS_ALLOW_CREDENTIALS = False
CORS_URLS_REGEX = r"^/(api|files)/"
CORS_PREFLIGHT_MAX_AGE = 3600
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
CORS_ALLOW_HEADERS = [
    "accept",
    "api-version",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "range",
    "traceparent",
    "x-api-key",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "Accept-Ranges",
    "API-Version",
    "Content-Disposition",
    "Content-Range",
    "Deprecation",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Server-Timing",
    "Sunset",
    "WWW-Authenticate",
    "X-Cache",
    "X-Request-Id",
]
if CORS_ALLOWED_ORIGINS:
    # Before authentication and rate limits: preflight requests carry no credentials.
    MIDDLEWARE.insert(MIDDLEWARE.index("monitoring.middleware.ProbeMiddleware") + 1, CORS_MIDDLEWARE)

# --- Django -----------------------------------------------------------------------------------------------------------
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
    # The test runner detects in-memory databases by the name of Django's backend.
    if not TESTING:
        _database["ENGINE"] = "core.sqlite_backend"
    if _database["NAME"] != ":memory:":
        _database["NAME"] = str((BASE_DIR / _database["NAME"]).resolve())
    # WAL allows readers beside one writer. IMMEDIATE takes the write lock at BEGIN, so that writers wait for each other
    # instead of failing halfway. `core.database.effective_pragmas` reports the effective values, e.g. of mmap_size.
    _database["OPTIONS"] = {
        # Seconds to wait for the write lock, so that a client gets its 503 within 6 s on a busy machine.
        "timeout": 4,
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
# Of the ballast file beside an SQLite database; see maintenance/ballast.py.
RENDEROWL_DISK_BALLAST_BYTES = not_negative_int("DISK_BALLAST_BYTES", 0 if TESTING else 64 * 1024 * 1024)
RENDEROWL_BACKUP_DIR = env.str("BACKUP_DIR", default="")
RENDEROWL_BACKUP_KEEP = positive_int("BACKUP_KEEP", 7)
RENDEROWL_BACKUP_KEEP_WEEKS = not_negative_int("BACKUP_KEEP_WEEKS", 4)

# --- Files ------------------------------------------------------------------------------------------------------------
STORAGE_URL = secret("STORAGE_URL", f"file://{DATA_DIR}/media")
STORAGES = storages_from_url(STORAGE_URL, BASE_DIR)
# Not served, as files have signed links. Empty, it would make Django's test server handle every path as media.
MEDIA_URL = "/media/"
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True
# Scanning all files takes 20 ms at startup, too long for each of the many test clients.
WHITENOISE_AUTOREFRESH = TESTING
# On the file system of the storage, so that uploads are hard-linked and not copied.
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "tmp"
FILE_UPLOAD_TEMP_DIR.mkdir(exist_ok=True)
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
RENDEROWL_BODY_LIMIT_BYTES = 2 * 1024 * 1024
RENDEROWL_UPLOAD_LIMIT_BYTES = positive_int("UPLOAD_LIMIT_BYTES", 512 * 1024 * 1024)
RENDEROWL_FILE_CACHE_BYTES = positive_int("FILE_CACHE_BYTES", 4 * 1024**3)
RENDEROWL_SIGNED_URL_TTL_S = positive_int("SIGNED_URL_TTL_S", 24 * 3600)

# --- API --------------------------------------------------------------------------------------------------------------
RENDEROWL_API_VERSIONS = (1, 2)
# Longer than any request takes: after that the first request is considered dead.
RENDEROWL_IDEMPOTENCY_LOCK_S = positive_int("IDEMPOTENCY_LOCK_S", 60)
RENDEROWL_IDEMPOTENCY_RETENTION_S = positive_int("IDEMPOTENCY_RETENTION_S", 24 * 3600)
RENDEROWL_DEFAULT_API_VERSION = positive_int("DEFAULT_API_VERSION", 1)
RENDEROWL_API_DEPRECATIONS = api_deprecations("API_DEPRECATIONS")
RENDEROWL_API_BROWNOUTS = env.bool("API_BROWNOUTS", default=False)
RENDEROWL_API_FEATURES = feature_switches("API_FEATURES")
# How long a process holds counts of deprecated calls in memory; they are lost if it is killed.
RENDEROWL_DEPRECATED_CALLS_FLUSH_S = positive_int("DEPRECATED_CALLS_FLUSH_S", 10)
SIMPLE_JWT = {**TOKENS, "SIGNING_KEY": SECRET_KEY}

# --- Rate limits ------------------------------------------------------------------------------------------------------
# On in development too, so that clients see the limits early. Off in tests, which exceed every plan.
RENDEROWL_RATE_LIMITS = env.bool("RATE_LIMITS", default=not TESTING)
RENDEROWL_CACHE_URL = secret("CACHE_URL", f"sqlite:///{DATA_DIR}/cache.sqlite3")

# --- Response cache ---------------------------------------------------------------------------------------------------
RENDEROWL_RESPONSE_CACHE = env.bool("RESPONSE_CACHE", default=not TESTING)
RENDEROWL_RESPONSE_CACHE_BYTES = positive_int("RESPONSE_CACHE_BYTES", 64 * 1024 * 1024)
# Route -> (seconds that the server caches an unchanged response, max-age for clients). Other routes are not cached.
RENDEROWL_RESPONSE_CACHE_RULES = cache_rules(
    "RESPONSE_CACHE_TTLS",
    {
        "render-list": (300, 0),
        "project-list": (600, 0),
        "template-list": (600, 0),
        "template-versions": (600, 0),
        "asset-list": (600, 0),
        "asset-references": (300, 0),
        "credit-balance": (300, 0),
        "credit-entry-list": (300, 0),
    },
)

# --- Accounts and credits ---------------------------------------------------------------------------------------------
RENDEROWL_SIGNUP_CREDITS = env.int("SIGNUP_CREDITS", default=10)
# In hundredths; a balance that falls below it publishes an event. 0 disables this.
RENDEROWL_CREDITS_LOW = credit_amount("CREDITS_LOW", "1")
RENDEROWL_STAFF_TOTP = env.str("STAFF_TOTP", default="optional")
RENDEROWL_SIGNUP_PLAN = env.str("SIGNUP_PLAN", default="free")

# --- Jobs -------------------------------------------------------------------------------------------------------------
RENDEROWL_JOBS_ENGINE = env.str("JOBS_ENGINE", default="database")
RENDEROWL_JOBS_ENGINES = ("database",)
RENDEROWL_JOBS_LEASE_S = positive_int("JOBS_LEASE_S", 30)
RENDEROWL_JOBS_GRACE_S = positive_int("JOBS_GRACE_S", 25)
# Concurrent jobs of each I/O queue: its threads are cheap and hold no database connection.
RENDEROWL_JOBS_IO_THREADS = positive_int("JOBS_IO_THREADS", 128)
RENDEROWL_JOBS_RETRY_BASE_S = env.float("JOBS_RETRY_BASE_S", default=5.0)
RENDEROWL_JOBS_RETRY_FACTOR = env.float("JOBS_RETRY_FACTOR", default=3.0)
RENDEROWL_JOBS_RETRY_CAP_S = env.float("JOBS_RETRY_CAP_S", default=600.0)
RENDEROWL_JOBS_RETENTION_DAYS = positive_int("JOBS_RETENTION_DAYS", 180)

# --- Metrics ----------------------------------------------------------------------------------------------------------
RENDEROWL_METRICS_TOKEN = secret("METRICS_TOKEN")
# Finest around the objectives: probes under 5 ms, responses under 100 ms and 1 s.
PROMETHEUS_LATENCY_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, float("inf"))

# --- Monitoring -------------------------------------------------------------------------------------------------------
# How long a process holds request metrics in memory; they are lost if it is killed.
RENDEROWL_PERFORMANCE_FLUSH_S = positive_int("PERFORMANCE_FLUSH_S", 5)
RENDEROWL_SLOW_REQUEST_MS = positive_int("SLOW_REQUEST_MS", 1000)
RENDEROWL_ROUTE_METRICS_RETENTION_DAYS = positive_int("ROUTE_METRICS_RETENTION_DAYS", 30)
RENDEROWL_SAMPLES_RETENTION_DAYS = positive_int("SAMPLES_RETENTION_DAYS", 7)
RENDEROWL_ERRORS_RETENTION_DAYS = positive_int("ERRORS_RETENTION_DAYS", 90)
# Alerts: interval of rule evaluation, and how long messages of a rule are grouped before they are sent.
RENDEROWL_ALERT_EVALUATE_S = positive_int("ALERT_EVALUATE_S", 15)
RENDEROWL_ALERT_GROUP_S = positive_int("ALERT_GROUP_S", 30)
RENDEROWL_ALERT_RETENTION_DAYS = positive_int("ALERT_RETENTION_DAYS", 90)
RENDEROWL_ALERT_WEBHOOK_URL = secret("ALERT_WEBHOOK_URL")
RENDEROWL_ALERT_WEBHOOK_SECRET = secret("ALERT_WEBHOOK_SECRET")
# A chat webhook that accepts {"text": ...}; secret, as the URL alone allows posting.
RENDEROWL_ALERT_SLACK_URL = secret("ALERT_SLACK_URL")

# --- Renders ----------------------------------------------------------------------------------------------------------
RENDEROWL_RENDER_TIMEOUT_S = positive_int("RENDER_TIMEOUT_S", 2 * 3600)
# Niceness of render processes, 0 to 19: at 19 every other process on the machine goes first.
RENDEROWL_RENDER_NICENESS = min(19, not_negative_int("RENDER_NICENESS", 0 if TESTING else 19))
# Each client waiting for a render (long poll, event stream) holds a server thread; four are left for other requests.
RENDEROWL_WAITERS = positive_int("WAITERS", max(1, positive_int("WEB_THREADS", 16) - 4))
RENDEROWL_WAITERS_OF_ACCOUNT = positive_int("WAITERS_OF_ACCOUNT", max(1, RENDEROWL_WAITERS // 2))
# Heartbeat interval of event streams, and how long a stream may outlive a revoked key.
RENDEROWL_EVENTS_HEARTBEAT_S = positive_int("EVENTS_HEARTBEAT_S", 15)
# Secrets by pool with which external workers sign their reports; empty if there are none.
RENDEROWL_WORKER_SECRETS = pool_secrets("RENDER_WEBHOOK_SECRETS")
# Credentials of an external worker, `run_external_worker`.
RENDEROWL_WORKER_KEY = secret("WORKER_KEY")
RENDEROWL_WORKER_SECRET = secret("WORKER_SECRET")
RENDEROWL_OUTPUT_LIMIT_BYTES = positive_int("OUTPUT_LIMIT_BYTES", 4 * 1024**3)
RENDEROWL_FETCH_TIMEOUT_S = positive_int("FETCH_TIMEOUT_S", 120)

# --- Notifications ----------------------------------------------------------------------------------------------------
RENDEROWL_NOTIFICATIONS_RETENTION_DAYS = positive_int("NOTIFICATIONS_RETENTION_DAYS", 90)
# Notifications to a user within this window are combined into one email.
RENDEROWL_NOTIFICATION_EMAIL_WINDOW_S = positive_int("NOTIFICATION_EMAIL_WINDOW_S", 60)

# --- Analytics --------------------------------------------------------------------------------------------------------
RENDEROWL_ANALYTICS_HOURLY_DAYS = positive_int("ANALYTICS_HOURLY_DAYS", 30)
RENDEROWL_ANALYTICS_EVENT_DAYS = positive_int("ANALYTICS_EVENT_DAYS", 90)

# --- Automations ------------------------------------------------------------------------------------------------------
RENDEROWL_AUTOMATIONS_PER_ACCOUNT = positive_int("AUTOMATIONS_PER_ACCOUNT", 100)
RENDEROWL_AUTOMATION_RUNS_PER_HOUR = positive_int("AUTOMATION_RUNS_PER_HOUR", 1000)
RENDEROWL_AUTOMATION_RUNS_RETENTION_DAYS = positive_int("AUTOMATION_RUNS_RETENTION_DAYS", 30)

# --- Outbound HTTP and email ------------------------------------------------------------------------------------------
RENDEROWL_FETCH_ALLOW_HOSTS = host_list("FETCH_ALLOW_HOSTS")
RENDEROWL_WEBHOOK_ALLOW_HOSTS = host_list("WEBHOOK_ALLOW_HOSTS")
RENDEROWL_WEBHOOK_PORTS = port_list("WEBHOOK_PORTS", "443")
# Delays after the first, second, ... failed attempt of a delivery; after the last one it fails.
RENDEROWL_WEBHOOK_RETRY_S = seconds_list("WEBHOOK_RETRY_S", "5,300,1800,7200,18000,36000,50400,72000,86400")
RENDEROWL_WEBHOOK_DISABLE_AFTER_S = positive_int("WEBHOOK_DISABLE_AFTER_S", 5 * 24 * 3600)
RENDEROWL_WEBHOOK_RETENTION_DAYS = positive_int("WEBHOOK_RETENTION_DAYS", 30)
# Without a mail server emails are printed in debug mode and discarded in production.
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

# --- Traces -----------------------------------------------------------------------------------------------------------
# The SDK itself reads all other OTEL_* variables.
RENDEROWL_TRACES_EXPORTER = traces_exporter()
RENDEROWL_OTLP_HEADERS = secret("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or secret("OTEL_EXPORTER_OTLP_HEADERS")

# --- Logs -------------------------------------------------------------------------------------------------------------
LOGGING = logging_settings(
    style=log_format(is_debug=DEBUG),
    level=env.str("LOG_LEVEL", default="INFO"),
    shows_traces=bool(RENDEROWL_TRACES_EXPORTER),
)

if TESTING:
    # A fast hash, as tests hash many passwords.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Tests flush counts themselves, inside of their transactions.
    RENDEROWL_DEPRECATED_CALLS_FLUSH_S = 0
    RENDEROWL_PERFORMANCE_FLUSH_S = 0
