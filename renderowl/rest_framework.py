"""Settings of Django REST framework, drf-spectacular and simplejwt that are the same in every installation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.ApiKeyAuthentication",
        "accounts.authentication.AccessTokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["api.permissions.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["api.parsers.JsonParser"],
    "DEFAULT_RENDERER_CLASSES": ["api.renderers.JsonRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["api.filters.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "api.schema.ProblemAutoSchema",
    "EXCEPTION_HANDLER": "api.problems.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    # Only JSON: treat `?format=` like any unknown parameter.
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "TEST_REQUEST_RENDERER_CLASSES": ["api.renderers.JsonRenderer", "rest_framework.renderers.MultiPartRenderer"],
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Renderowl",
    "DESCRIPTION": "Render videos from JSON edits, on your own machines.",
    "VERSION": "",
    "SERVE_INCLUDE_SCHEMA": False,
    # Its check builds one document of all versions; tests/architecture builds each version as it is served.
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v[0-9]+",
    "GET_MOCK_REQUEST": "api.schema.build_mock_request",
    # Leave enums inline: generated names of enum components change when another is added.
    "POSTPROCESSING_HOOKS": ["api.schema.add_problem_component"],
    "REDOC_UI_SETTINGS": {
        "theme": {"typography": {"fontFamily": "sans-serif", "headings": {"fontFamily": "sans-serif"}}}
    },
}
# SIMPLE_JWT, without the signing key.
TOKENS: dict[str, Any] = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "ROTATE_REFRESH_TOKENS": True,
    "ALGORITHM": "HS256",
    "AUDIENCE": "renderowl-api",
    "ISSUER": "renderowl",
    "LEEWAY": 5,
    "USER_ID_FIELD": "id",
    "USER_ID_CLAIM": "sub",
}
