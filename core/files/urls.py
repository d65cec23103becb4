"""Paths of stored files."""

from django.urls import URLPattern

file_urls: list[URLPattern] = []
