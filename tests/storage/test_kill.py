"""A run may be killed anywhere and repeated: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable, Iterator
from signal import SIGKILL
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
if sys.platform == "win32":
    pytest.skip("there is no SIGKILL", allow_module_level=True)

from sqlalchemy import NullPool, create_engine, text

from crmcore.ownership import RunLimits
from crmcore.reservations.sql import METADATA
from crmcore.storage import MemoryStore, run
from crmcore.storage.sql import SqlStore
from storage.kill import BATCH, FREE, NOW, POLICY, TIGHT, Death, Fuse, fill, state, whole, work, workers_die

if TYPE_CHECKING:
    from server import Server

LIMITS = {"free": FREE, "tight": TIGHT}
Copies = Callable[[], str]
"""Gives the URL of a base that no run has seen; the one given before it is done with."""


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """What a whole run makes of the base, in memory."""
    return {name: _undisturbed(limits) for name, limits in LIMITS.items()}


def _undisturbed(limits: RunLimits) -> dict[str, Any]:
    store = MemoryStore()
    fill(store)
    run(store, POLICY, now=NOW, limits=limits)
    return state(store)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    folder = tmp_path_factory.mktemp("killed")
    _filled(f"sqlite:///{folder}/base")

    def copy() -> str:
        name = folder / f"copy{len(list(folder.iterdir()))}"
        shutil.copyfile(folder / "base", name)
        return f"sqlite:///{name}"

    return copy


@pytest.fixture(scope="module")
def postgresql(postgres: Server) -> Iterator[Copies]:
    url = postgres.new()
    _filled(url)
    engine = create_engine(url, poolclass=NullPool)
    tables = [table.name for table in METADATA.sorted_tables]

    def done(script: str) -> None:
        with engine.begin() as connection:
            for name in tables:
                connection.execute(text(script.format(name)))

    def copy() -> str:
        done("TRUNCATE {0}")
        done("INSERT INTO {0} TABLE base_{0}")
        return url

    done("CREATE TABLE base_{0} AS TABLE {0}")
    yield copy
    engine.dispose()


def _filled(url: str) -> None:
    store = SqlStore(url).create()
    fill(store)
    store.close()


def _deaths(copies: Copies, limits: RunLimits, workers: int, kills: int) -> Iterator[Death]:
    """Moments of a whole run: three of four at an event, else at a batch; of several workers one dies, or all do."""
    draw, fuse, batches = random.Random(f"{workers} {kills} {limits}"), Fuse(), _Batches()
    work(copies(), limits, fuse, batches)
    for number in range(kills):
        if number % 4 == 2:
            yield Death(batch=draw.randint(1, len(batches) // 2), all=True)
        else:
            yield Death(event=draw.randint(1, fuse.count), all=workers > 1 and number % 2 == 1)


class _Batches(list[int]):
    send = list.append


LONG = pytest.mark.slow


@pytest.mark.parametrize("ceilings", LIMITS)
@pytest.mark.parametrize(
    ("database", "workers", "kills"),
    [
        ("sqlite", 1, 3),
        ("sqlite", 2, 3),
        ("postgresql", 2, 3),
        pytest.param("sqlite", 1, 20, marks=LONG),
        pytest.param("sqlite", 4, 20, marks=LONG),
        pytest.param("postgresql", 1, 20, marks=LONG),
        pytest.param("postgresql", 4, 20, marks=LONG),
    ],
)
def test_nothing_is_lost_or_done_twice(
    request: pytest.FixtureRequest,
    undisturbed: dict[str, Any],
    database: str,
    ceilings: str,
    *,
    workers: int,
    kills: int,
) -> None:
    copies, limits = request.getfixturevalue(database), LIMITS[ceilings]
    for death in _deaths(copies, limits, workers, kills):
        url = copies()
        codes = workers_die(url, limits, workers, death)
        assert set(codes) <= {0, -SIGKILL}, death
        assert -SIGKILL in codes or death.batch, death
        whole(url, limits)
        store = SqlStore(url)
        run(store, POLICY, now=NOW, limits=limits, batch=BATCH)
        whole(url, limits)
        assert state(store) == undisturbed[ceilings], death
        store.close()


def test_a_run_that_is_half_done_is_noticed(sqlite: Copies) -> None:
    """What is on trial above would be caught: with updates that last at once, some deaths leave half a batch."""
    noticed = 0
    for death in _deaths(sqlite, TIGHT, 1, 5):
        url = sqlite()
        workers_die(url, TIGHT, 1, death, leaky=True)
        try:
            whole(url, TIGHT)
        except AssertionError:
            noticed += 1
    assert noticed
