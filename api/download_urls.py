"""Paths of stored files."""

from django.urls import URLPattern, path

from api.downloads import send_file

file_urls: list[URLPattern] = [path("files/<str:token>/<str:name>", send_file, name="file")]
