"""The JSON Schema of a book file (draft 2020-12), put together from the tables that the concepts bring."""

from __future__ import annotations

from typing import Any

from crmcore.book import calendars
from crmcore.book.concepts import CONCEPTS

__all__ = ["book_schema"]


def book_schema() -> dict[str, Any]:
    """Every key of a book; a date may be written as a TOML date or as text."""
    properties: dict[str, Any] = {
        "schema": {"const": 1},
        "name": {"type": "string"},
        "version": {"description": "default: the effective date, else unversioned", "type": "string"},
        "effective": {"type": "string", "format": "date"},
        "zone": {"description": "for d, w, mo; default: the map's zone, else UTC", "type": "string"},
        **{concept.NAME: dict(concept.SCHEMA) for concept in CONCEPTS},
        "calendars": dict(calendars.SCHEMA),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "crmcore policy book",
        "type": "object",
        "required": ["schema"],
        "additionalProperties": False,
        "properties": properties,
    }
