"""How the house is kept: what no linter knows of."""

from __future__ import annotations

import ast
import configparser
import inspect
import re
import statistics
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from sources import FILES, MODULES, PACKAGES, ROOT, SRC, tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLOCKS = re.compile(
    r"datetime\.datetime\.(now|utcnow|today)|datetime\.date\.today|dateutil\.utils\.today"
    r"|time\.(time|time_ns|monotonic|monotonic_ns|perf_counter|perf_counter_ns|process_time|localtime|gmtime|ctime|sleep)"
)
CHANCE = re.compile(r"random(\..+)?|secrets(\..+)?|uuid\.uuid[14]|os\.(urandom|getrandom)")
OUTSIDE = re.compile(
    r"(builtins\.)?(open|print|input|eval)|io\.open|os\.(environ|getenv|open|system|popen)(\..+)?"
    r"|(pathlib|subprocess|socket|ssl|urllib|http|smtplib|ftplib|requests|httpx|sqlite3|logging|tempfile|shutil)(\..+)?"
)
CLOCK = "cli/clock.py"
MAY_READ_AND_WRITE = (
    "files",
    "book",
    "cli",
    "storage",
    "backtest",
    "report",
    "testing",
)  # and concepts' command, sql, tables
RUN_TIME = {"attr", "attrs", "crmcore", "dateutil"}
NEED_AN_EXTRA = ("cli", "storage", "testing")  # as above
LONG = 400

relative = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SRC).as_posix())


def place(path: Path) -> str:
    return path.relative_to(SRC / "crmcore").as_posix()


def in_any(path: Path, packages: tuple[str, ...]) -> bool:
    return place(path).startswith(tuple(f"{each}/" for each in packages)) or path.stem in {"command", "sql", "tables"}


def names_of(module: ast.Module) -> dict[str, str]:
    """What each imported name stands for, in full."""
    names: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for each in node.names:
                top = each.name.partition(".")[0]
                names[each.asname or top] = each.name if each.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return names


def full_name(node: ast.expr, names: dict[str, str]) -> str | None:
    """``dt.datetime.now`` is ``datetime.datetime.now`` after ``import datetime as dt``."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=attr):
            owner = full_name(value, names)
            return owner and f"{owner}.{attr}"
        case _:
            return None


def uses(module: ast.Module, forbidden: re.Pattern[str]) -> Iterator[str]:
    """Every place where the module names something forbidden, called or not."""
    names = names_of(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            name = full_name(node, names)
            if name and forbidden.fullmatch(name):
                yield f"line {node.lineno}: {name}"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import datetime as dt\ndt.datetime.now(dt.UTC)", "datetime.datetime.now"),
        ("from datetime import datetime as D\nf(default=D.utcnow)", "datetime.datetime.utcnow"),
        ("from datetime import date\ndate.today()", "datetime.date.today"),
        ("from time import monotonic as tick\ntick()", "time.monotonic"),
        ("def f():\n    import time\n    return time.time()", "time.time"),
        ("import uuid\nuuid.uuid4()", "uuid.uuid4"),
        ("import random\nrandom.Random(1)", "random"),
        ("import os\nos.urandom(1)", "os.urandom"),
        ("open('x')", "open"),
        ("from pathlib import Path\nPath('x')", "pathlib.Path"),
        ("def f(now):\n    return now, policy.at(now), stops.append, row.time()", None),
    ],
)
def test_this_test_sees(code: str, found: str | None) -> None:
    """The search below finds clocks, chance and the outside world under any name, and nothing else."""
    seen = [*uses(ast.parse(code), re.compile("|".join(f"({each.pattern})" for each in (CLOCKS, CHANCE, OUTSIDE))))]
    assert any(each.endswith(f": {found}") for each in seen) if found else seen == []


@relative
def test_no_ambient_clock(path: Path) -> None:
    """Only the command line's clock reads a clock; everywhere else `now` is an argument."""
    assert place(path) == CLOCK or [*uses(tree(path), CLOCKS)] == []


@relative
def test_no_chance(path: Path) -> None:
    """Nothing in the library is random; the kit's strategies are Hypothesis's."""
    assert [*uses(tree(path), CHANCE)] == []


@relative
def test_policies_touch_nothing(path: Path) -> None:
    """What decides neither reads nor writes nor prints; files are for the packages that are there for them."""
    if not in_any(path, MAY_READ_AND_WRITE):
        assert [*uses(tree(path), OUTSIDE)] == []


def imported_at_once(module: ast.Module) -> Iterator[str]:
    """The top-level packages that importing the module imports."""
    for node in module.body:
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@relative
def test_no_extra_at_import(path: Path) -> None:
    """Outside the packages of an extra, what is not a run-time dependency is imported inside functions only."""
    if not in_any(path, NEED_AN_EXTRA):
        assert {*imported_at_once(tree(path))} - RUN_TIME <= sys.stdlib_module_names


@relative
def test_names_of_modules(path: Path) -> None:
    """A module is named for what it is about."""
    assert path.stem not in {"common", "helper", "helpers", "misc", "util", "utils"}


@relative
def test_long_files_say_why(path: Path) -> None:
    """A file of more than 400 lines says at its top why it is that long."""
    lines = len(path.read_text(encoding="utf-8").splitlines())
    why = re.search(r"\b(long|lines)\b", ast.get_docstring(tree(path)) or "")
    assert lines <= LONG or why, f"{lines} lines, and its docstring does not say why"


def test_functions_are_short() -> None:
    """The median function has fewer than 15 lines."""
    functions = (node for path in FILES for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef))
    assert statistics.median((node.end_lineno or 0) - node.lineno + 1 for node in functions) < 15


def assigned_without_a_word(module: ast.Module) -> Iterator[str]:
    """Names assigned at module level without a docstring below them."""
    for node, below in zip(module.body, [*module.body[1:], None], strict=True):
        said = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(node, ast.Assign | ast.AnnAssign) and not said:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


@pytest.mark.parametrize("name", MODULES)
def test_public_objects_have_docstrings(name: str) -> None:
    """Everything public says what it is: classes and functions everywhere, constants where they are on a face."""
    module = import_module(name)
    face = {*import_module(name if name.count(".") < 2 else name.rpartition(".")[0]).__all__}
    silent = {*assigned_without_a_word(tree(MODULES[name]))} & face
    for each in module.__all__:
        value = getattr(module, each)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert inspect.getdoc(value), each
        else:
            assert each not in silent, f"{each} needs a docstring below it"


def contracts() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter", encoding="utf-8")
    return parser


def test_the_contracts_cover_every_concept() -> None:
    """A concept of the house that exists is held independent, and its files in layers."""
    house = contracts()
    layer = next(line for line in house["importlinter:contract:layers"]["layers"].splitlines() if "ownership" in line)
    concepts = {f"crmcore.{each}" for each in re.findall(r"\w+", layer)} & set(PACKAGES)
    assert concepts == set(house["importlinter:contract:concepts"]["modules"].split())
    inside = [house[name]["containers"].split() for name in house if ":inside_" in name]
    assert concepts == {each for containers in inside for each in containers}
