"""Every snippet of the README, the docs and the docstrings does what it says."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sybil import Document, Example, Region
from sybil.evaluators.doctest import DocTestEvaluator
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown import SkipParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from sources import MODULES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = [page for page in (ROOT / "README.md", ROOT / "README.zh-CN.md") if page.exists()]
PAGES += sorted((ROOT / "docs").rglob("*.md"))

FENCES = RawFencedCodeBlockLexer(re.compile(r"[ ]*(?P<language>[\w-]+)(?P<options>[^\n]*)\n"))
TITLE = re.compile(r'title="([^"]+)"')
COMMAND = re.compile(r"^\$ (?P<command>(?:.*\\\n)*.*)\n?(?P<shown>(?:(?!\$ ).*\n?)*)", re.MULTILINE)
DOCTESTS = DocTestStringParser(DocTestEvaluator(doctest.ELLIPSIS))
PYTHON = PythonEvaluator()


def snippets(document: Document) -> Iterator[Region]:
    """The fenced blocks that can be shown to work: Python, doctests, console sessions, and files by their title."""
    for region in FENCES(document):
        source = region.parsed = region.lexemes["source"]
        titled = TITLE.search(region.lexemes["options"])
        match region.lexemes["language"]:
            case _ if titled:
                region.lexemes["file"], region.evaluator = titled[1], write_file
                yield region
            case "python" if source.lstrip().startswith(">>>"):
                for doctested in DOCTESTS(source, document.path):
                    doctested.adjust(region, source)
                    yield doctested
            case "python":
                region.evaluator = PYTHON
                yield region
            case "console":
                region.evaluator = run_session
                yield region
            case _:
                pass


def write_file(example: Example) -> None:
    """A block with a title is a file that the reader is told to write."""
    path = Path(example.region.lexemes["file"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.parsed, encoding="utf-8")


def run_session(example: Example) -> str | None:
    """Each ``$ crmcore …`` prints what stands below it; without a word below it, it must succeed."""
    for found in COMMAND.finditer(example.parsed):
        command, shown = found["command"], found["shown"]
        if not command.startswith("crmcore "):
            continue
        done = run(command)
        if not shown.strip() and done.returncode:
            return f"$ {command}\nends with {done.returncode}:\n{done.stdout}"
        if shown.strip() and not says(done.stdout, shown):
            return f"$ {command}\nshould print\n{shown}\nbut prints\n{done.stdout}"
    return None


def run(command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of a console session as a reader would, in a plain terminal that speaks English."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("COV", "LC_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env |= {"PATH": path, "LANG": "en_US.UTF-8", "PYTHONUTF8": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}
    return subprocess.run(
        ["/bin/sh", "-c", command],
        env=env,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def says(printed: str, shown: str) -> bool:
    """The output is what is shown; ``…`` and ``...`` stand for anything, space at line ends for nothing."""
    parts = re.split(r"…|\.\.\.", "\n".join(line.rstrip() for line in shown.strip().splitlines()))
    pattern = ".*".join(re.escape(part) for part in parts)
    return (
        re.fullmatch(pattern, "\n".join(line.rstrip() for line in printed.strip().splitlines()), re.DOTALL) is not None
    )


def evaluate(page: Path) -> None:
    for example in Document.parse(str(page), snippets, SkipParser()).examples():
        example.evaluate()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory with a copy of the examples, as a reader of the docs has it."""
    if (ROOT / "examples").exists():
        shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
@pytest.mark.usefixtures("desk")
def test_page(page: Path) -> None:
    """The snippets of a page work, one after the other."""
    evaluate(page)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    """The examples in the docstrings work."""
    assert doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS).failed == 0


PAGE = """\
```python
from fractions import Fraction
half = Fraction(1, 2)
```

```python
>>> half + half
{sum}
```

```toml title="notes/a.toml"
half = 0.5
```

<!-- skip: next -->
```python
raise SystemExit
```

```console
$ echo not run
$ crmcore --nonsense \\
    > said.txt 2>&1; echo "one two three" | \\
    grep one
one … three
$ crmcore --nonsense >/dev/null 2>&1; exit {exit}
```

```python
from pathlib import Path
assert Path("notes/a.toml").read_text() == "half = 0.5\\n"
```
"""


@pytest.mark.parametrize(
    ("holes", "fault"),
    [
        ({"sum": "Fraction(1, 1)", "exit": "0"}, None),
        ({"sum": "Fraction(2, 1)", "exit": "0"}, r"line 7.*Expected"),
        ({"sum": "Fraction(1, 1)", "exit": "3"}, r"ends with 3"),
    ],
)
def test_this_test_bites(desk: Path, holes: dict[str, str], fault: str | None) -> None:
    """A page that is right passes; a wrong result or a failing command is found."""
    (desk / "page.md").write_text(PAGE.format(**holes), encoding="utf-8")
    with pytest.raises(AssertionError, match=f"(?s){fault}") if fault else nullcontext():
        evaluate(desk / "page.md")


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("a\nb  \n", "a\nb\n", True),
        ("a 17 b", "a … b", True),
        ("a\nmany\nlines\nb", "a\n...\nb", True),
        ("a b c", "a b", False),
        ("a (b)", "a .b.", False),
    ],
)
def test_says(printed: str, shown: str, *, same: bool) -> None:
    """Output is compared to the letter, but for ellipses and space at line ends."""
    assert says(printed, shown) is same
