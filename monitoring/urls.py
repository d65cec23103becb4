"""Paths of the probes."""

from django.urls import path

from monitoring.health import live

health_urls = [path("live", live, name="live")]
