"""Counters with a ceiling: what is reserved holds until it is committed, released or over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from crmcore.errors import InvalidInput, NaiveDatetime
from crmcore.reservations import Counters, Full, MemoryCounters, Reservation
from crmcore.reservations.sql import METADATA, SqlCounters

NOW = datetime(2026, 3, 2, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def minute(number: float) -> datetime:
    return NOW + timedelta(minutes=number)


@contextmanager
def counters_of(kind: str) -> Iterator[Counters]:
    """No counter named yet."""
    if kind == "memory":
        yield MemoryCounters()
        return
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.connect() as connection:
        yield SqlCounters(connection)
    engine.dispose()


@pytest.fixture(params=["memory", "sqlite"])
def counters(request: pytest.FixtureRequest) -> Iterator[Counters]:
    with counters_of(request.param) as found:
        yield found


def reserve(counters: Counters, key: str, amount: int = 1, **changed: Any) -> Reservation | Full:
    """For a minute of the counter c, whose ceiling is 3."""
    options: dict[str, Any] = {"counter": "c", "ceiling": 3, "now": NOW, "expires_at": minute(1), **changed}
    return counters.reserve(key, options.pop("counter"), amount, **options)


def test_what_is_reserved_holds_its_part(counters: Counters) -> None:
    assert reserve(counters, "a", 2) == Reservation(key="a", counter="c", amount=2, expires_at=minute(1))
    assert counters.held("c", now=NOW) == 2
    assert reserve(counters, "b", 2) == Full(counter="c", asked=2, held=2, ceiling=3)
    assert isinstance(reserve(counters, "b", 1), Reservation)
    assert counters.held("another", now=NOW) == 0


def test_what_still_fits_is_given_to_who_takes_a_part(counters: Counters) -> None:
    said = reserve(counters, "a", 5, partial=True)
    assert isinstance(said, Reservation)
    assert said.amount == 3
    assert reserve(counters, "b", 1, partial=True) == Full(counter="c", asked=1, held=3, ceiling=3)


def test_no_ceiling_is_none(counters: Counters) -> None:
    assert isinstance(reserve(counters, "a", 10**9, ceiling=None), Reservation)
    assert reserve(counters, "b", ceiling=0) == Full(counter="c", asked=1, held=10**9, ceiling=0)


def test_a_key_is_used_once(counters: Counters) -> None:
    """It gives the same again, full or not; another amount changes nothing; another counter is a mistake."""
    first = reserve(counters, "a", 3)
    assert reserve(counters, "a", 1) == first
    assert reserve(counters, "a", 3, now=minute(0.5), expires_at=minute(9)) == first
    with pytest.raises(InvalidInput, match="key 'a' holds a part of 'c', not of 'd'; use a key only once"):
        reserve(counters, "a", counter="d")
    assert counters.held("c", now=NOW) == 3


def test_a_reservation_is_over_when_it_expires(counters: Counters) -> None:
    reserve(counters, "a", 3)
    assert counters.held("c", now=minute(1) - TICK) == 3
    assert counters.held("c", now=minute(1)) == 0
    assert not counters.commit("a", now=minute(1))
    assert not counters.release("a", now=minute(1))
    assert isinstance(reserve(counters, "b", 3, now=minute(1), expires_at=minute(2)), Reservation)


@pytest.mark.parametrize("counter", ["c", "d"])
def test_a_key_that_has_expired_is_free_again(counters: Counters, counter: str) -> None:
    """For the same counter and for another."""
    reserve(counters, "a", 3)
    said = reserve(counters, "a", 1, counter=counter, now=minute(2), expires_at=minute(3))
    assert said == Reservation(key="a", counter=counter, amount=1, expires_at=minute(3))
    assert (counters.held("c", now=minute(2)), counters.held("d", now=minute(2))) == (
        (1, 0) if counter == "c" else (0, 1)
    )


def test_what_is_committed_counts_for_good(counters: Counters) -> None:
    reserve(counters, "a", 2)
    assert counters.commit("a", now=NOW)
    assert counters.commit("a", now=NOW)  # again changes nothing
    assert counters.held("c", now=minute(99)) == 2
    assert reserve(counters, "b", 2, now=minute(99), expires_at=minute(100)) == Full(
        counter="c", asked=2, held=2, ceiling=3
    )
    assert not counters.release("a", now=minute(99))
    assert counters.held("c", now=minute(99)) == 2


@pytest.mark.parametrize("committed", [False, True])
def test_what_is_released_is_forgotten(counters: Counters, committed: bool) -> None:
    reserve(counters, "a", 2)
    if committed:
        counters.commit("a", now=NOW)
    assert counters.release("a", now=NOW)
    assert counters.held("c", now=NOW) == 0
    assert not counters.release("a", now=NOW)
    assert not counters.commit("a", now=NOW)
    assert isinstance(reserve(counters, "a", 3), Reservation)


def test_a_total_is_changed_whatever_the_ceilings(counters: Counters) -> None:
    counters.add("c", 5)
    counters.add("c", -1)
    assert counters.held("c", now=NOW) == 4
    assert reserve(counters, "a") == Full(counter="c", asked=1, held=4, ceiling=3)
    counters.add("new", -1)
    assert counters.held("new", now=NOW) == -1


@pytest.mark.parametrize("amount", [0, -1, True, 1.0, "1"])
def test_an_amount_is_a_whole_number(counters: Counters, amount: Any) -> None:
    with pytest.raises(InvalidInput, match=r"amount: .* is not a whole number, 1 or more"):
        reserve(counters, "a", amount)


@pytest.mark.parametrize("expires_at", [NOW, NOW - TICK])
def test_a_reservation_ends_after_it_begins(counters: Counters, expires_at: datetime) -> None:
    with pytest.raises(InvalidInput, match=r"is not after now, .*; give a later instant"):
        reserve(counters, "a", expires_at=expires_at)


@pytest.mark.parametrize("name", ["now", "expires_at"])
def test_instants_have_offsets(counters: Counters, name: str) -> None:
    with pytest.raises(NaiveDatetime, match=name):
        reserve(counters, "a", **{name: datetime(2026, 3, 3)})


# --- the law ---

KEYS, NAMES, AMOUNTS = st.sampled_from("abcd"), st.sampled_from("xy"), st.integers(1, 4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), KEYS, NAMES, AMOUNTS, st.booleans(), st.integers(1, 3)),
        st.tuples(st.just("commit"), KEYS),
        st.tuples(st.just("release"), KEYS),
        st.tuples(st.just("add"), NAMES, st.integers(-2, 2)),
        st.tuples(st.just("wait"), st.integers(0, 2)),
    ),
    max_size=25,
)


@attrs.define
class Ledger:
    """What counters should say: every promise remembered, nothing clever."""

    promised: dict[str, Reservation] = attrs.field(factory=dict)
    kept: dict[str, int] = attrs.field(factory=dict)

    def held(self, counter: str, now: datetime) -> int:
        reserved = sum(
            p.amount for p in self.promised.values() if p.counter == counter and not p.committed and p.expires_at > now
        )
        return self.kept.get(counter, 0) + reserved


def counters_keep_what_they_promise(counters: Counters, steps: list[Any], ceiling: int = 4) -> None:
    """After each step each counter holds what was promised, and a reservation never passes the ceiling."""
    ledger, now = Ledger(), NOW
    for verb, *said in steps:
        if verb == "wait":
            now += timedelta(minutes=said[0])
        elif verb == "add":
            counters.add(*said)
            ledger.kept[said[0]] = ledger.kept.get(said[0], 0) + said[1]
        elif verb == "reserve":
            _reserved(counters, ledger, now, said, ceiling)
        else:
            _settled(counters, ledger, now, verb, said[0])
        for name in "xy":
            assert counters.held(name, now=now) == ledger.held(name, now)


def _reserved(counters: Counters, ledger: Ledger, now: datetime, said: list[Any], ceiling: int) -> None:
    key, name, amount, partial, minutes = said
    options: Any = {"ceiling": ceiling, "now": now, "partial": partial, "expires_at": now + timedelta(minutes=minutes)}
    known, before = ledger.promised.get(key), ledger.held(name, now)
    if known is not None and known.alive(now):
        if known.counter != name:
            with pytest.raises(InvalidInput):
                counters.reserve(key, name, amount, **options)
        else:
            assert counters.reserve(key, name, amount, **options) == known
        return
    found = counters.reserve(key, name, amount, **options)
    room = ceiling - before
    if amount > room and not (partial and room > 0):
        assert found == Full(counter=name, asked=amount, held=before, ceiling=ceiling)
        return
    assert isinstance(found, Reservation)
    assert found.amount == min(amount, room)
    ledger.promised[key] = found


def _settled(counters: Counters, ledger: Ledger, now: datetime, verb: str, key: str) -> None:
    known = ledger.promised.get(key)
    alive = known is not None and known.alive(now)
    assert getattr(counters, verb)(key, now=now) == alive
    if known is None or not alive:
        return
    if verb == "commit" and not known.committed:
        ledger.promised[key] = attrs.evolve(known, committed=True)
        ledger.kept[known.counter] = ledger.kept.get(known.counter, 0) + known.amount
    elif verb == "release":
        del ledger.promised[key]
        ledger.kept[known.counter] = ledger.kept.get(known.counter, 0) - known.amount * known.committed


@given(STEPS)
@settings(max_examples=150)
def test_counters_in_memory_keep_what_they_promise(steps: list[Any]) -> None:
    counters_keep_what_they_promise(MemoryCounters(), steps)


@given(STEPS)
@settings(max_examples=40)
def test_counters_in_sqlite_keep_what_they_promise(steps: list[Any]) -> None:
    with counters_of("sqlite") as counters:
        counters_keep_what_they_promise(counters, steps)
