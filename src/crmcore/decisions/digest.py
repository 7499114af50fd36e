"""The digest of a policy: same facts, same digest, same answer, years later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["FORM", "digest"]

FORM: Final = 1
"""The number of the canonical form; a change of form is a new number, never a silent new digest."""


def digest(kind: str, data: Mapping[str, Any]) -> str:
    """SHA-256 of the resolved `data` of a policy of `kind`, in canonical JSON (sorted keys, no blanks, UTF-8)."""
    form = {"form": FORM, "kind": kind, "data": data}
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
