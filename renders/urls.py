"""Paths of the API."""

from core.api.routing import Route

api_routes: list[Route] = []
