"""Breaking and harmless changes: a table of single changes to one document."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest

from tests.openapi import documents
from tests.openapi.compatibility import find_breaks

DOCUMENT = {
    "openapi": "3.0.3",
    "paths": {
        "/films": {
            "get": {
                "parameters": [
                    {"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 100}},
                    {"in": "query", "name": "kind", "schema": {"type": "string", "enum": ["long", "short"]}},
                ],
                "responses": {
                    "200": {
                        "headers": {"Link": {"schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Film"}}},
                    },
                    "404": {"content": {"application/problem+json": {"schema": {"type": "object"}}}},
                },
                "security": [{"ApiKey": []}, {"Bearer": []}],
                "x-required-scope": "films:read",
            },
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/FilmRequest"}}},
                },
                "responses": {"201": {"content": {"application/json": {"schema": {"type": "object"}}}}},
            },
        },
        "/ping": {"post": {"responses": {"204": {"description": ""}}}},
    },
    "components": {
        "schemas": {
            "Film": {
                "type": "object",
                "required": ["id", "rating", "state"],
                "properties": {
                    "id": {"type": "string"},
                    "rating": {"type": "number"},
                    "state": {"type": "string", "enum": ["new", "old"]},
                    "mood": {"type": "string", "enum": ["calm"], "x-open-enum": True},
                    "sequel": {"allOf": [{"$ref": "#/components/schemas/Film"}], "nullable": True},
                    "cast": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
                    "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
                    "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            },
            "FilmRequest": {
                "type": "object",
                "required": ["title"],
                "properties": {
                    "title": {"type": "string", "maxLength": 100},
                    "year": {"type": "integer", "nullable": True, "minimum": 1888},
                    "kind": {"oneOf": [{"enum": ["long", "short"], "type": "string"}, {"enum": [None]}]},
                    "options": {"type": "object", "additionalProperties": {}},
                },
            },
        }
    },
}
FILM = ("components", "schemas", "Film")
REQUEST = ("components", "schemas", "FilmRequest")
GET = ("paths", "/films", "get")
POST = ("paths", "/films", "post")
GONE = object()


def changed(path, value):
    document = copy.deepcopy(DOCUMENT)
    node = document
    for part in path[:-1]:
        node = node[part]
    if value is GONE:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return document


BREAKING = {
    "path removed": (("paths", "/ping"), GONE, "the path is gone"),
    "operation removed": (POST, GONE, "the operation is gone"),
    "parameter removed": ((*GET, "parameters"), [], "the parameter is gone"),
    "required parameter added": (
        ("paths", "/ping", "post", "parameters"),
        [{"in": "query", "name": "x", "required": True, "schema": {}}],
        "a new parameter is required",
    ),
    "parameter became required": ((*GET, "parameters", 0, "required"), True, "became required"),
    "parameter's maximum lowered": ((*GET, "parameters", 0, "schema", "maximum"), 50, "maximum fell to 50"),
    "parameter's type changed": ((*GET, "parameters", 0, "schema", "type"), "string", "type was integer and is string"),
    "parameter's enum narrowed": ((*GET, "parameters", 1, "schema", "enum"), ["long"], "no longer taken: short"),
    "success status removed": ((*GET, "responses"), {"404": {}}, "the status is gone"),
    "success status added": ((*GET, "responses", "202"), {}, "a new status of success"),
    "response header removed": ((*GET, "responses", "200", "headers"), {}, "the header Link is gone"),
    "media type changed": ((*GET, "responses", "200", "content"), {"text/csv": {}}, "is no longer sent"),
    "way to authenticate removed": ((*GET, "security"), [{"Bearer": []}], "a way to authenticate is gone"),
    "authentication demanded": (("paths", "/ping", "post", "security"), [{"Bearer": []}], "a way to authenticate"),
    "other scope": ((*GET, "x-required-scope"), "films:write", "needs the scope films:write, not films:read"),
    "scope demanded": (("paths", "/ping", "post", "x-required-scope"), "a:b", "needs the scope a:b"),
    "body demanded": (("paths", "/ping", "post", "requestBody"), {"required": True}, "a body is now required"),
    "body refused": ((*POST, "requestBody"), GONE, "no longer taken"),
    "body's media type refused": ((*POST, "requestBody", "content"), {"text/csv": {}}, "no longer taken"),
    "response member removed": ((*FILM, "properties", "id"), GONE, "answer 200.id: the member is gone"),
    "nested response member removed": (
        (*FILM, "properties", "cast", "items", "properties"),
        {},
        "answer 200.cast[].name: the member is gone",
    ),
    "response member optional": ((*FILM, "required"), ["id", "state"], "rating: the member may now be missing"),
    "response type changed": ((*FILM, "properties", "id", "type"), "integer", "type was string and is integer"),
    "response type opened": ((*FILM, "properties", "id"), {}, "type was string and is any"),
    "response may be null": ((*FILM, "properties", "id", "nullable"), True, "it may now be null"),
    "response enum grown": ((*FILM, "properties", "state", "enum"), ["new", "old", "lost"], "not open: lost"),
    "response enum dropped": ((*FILM, "properties", "state", "enum"), GONE, "any value may now come"),
    "response union grown": (
        (*FILM, "properties", "either", "oneOf"),
        [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}],
        "no alternative promised boolean",
    ),
    "response values changed": ((*FILM, "properties", "tags", "additionalProperties"), {"type": "integer"}, "tags.*"),
    "response values freed": ((*FILM, "properties", "tags", "additionalProperties"), True, "are free now"),
    "request member removed": ((*REQUEST, "properties", "year"), GONE, "body.year: the member is gone"),
    "request member required": ((*REQUEST, "required"), ["title", "year"], "year: the member became required"),
    "new request member required": ((*REQUEST, "required"), ["title", "fee"], "fee: a new member is required"),
    "request length lowered": ((*REQUEST, "properties", "title", "maxLength"), 50, "maxLength fell to 50"),
    "request length introduced": ((*REQUEST, "properties", "year", "maximum"), 2100, "maximum fell to 2100"),
    "request minimum raised": ((*REQUEST, "properties", "year", "minimum"), 1900, "minimum rose to 1900"),
    "request pattern introduced": ((*REQUEST, "properties", "title", "pattern"), "^a", "pattern is now ^a"),
    "request null refused": ((*REQUEST, "properties", "year", "nullable"), GONE, "null is no longer taken"),
    "request null refused in union": (
        (*REQUEST, "properties", "kind"),
        {"type": "string", "enum": ["long", "short"]},
        "null is no longer taken",
    ),
    "request enum narrowed": (
        (*REQUEST, "properties", "kind", "oneOf", 0, "enum"),
        ["long"],
        "kind: no longer taken: short",
    ),
    "request enum introduced": ((*REQUEST, "properties", "title", "enum"), ["a"], "only some values"),
    "request type narrowed": ((*REQUEST, "properties", "title", "type"), "integer", "type was string"),
    "free members refused": ((*REQUEST, "properties", "options", "additionalProperties"), False, "no longer taken"),
}  # fmt: skip
HARMLESS = {
    "nothing": (("openapi",), "3.0.3"),
    "path added": (("paths", "/songs"), {"get": {"responses": {}}}),
    "operation added": (("paths", "/ping", "get"), {"responses": {}}),
    "optional parameter added": (
        ("paths", "/ping", "post", "parameters"),
        [{"in": "query", "name": "x", "schema": {"type": "string"}}],
    ),
    "parameter's maximum raised": ((*GET, "parameters", 0, "schema", "maximum"), 200),
    "parameter's enum grown": ((*GET, "parameters", 1, "schema", "enum"), ["long", "short", "tiny"]),
    "refusal added": ((*GET, "responses", "409"), {}),
    "refusal removed": ((*GET, "responses", "404"), GONE),
    "way to authenticate added": ((*GET, "security"), [{"ApiKey": []}, {"Bearer": []}, {}]),
    "scope dropped": ((*GET, "x-required-scope"), GONE),
    "response member added": ((*FILM, "properties", "length_s"), {"type": "number"}),
    "response type narrowed": ((*FILM, "properties", "rating", "type"), "integer"),
    "response enum shrunk": ((*FILM, "properties", "state", "enum"), ["new"]),
    "open response enum grown": ((*FILM, "properties", "mood", "enum"), ["calm", "wild"]),
    "response never null": ((*FILM, "properties", "sequel", "nullable"), False),
    "response union shrunk": ((*FILM, "properties", "either"), {"type": "string"}),
    "response member always there": ((*FILM, "required"), ["id", "rating", "state", "cast"]),
    "optional request member added": ((*REQUEST, "properties", "fee"), {"type": "number"}),
    "request member optional": ((*REQUEST, "required"), []),
    "request type widened": ((*REQUEST, "properties", "year", "type"), "number"),
    "request union grown": ((*REQUEST, "properties", "title"), {"oneOf": [{"type": "string"}, {"type": "integer"}]}),
    "request length raised": ((*REQUEST, "properties", "title", "maxLength"), 500),
    "description": ((*FILM, "properties", "id", "description"), "What it is called."),
}


def test_a_document_is_compatible_with_itself():
    assert find_breaks(DOCUMENT, copy.deepcopy(DOCUMENT)) == []


@pytest.mark.parametrize("name", BREAKING)
def test_breaking(name):
    path, value, expected = BREAKING[name]
    found = [str(broken) for broken in find_breaks(DOCUMENT, changed(path, value))]
    assert any(expected in text for text in found), found


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless(name):
    path, value = HARMLESS[name]
    assert find_breaks(DOCUMENT, changed(path, value)) == []


def test_the_program_refuses_to_store_a_break(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(documents, "DIRECTORY", tmp_path)
    assert documents.main([]) == 0
    stored = json.loads((tmp_path / "v1.json").read_text())
    stored["paths"]["/api/v1/films"] = {"get": {"responses": {}}}
    (tmp_path / "v1.json").write_text(json.dumps(stored))
    assert documents.main([]) == documents.main(["--check"]) == 1
    assert "v1.json: /api/v1/films: the path is gone" in capsys.readouterr().err
    assert "/api/v1/films" in (tmp_path / "v1.json").read_text()
    assert documents.main(["--allow-breaks"]) == 0
    assert documents.main(["--check"]) == 0


def test_the_check_fails_on_an_outdated_document(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(documents, "DIRECTORY", tmp_path)
    assert documents.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert not (tmp_path / "v1.json").exists()


@pytest.mark.acceptance
def test_the_program_runs_by_itself():
    done = subprocess.run(
        [sys.executable, "-m", "tests.openapi.documents", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("up to date") == 2
