"""Fonts: a machine with a Chinese font, and one without."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib import font_manager

from crmcore.report.fonts import CHINESE
from report.samples import make_font


@pytest.fixture(scope="session")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_font(tmp_path_factory.mktemp("fonts") / "boxes.ttf")


@pytest.fixture
def without_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Chinese font is installed."""
    left = [each for each in font_manager.fontManager.ttflist if each.name not in CHINESE]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", left)


@pytest.fixture
def with_font(without_font: None, font: Path) -> None:
    """One Chinese font is installed."""
    font_manager.fontManager.addfont(font)
