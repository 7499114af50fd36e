"""What a how-to tells the reader to write works in a host of its own, in a process of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sources import ROOT
from test_snippets import evaluate, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

DJANGO = ROOT / "docs" / "how-to" / "django.md"


def test_django(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of the page are an app whose own tests pass, run as the page says, warnings being errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    evaluate(DJANGO)
    commands = re.findall(r"^\$ (python .*)$", DJANGO.read_text(encoding="utf-8"), re.MULTILINE)
    ran = [run(command) for command in commands]
    assert [done.returncode for done in ran] == [0, 0], ran[-1].stdout
    tests = (tmp_path / "leads" / "tests.py").read_text(encoding="utf-8").count("def test_")
    assert f"Ran {tests} tests" in ran[-1].stdout
