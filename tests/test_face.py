"""What is public, and what it costs to import it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from inspect import ismodule
from pathlib import Path

import pytest

import crmcore
from sources import MODULES, PACKAGES, ROOT, SRC

EXTRAS = {"chinese_calendar", "click", "holidays", "hypothesis", "matplotlib", "narwhals", "pytest", "rich", "tomli_w"}


def loaded_after(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after running the code."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    script = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], env=env, check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_exactly_what_is_public(name: str) -> None:
    """`__all__` of every package is what `dir()` shows, lazy names too, less the modules."""
    module = import_module(name)
    public = {each for each in dir(module) if each[0] != "_" and not ismodule(getattr(module, each))}
    assert set(module.__all__) == public
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_offers(name: str) -> None:
    """Every module has an `__all__` whose names are there."""
    module = import_module(name)
    assert [each for each in module.__all__ if not hasattr(module, each)] == []


def test_the_face() -> None:
    """The names that others build on are importable from the top."""
    for name in ("Decision", "Reason", "PolicyBook", "BusinessCalendar", "Span", "Money", "OPEN_ENDED"):
        assert getattr(crmcore, name) is getattr(import_module(f"crmcore.{crmcore._HOMES[name]}"), name)


def test_modules_by_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    """`import crmcore` is enough to reach its packages."""
    for name in crmcore._MODULES:
        monkeypatch.delattr(crmcore, name, raising=False)
        assert getattr(crmcore, name) is import_module(f"crmcore.{name}")


def test_modules_in_a_fresh_interpreter() -> None:
    """A package is reached by attribute though nobody imported it."""
    assert "crmcore" in loaded_after("import crmcore\ncrmcore.money.Money; crmcore.errors.CrmcoreError")


def test_version() -> None:
    """`__version__` is the installed distribution's."""
    crmcore.__dict__.pop("__version__", None)
    assert crmcore.__version__ == version("crmcore")


def test_unknown_name() -> None:
    """A name that is not there is an ordinary AttributeError."""
    with pytest.raises(AttributeError, match="module 'crmcore' has no attribute 'Nonsense'"):
        crmcore.Nonsense  # noqa: B018 (asking is the test)


@pytest.mark.parametrize("code", ["import crmcore", "import crmcore; dir(crmcore)"])
def test_the_face_is_lazy(code: str) -> None:
    """Importing the library or listing its names loads nothing: neither its own modules nor a dependency."""
    assert loaded_after(code) & {*EXTRAS, "attr", "attrs", "dateutil", "decimal", "importlib.metadata"} == set()


def test_no_extra_is_loaded_for_the_core() -> None:
    """Every name of the face, and the concepts, come without any of the extras."""
    assert loaded_after("from crmcore import *; import crmcore.ownership") & EXTRAS == set()


def test_run_time_dependencies() -> None:
    """Two run-time dependencies, and a zone database where the platform has none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    always = [each for each in project["dependencies"] if ";" not in each]
    assert [each.partition(">=")[0] for each in always] == ["attrs", "python-dateutil"]
    assert all(each.startswith("tzdata") for each in project["dependencies"] if each not in always)


def test_typed() -> None:
    """The package says that it is typed (PEP 561)."""
    assert files("crmcore").joinpath("py.typed").is_file()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library as it is published."""
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(place), str(ROOT)]
    subprocess.run(command, check=True)
    return next(place.glob("crmcore-*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_the_library(wheel: Path) -> None:
    """What is published is every file of the source, and nothing else."""
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = {path for path in SRC.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert shipped == {path.relative_to(SRC).as_posix() for path in ours}


@pytest.mark.slow
def test_the_core_needs_no_extra(wheel: Path, tmp_path: Path) -> None:
    """Installed alone, on the newest release of its two dependencies, the library loads its standard book."""
    python = tmp_path / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path)], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", str(wheel)], check=True)
    code = "from crmcore import *; import crmcore; crmcore.ownership; print(PolicyBook.standard().ownership.reclaim)"
    done = subprocess.run([python, "-W", "error", "-c", code], check=True, capture_output=True, text=True)
    assert "ReclaimPolicy" in done.stdout
