"""Every promise is proven to bite: for each, stores that break it, which the kit must catch; what they keep holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from threading import Barrier, current_thread, main_thread
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest import SkipTest

import attrs
import pytest
from hypothesis import Phase

from crmcore.calendars import OPEN_ENDED
from crmcore.decisions import UNKNOWN
from crmcore.money import Money
from crmcore.ownership.ports import OwnershipStore
from crmcore.ownership.stored import Change, owner_of
from crmcore.reservations import Full, Reservation
from crmcore.storage import MemoryStore
from crmcore.testing import check_store, contracts, machines

CONTRACTS = {
    name.removesuffix("Contract"): getattr(contracts, name) for name in contracts.__all__ if name[-8:] == "Contract"
}
DAY = timedelta(days=1)


class Over:
    """A port that is the sound one, but for what a subclass says."""

    def __init__(self, sound: Any, store: MemoryStore) -> None:
        self.sound, self.data = sound, store._data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sound, name)


class Broken(MemoryStore):
    """A store in memory with other ports."""

    def __init__(self, **ports: type[Over]) -> None:
        super().__init__()
        self.ports = ports

    @contextmanager
    def begin(self) -> Iterator[Any]:
        with super().begin() as transaction:
            ours: Any = transaction
            sound = {name: getattr(ours, name) for name in ("prospects", "due", "outbox", "counters", "notes")}
            yield SimpleNamespace(**sound | {name: port(sound[name], self) for name, port in self.ports.items()})


# --- the store ---


class LosesNotes(MemoryStore):
    @contextmanager
    def begin(self) -> Iterator[Any]:
        with super().begin() as transaction:
            yield transaction
            self._data.notes.clear()


class SeesNothingYet(Over):
    """Counters as they were when the transaction began."""

    def __init__(self, sound: Any, store: Any) -> None:
        super().__init__(sound, store)
        self.were = dict(self.data.counters._totals)

    def held(self, counter: str, *, now: datetime) -> int:  # noqa: ARG002 - the port's own words
        return self.were.get(counter, 0)


class CommitsHalves(MemoryStore):
    @contextmanager
    def begin(self) -> Iterator[Any]:
        error = None
        with super().begin() as transaction:
            try:
                yield transaction
            except BaseException as caught:  # noqa: BLE001 - whatever it is
                error = caught
        if error is not None:
            raise error


class CommitsWhenInterrupted(MemoryStore):
    @contextmanager
    def begin(self) -> Iterator[Any]:
        error = None
        with super().begin() as transaction:
            try:
                yield transaction
            except KeyboardInterrupt as caught:
                error = caught
        if error is not None:
            raise error


class KeepsMessages(MemoryStore):
    """An outbox of another database."""

    def __init__(self) -> None:
        super().__init__()
        self._data.tables = tuple(table for table in self._data.tables if table is not self._data.told)


class HidesErrors(MemoryStore):
    @contextmanager
    def begin(self) -> Iterator[Any]:
        with suppress(BaseException), super().begin() as transaction:
            yield transaction


# --- counters ---


class NamesCounters(Over):
    def held(self, counter: str, *, now: datetime) -> int:
        named = counter in self.data.counters._totals or counter in self.data.counters._keys
        return int(self.sound.held(counter, now=now)) if named else -1


class RoundsExpiry(Over):
    def reserve(self, *given: Any, **asked: Any) -> Any:
        said = self.sound.reserve(*given, **asked)
        return attrs.evolve(said, expires_at=said.expires_at.replace(microsecond=0)) if told(said) else said


class CountsTheGreatest(Over):
    def held(self, counter: str, *, now: datetime) -> int:
        found = [each.amount for each in self.sound._of(counter) if each.counts(now)]
        return int(self.data.counters._totals.get(counter, 0) + max(found, default=0))


class CountsAll(Over):
    def held(self, counter: str, *, now: datetime) -> int:
        counters = {*self.data.counters._keys, *self.data.counters._totals, counter}
        return sum(self.sound.held(each, now=now) for each in counters)


def told(said: Any) -> bool:
    return isinstance(said, Reservation)


class KnowsNoCeiling(Over):
    def reserve(self, *given: Any, ceiling: Any, **asked: Any) -> Any:  # noqa: ARG002 - as above
        return self.sound.reserve(*given, ceiling=None, **asked)


class SaysFullWithoutWhy(Over):
    def reserve(self, *given: Any, **asked: Any) -> Any:
        said = self.sound.reserve(*given, **asked)
        return said if told(said) else attrs.evolve(said, held=said.ceiling)


class TakesThenRefuses(Over):
    def reserve(self, key: str, counter: str, amount: int = 1, **asked: Any) -> Any:
        said = self.sound.reserve(key, counter, amount, **asked)
        if not told(said) and not asked["partial"]:
            self.sound.add(counter, 1)
        return said


class StopsBeforeTheCeiling(Over):
    def reserve(self, *given: Any, ceiling: Any, **asked: Any) -> Any:
        said = self.sound.reserve(*given, ceiling=ceiling, **asked)
        if told(said) and ceiling is not None and ceiling == self.sound.held(said.counter, now=asked["now"]) == 5:
            return Full(counter=said.counter, asked=said.amount, held=5, ceiling=5)
        return said


class TakesNoneAsZero(Over):
    def reserve(self, *given: Any, ceiling: Any, **asked: Any) -> Any:
        return self.sound.reserve(*given, ceiling=10**6 if ceiling is None else ceiling, **asked)


class AllOrNothing(Over):
    def reserve(self, *given: Any, partial: bool = False, **asked: Any) -> Any:  # noqa: ARG002 - as above
        return self.sound.reserve(*given, **asked)


class PromisesMore(Over):
    """Says that it holds all that was asked for, where a part was left."""

    def reserve(self, key: str, counter: str, amount: int = 1, *, partial: bool, **asked: Any) -> Any:
        said = self.sound.reserve(key, counter, amount, partial=partial, **asked)
        return attrs.evolve(said, amount=amount) if told(said) and partial else said


class ForgetsKeys(Over):
    """A key asked for again is another reservation."""

    count = 0

    def reserve(self, key: str, *given: Any, **asked: Any) -> Any:
        known = self.data.counters._by_key.get(key)
        if known is not None and known.alive(asked["now"]) and not known.committed and known.counter == given[0]:
            self.sound.add(known.counter, known.amount)
            return known
        return self.sound.reserve(key, *given, **asked)


class RefusesKnownKeys(Over):
    def reserve(self, key: str, counter: str, amount: int = 1, **asked: Any) -> Any:
        known = self.data.counters._by_key.get(key)
        if known is not None and known.alive(asked["now"]) and known.counter == counter and not known.committed:
            return Full(counter=counter, asked=amount, held=known.amount, ceiling=0)
        return self.sound.reserve(key, counter, amount, **asked)


class ForgetsCommittedKeys(Over):
    def reserve(self, key: str, counter: str, amount: int = 1, **asked: Any) -> Any:
        known = self.data.counters._by_key.get(key)
        if known is not None and known.committed and known.alive(asked["now"]):
            self.sound.add(counter, 0)
            return self.sound.reserve(f"{key} again", counter, amount, **asked)
        return self.sound.reserve(key, counter, amount, **asked)


class SharesKeys(Over):
    def reserve(self, key: str, counter: str, amount: int = 1, **asked: Any) -> Any:
        known = self.data.counters._by_key.get(key)
        other = known is not None and known.alive(asked["now"]) and known.counter != counter
        return known if other else self.sound.reserve(key, counter, amount, **asked)


class TakesAnyAmount(Over):
    def reserve(self, key: str, counter: str, amount: int = 1, **asked: Any) -> Any:
        return self.sound.reserve(key, counter, max(amount, 1), **asked)


class TakesZero(Over):
    def reserve(self, key: str, counter: str, amount: int = 1, **asked: Any) -> Any:
        return None if amount == 0 else self.sound.reserve(key, counter, amount, **asked)


class TakesAnyExpiry(Over):
    def reserve(self, *given: Any, now: datetime, expires_at: datetime, **asked: Any) -> Any:
        return self.sound.reserve(*given, now=now, expires_at=max(expires_at, now + DAY / 2), **asked)


class TakesExpiryNow(Over):
    def reserve(self, *given: Any, now: datetime, expires_at: datetime, **asked: Any) -> Any:
        return None if now == expires_at else self.sound.reserve(*given, now=now, expires_at=expires_at, **asked)


MICROSECOND = timedelta(microseconds=1)


class ExpiresLate(Over):
    """Inclusive ends: everything is looked at a microsecond earlier."""

    def held(self, counter: str, *, now: datetime) -> int:
        return int(self.sound.held(counter, now=now - MICROSECOND))


class ExpiresBySeconds(Over):
    def held(self, counter: str, *, now: datetime) -> int:
        reservations = [each for each in self.sound._of(counter) if not each.committed]
        alive = [each for each in reservations if each.expires_at.replace(microsecond=0) > now]
        return int(self.data.counters._totals.get(counter, 0) + sum(each.amount for each in alive))


class RemembersExpiredKeys(Over):
    def reserve(self, key: str, *given: Any, **asked: Any) -> Any:
        known = self.data.counters._by_key.get(key)
        return self.sound.reserve(key, *given, **asked) if known is None else known


class CommitsUntilExpiry(Over):
    """Commits by letting the reservation be, which then expires."""

    def commit(self, key: str, *, now: datetime) -> bool:
        known = self.data.counters._by_key.get(key)
        return known is not None and bool(known.alive(now))


class CommitsAgain(Over):
    def commit(self, key: str, *, now: datetime) -> bool:
        known = self.data.counters._by_key.get(key)
        if known is not None and known.committed:
            self.sound.add(known.counter, known.amount)
        return bool(self.sound.commit(key, now=now))


class SaysCommitOnce(Over):
    def commit(self, key: str, *, now: datetime) -> Any:
        known = self.data.counters._by_key.get(key)
        again = known is not None and known.committed
        return self.sound.commit(key, now=now) and not again


class CommitsExpired(Over):
    def commit(self, key: str, *, now: datetime) -> bool:
        known = self.data.counters._by_key.get(key)
        if known is not None and not known.alive(now) and not known.committed:
            self.sound.add(known.counter, known.amount)
            return True
        return bool(self.sound.commit(key, now=now))


class SaysNothingOfUnknownKeys(Over):
    def commit(self, key: str, *, now: datetime) -> Any:
        return self.sound.commit(key, now=now) or None


class ReleasesNothing(Over):
    """Forgets a key and goes on counting it."""

    def release(self, key: str, *, now: datetime) -> bool:
        known = self.data.counters._by_key.get(key)
        done = bool(self.sound.release(key, now=now))
        if done and not known.committed:
            self.sound.add(known.counter, known.amount)
        return done


class ReleasesAll(Over):
    def release(self, key: str, *, now: datetime) -> bool:
        known = self.data.counters._by_key.get(key)
        done = bool(self.sound.release(key, now=now))
        if done:
            for other in [each.key for each in self.sound._of(known.counter)]:
                self.sound.release(other, now=now)
        return done


class KeepsCommitted(Over):
    def release(self, key: str, *, now: datetime) -> bool:
        known = self.data.counters._by_key.get(key)
        done = bool(self.sound.release(key, now=now))
        if done and known.committed:
            self.sound.add(known.counter, known.amount)
        return done


class ReleasesTwice(Over):
    def release(self, key: str, *, now: datetime) -> bool:
        self.sound.release(key, now=now)
        return key in "ab"


class RemembersReleased(Over):
    """Releases by making the amount none of a reservation that stays."""

    def release(self, key: str, *, now: datetime) -> bool:
        known = self.data.counters._by_key.get(key)
        done = bool(self.sound.release(key, now=now))
        if done:
            self.data.counters._put(attrs.evolve(known, amount=0))
        return done


class ReleasesExpired(Over):
    def release(self, key: str, *, now: datetime) -> bool:
        known = self.data.counters._by_key.get(key)
        return known is not None and bool(self.sound.release(key, now=min(now, known.expires_at - MICROSECOND)))


class AddsNothingNegative(Over):
    def add(self, counter: str, amount: int) -> None:
        self.sound.add(counter, max(amount, 0))


class AddsToAll(Over):
    def add(self, counter: str, amount: int) -> None:
        for each in {*self.data.counters._totals, *self.data.counters._keys, counter}:
            self.sound.add(each, amount)


class OverlooksTotals(Over):
    """A ceiling on what is reserved alone."""

    def reserve(self, key: str, counter: str, *given: Any, ceiling: Any, **asked: Any) -> Any:
        total = self.data.counters._totals.get(counter, 0)
        return self.sound.reserve(key, counter, *given, ceiling=ceiling and ceiling + total, **asked)


class RefusesWhenPassed(Over):
    """Takes as long as the ceiling is not reached yet."""

    def reserve(self, key: str, counter: str, amount: int = 1, *, ceiling: Any, **asked: Any) -> Any:
        held = self.sound.held(counter, now=asked["now"])
        if amount > 1 and ceiling in {1, 2} and held < ceiling:
            ceiling = None
        return self.sound.reserve(key, counter, amount, ceiling=ceiling, **asked)


class LooksThenTakes(MemoryStore):
    """Among threads, each looks before any takes."""

    def __init__(self) -> None:
        super().__init__()
        self.all_have_looked = Barrier(4)

    @contextmanager
    def begin(self) -> Iterator[Any]:
        if current_thread() is main_thread():
            with super().begin() as transaction:
                yield transaction
        else:
            yield SimpleNamespace(counters=Racing(self._data.counters, self))


class Racing(Over):
    def __init__(self, sound: Any, store: Any) -> None:
        super().__init__(sound, store)
        self.wait = store.all_have_looked.wait

    def reserve(self, *given: Any, ceiling: Any, **asked: Any) -> Any:
        held = self.sound.held("seats", now=asked["now"])
        self.wait()
        return self.sound.reserve(*given, ceiling=None, **asked) if held < ceiling else None


# --- prospects ---


class Writes(Over):
    """`write` and `read`, change by change."""

    def write(self, changes: Any) -> Any:
        return [change.after.key for change in changes if not self.written(change)]

    def written(self, change: Any) -> bool:
        facts = {
            name: value.astimezone(UTC) if isinstance(value, datetime) else value
            for name, value in change.after.facts.items()
        }
        return not self.sound.write([attrs.evolve(change, after=attrs.evolve(change.after, facts=facts))])

    def seen(self, stored: Any) -> Any:
        """A prospect as it is shown."""
        return stored

    def read(self, keys: Any) -> Any:
        return [self.seen(stored) for stored in self.sound.read(keys)]

    def now(self, change: Any) -> Any:
        """What is stored of a prospect to be changed."""
        return self.data.rows.get(change.after.key)


class InventsMissing(Writes):
    def read(self, keys: Any) -> Any:
        keys = list(keys)
        found = self.sound.read(keys)
        return found or [attrs.evolve(contracts.FIRST, facts={"id": key}) for key in keys]


class ReadsTwice(Writes):
    def read(self, keys: Any) -> Any:
        keys = list(keys)
        return self.sound.read([*keys, *keys[:1]] if len(keys) == 3 else keys)


class Facts(Writes):
    """Shows facts that are not quite what was written."""

    def seen(self, stored: Any) -> Any:
        return attrs.evolve(stored, facts={name: self.fact(value) for name, value in stored.facts.items()})

    def fact(self, value: Any) -> Any:
        return value


class Seconds(Facts):
    def fact(self, value: Any) -> Any:
        return value.replace(microsecond=0) if isinstance(value, datetime) else value


class IdsAsText(Facts):
    def fact(self, value: Any) -> Any:
        return str(value) if type(value) is int else value


class Floats(Facts):
    def fact(self, value: Any) -> Any:
        return float(value) if isinstance(value, Decimal) else value


class LastDigits(Facts):
    def fact(self, value: Any) -> Any:
        return value.normalize() if isinstance(value, Decimal) else value


class UnknownAsNone(Facts):
    def fact(self, value: Any) -> Any:
        return None if value is UNKNOWN else value


class TruthsAsNumbers(Facts):
    def fact(self, value: Any) -> Any:
        return int(value) if isinstance(value, bool) else value


class Ascii(Facts):
    def fact(self, value: Any) -> Any:
        return value.encode("ascii", "replace").decode() if isinstance(value, str) else value


class Amounts(Facts):
    """Money without its currency."""

    def fact(self, value: Any) -> Any:
        return value.amount if isinstance(value, Money) else value


class LastsUntil2100(Facts):
    def fact(self, value: Any) -> Any:
        return min(value, datetime(2100, 1, 1, tzinfo=UTC)) if isinstance(value, datetime) else value


class LocalTime(Facts):
    def fact(self, value: Any) -> Any:
        late = isinstance(value, datetime) and value > OPEN_ENDED - DAY
        return value.astimezone(timezone(timedelta(hours=8))) if isinstance(value, datetime) and not late else value


class ForgetsWhyParked(Writes):
    def seen(self, stored: Any) -> Any:
        return attrs.evolve(stored, answer=attrs.evolve(stored.answer, parked=None))


class ForgetsSteps(Writes):
    def seen(self, stored: Any) -> Any:
        return attrs.evolve(stored, answer=attrs.evolve(stored.answer, step=min(stored.answer.step, 1)))


class CountsVersionsItself(Writes):
    def seen(self, stored: Any) -> Any:
        return attrs.evolve(stored, version=min(stored.version, 9))


class SaysWhatItDid(Writes):
    """Gives back the keys of the changes that were made."""

    def write(self, changes: Any) -> Any:
        refused = super().write(changes)
        old = [change.after.key for change in changes if change.before is not None]
        return [key for key in old if key not in refused] or refused


class WritesAllRows(Writes):
    """An UPDATE without WHERE."""

    def written(self, change: Any) -> bool:
        done = super().written(change)
        if done and change.before is not None:
            for key, row in self.data.rows.items():
                if key != change.after.key and key == "2" and change.after.key == "1":
                    self.data.rows[key] = attrs.evolve(row, version=row.version + 1)
        return done


class ForgetsVersions(Writes):
    def written(self, change: Any) -> bool:
        now = self.now(change)
        if change.before is not None and now is not None:
            change = attrs.evolve(change, before=attrs.evolve(change.before, version=now.version))
        return super().written(change)


class TakesLaterVersions(Writes):
    """Looks whether the stored version is as old as what was seen, or older."""

    def written(self, change: Any) -> bool:
        now = self.now(change)
        if change.before is not None and now is not None and 1 < now.version < change.before.version < 9:
            change = attrs.evolve(change, before=attrs.evolve(change.before, version=now.version))
        return super().written(change)


class ForgetsOwners(Writes):
    def written(self, change: Any) -> bool:
        now = self.now(change)
        if change.before is not None and now is not None:
            seen = attrs.evolve(now, version=change.before.version)
            change = attrs.evolve(change, before=seen)
        return super().written(change)


class TakesFromAnybody(ForgetsOwners):
    """Looks at the owner only where one was seen."""

    def written(self, change: Any) -> bool:
        blind = change.before is not None and owner_of(change.before.facts) is None
        return super().written(change) if blind else Writes.written(self, change)


class Upserts(Writes):
    def written(self, change: Any) -> bool:
        now = self.now(change)
        return super().written(change if now is None or change.before else attrs.evolve(change, before=now))


class TellsTypesApart(Writes):
    """7 and "7" are two."""

    def written(self, change: Any) -> bool:
        now = self.now(change)
        new = change.before is None and now is not None and type(now.facts["id"]) is not type(change.after.facts["id"])
        return new or super().written(change)


class InsertsMissing(Writes):
    def written(self, change: Any) -> bool:
        return super().written(change if self.now(change) else attrs.evolve(change, before=None))


class AppendsAnyway(Writes):
    def written(self, change: Any) -> bool:
        done = super().written(change)
        if not done and change.event is not None:
            self.data.events.put(change.after.key, (*self.data.events.get(change.after.key, ()), change.event))
        return done


class TellsAnyway(Writes):
    def written(self, change: Any) -> bool:
        done = super().written(change)
        if not done and change.message is not None:
            self.sound._tell(change.message)
        return done


class WritesRowsAnyway(Writes):
    """Says that a change is refused, and makes it."""

    def written(self, change: Any) -> bool:
        done, now = super().written(change), self.now(change)
        if not done and now is not None and now.version == 2:
            self.data.rows.put(now.key, attrs.evolve(now, answer=attrs.evolve(now.answer, step=7)))
        return done


class AllOrNone(Writes):
    def write(self, changes: Any) -> Any:
        refused = {*super().write([change for change in changes if change.before is None])}
        olds = [change for change in changes if change.before is not None]
        stale = any(self.now(each) is None or self.now(each).version != each.before.version for each in olds)
        return [each.after.key for each in changes if each.after.key in refused] + (
            [each.after.key for each in olds] if stale else list(self.sound.write(olds))
        )


class StopsAtTheFirst(Writes):
    def write(self, changes: Any) -> Any:
        for number, change in enumerate(changes):
            if not self.written(change):
                return [each.after.key for each in changes[number : number + 1]]
        return []


class NeedsChanges(Writes):
    def write(self, changes: Any) -> Any:
        return super().write(changes) if changes else [""]


class KeepsWhatIsHeld(Writes):
    def written(self, change: Any) -> bool:
        done = super().written(change)
        if done:
            self.data.rows.put(change.after.key, change.after)
        return done


class ShowsWhatIsKept(Writes):
    def read(self, keys: Any) -> Any:
        return [self.data.rows[key] for key in keys if key in self.data.rows]


class NewestFirst(Writes):
    def history(self, key: str) -> Any:
        return self.sound.history(key)[::-1]


class OneHistory(Writes):
    def history(self, key: str) -> Any:
        known = self.sound.history(key)
        others = self.data.events.get("2", ()) if key == "1" else ()
        return (*known, *others)


class LastEventOnly(Writes):
    def history(self, key: str) -> Any:
        return self.sound.history(key)[-1:]


class AnonymousEvents(Writes):
    def history(self, key: str) -> Any:
        return [attrs.evolve(event, by=None) for event in self.sound.history(key)]


class NoEventsOfNew(Writes):
    """Appends no event of a prospect that is new."""

    def written(self, change: Any) -> bool:
        return super().written(attrs.evolve(change, event=None) if change.before is None else change)


class NoEvents(Writes):
    def written(self, change: Any) -> bool:
        return super().written(attrs.evolve(change, event=None))


class NoMessages(Writes):
    def written(self, change: Any) -> bool:
        return super().written(attrs.evolve(change, message=None))


class Scans(Writes):
    def scan(self, after: Any, limit: int, *, due: Any = None) -> Any:
        rows = self.sound.scan(None, 10**6)
        found = [row for row in rows if due is None or self.wanted(row, *due)]
        return [row for row in self.ordered(found) if after is None or self.follows(row.key, after)][:limit]

    def wanted(self, row: Any, now: Any, digest: str) -> bool:
        change = row.answer.next_change_at
        return row.answer.digest != digest or (change is not None and change <= now)

    def ordered(self, rows: Any) -> Any:
        return rows

    def follows(self, key: str, after: str) -> bool:
        return key > after


class ScansInLocale(Scans):
    def ordered(self, rows: Any) -> Any:
        return sorted(rows, key=lambda row: row.key.casefold())

    def follows(self, key: str, after: str) -> bool:
        return key.casefold() > after.casefold()


class ScansFromAfter(Scans):
    """Greater or equal."""

    def follows(self, key: str, after: str) -> bool:
        return key > after or (key == after == "a")


class ScansAll(Scans):
    def scan(self, after: Any, limit: int, *, due: Any = None) -> Any:
        return super().scan(after, limit + (due is None), due=due)


class OverlooksNoDigest(Scans):
    """NULL is not unequal."""

    def wanted(self, row: Any, now: Any, digest: str) -> bool:
        change = row.answer.next_change_at
        return row.answer.digest not in (None, digest) or (change is not None and change <= now)


class ScansAMomentLate(Scans):
    def wanted(self, row: Any, now: Any, digest: str) -> bool:
        return super().wanted(row, now - MICROSECOND, digest)


class ScansNoReclaims(Scans):
    def wanted(self, row: Any, now: Any, digest: str) -> bool:
        return super().wanted(row, now, digest) and (row.answer.digest != digest or row.answer.outcome != "reclaim")


# --- what is due ---


class AMomentLate(Over):
    def answers(self, now: datetime, limit: int) -> Any:
        return self.sound.answers(now - MICROSECOND, limit)


class ReclaimsAsAnswers(Over):
    def answers(self, now: datetime, limit: int) -> Any:
        found = [*self.sound.answers(now, limit), *self.sound.reclaims(now, limit)]
        return sorted(found, key=lambda row: row.answer.next_change_at)[:limit] if limit > 9 else found[:limit]


class NewestDueFirst(Over):
    def answers(self, now: datetime, limit: int) -> Any:
        return self.sound.answers(now, 10**6)[::-1][:limit]


class AnswersWithoutEnd(Over):
    def answers(self, now: datetime, limit: int) -> Any:
        return self.sound.answers(now, limit + 1)


class Reclaims(Over):
    """`reclaims` in another order."""

    def reclaims(self, now: datetime, limit: int) -> Any:
        return sorted(self.sound.reclaims(now, 10**6), key=self.order)[:limit]

    def order(self, row: Any) -> Any:
        return contracts._first(row)


class ByValueFirst(Reclaims):
    def order(self, row: Any) -> Any:
        deadline, *value, key = contracts._first(row)
        return (*value, deadline, key)


class LeastFirst(Reclaims):
    def order(self, row: Any) -> Any:
        deadline, value, key = contracts._first(row)
        return deadline, -value, key


class NothingFirst(Reclaims):
    """NULLs come first."""

    def order(self, row: Any) -> Any:
        deadline, value, key = contracts._first(row)
        return deadline, -value if value == -contracts.worth({}) else value, key


class ByNumber(Reclaims):
    def order(self, row: Any) -> Any:
        *first, key = contracts._first(row)
        return (*first, len(key), key)


class ReclaimsInAdvance(Reclaims):
    def reclaims(self, now: datetime, limit: int) -> Any:
        return super().reclaims(now + MICROSECOND, limit)


class StaleByOrder(Over):
    """Older digests sort before newer ones, it thinks."""

    def stale(self, digest: str, limit: int) -> Any:
        return [row for row in self.sound.stale(digest, 10**6) if (row.answer.digest or "") < digest][:limit]


class StaleWithoutNone(Over):
    def stale(self, digest: str, limit: int) -> Any:
        return [row for row in self.sound.stale(digest, 10**6) if row.answer.digest is not None][:limit]


class StaleWithoutEnd(Over):
    def stale(self, digest: str, limit: int) -> Any:
        return self.sound.stale(digest, limit + 1)


class WaitsForOwners(Over):
    def waiting(self, now: datetime) -> Any:
        return {owner: count for owner, count in self.sound.waiting(now).items() if owner is not None}


class WaitsForIds(Over):
    """Owners as they are, not as text."""

    def waiting(self, now: datetime) -> Any:
        return {7 if owner == "7" else owner: count for owner, count in self.sound.waiting(now).items()}


class CountsTwice(Over):
    def count(self, now: datetime, digest: str) -> int:
        return len(self.sound.answers(now, 10**6)) + len(self.sound.stale(digest, 10**6))


class CountsReclaims(Over):
    def count(self, now: datetime, digest: str) -> int:
        return len({row.key for row in (*self.sound.reclaims(now, 9**9), *self.sound.stale(digest, 9**9))})


class KeepsOldAnswersDue(Over):
    """An index that is added to and never taken from."""

    def __init__(self, sound: Any, store: Any) -> None:
        super().__init__(sound, store)
        self.store = store
        for row in self.data.rows.values():
            store.__dict__.setdefault("once", {}).setdefault(row.key, row)

    def answers(self, now: datetime, limit: int) -> Any:
        if limit != 9:
            return self.sound.answers(now, limit)
        due = (row for row in self.store.once.values() if row.answer.next_change_at <= now)
        return [row for row in due if row.answer.outcome != "reclaim"]


class HandsOutCopies(Over):
    """What is due, as it was a version ago."""

    def answers(self, now: datetime, limit: int) -> Any:
        rows = self.sound.answers(now, limit)
        return [attrs.evolve(row, version=0) for row in rows] if limit == 9 else rows


class HandsOutTwice(MemoryStore):
    """A second transaction at once sees what the first one saw, and nobody notices."""

    @contextmanager
    def begin(self) -> Iterator[Any]:
        if current_thread() is main_thread():
            self.before = dict(self._data.rows)
            with super().begin() as transaction:
                yield transaction
            return
        copy = MemoryStore()
        with copy.begin() as transaction:
            transaction.prospects.write([Change(before=None, after=row) for row in self.before.values()])
            yield transaction


# --- outbox ---


class LastInFirstOut(Over):
    def pending(self, limit: int) -> Any:
        return self.sound.pending(10**6)[::-1][:limit]


class OldestByInstant(Over):
    def pending(self, limit: int) -> Any:
        return sorted(self.sound.pending(10**6), key=lambda message: message.at)[:limit]


class PendingWithoutEnd(Over):
    def pending(self, limit: int) -> Any:  # noqa: ARG002 - as above
        return self.sound.pending(10**6)


class NobodysMessages(Over):
    def pending(self, limit: int) -> Any:
        return [attrs.evolve(each, owner=each.owner or "") for each in self.sound.pending(limit)]


class Retells(Writes):
    """The later message takes the place of the earlier."""

    def written(self, change: Any) -> bool:
        if (message := change.message) is not None:
            key = message.key, message.deadline, message.step
            if key in self.data.pending:
                self.data.told.put(key, message)
        return super().written(change)


class TellsTwice(Writes):
    def written(self, change: Any) -> bool:
        if (message := change.message) is not None and message.owner == "bo":
            key = message.key, message.deadline, message.step
            if key in self.data.pending:
                message = attrs.evolve(message, rule="again", step=9)
        return super().written(attrs.evolve(change, message=message))


class TellsByKeyAndStep(Writes):
    """One message for each key and step, whatever the deadline."""

    def written(self, change: Any) -> bool:
        message = change.message
        known = {(key, step) for key, _, step in self.data.told}
        if message is not None and (message.key, message.step) in known:
            change = attrs.evolve(change, message=None)
        return super().written(change)


class TellsByKey(Writes):
    def written(self, change: Any) -> bool:
        message = change.message
        if message is not None and message.key in {key for key, _, _ in self.data.told} and message.step == 0:
            change = attrs.evolve(change, message=None)
        return super().written(change)


class AcknowledgesUpTo(Over):
    """Takes off all that is as old as the last one taken."""

    def acknowledge(self, messages: Any) -> None:
        last = max((message.step for message in messages), default=-1)
        self.sound.acknowledge([each for each in self.sound.pending(10**6) if each.step <= last])


class AcknowledgesKeys(Over):
    def acknowledge(self, messages: Any) -> None:
        keys = {message.key for message in messages}
        self.sound.acknowledge([each for each in self.sound.pending(10**6) if each.key in keys])


class TakesOneOff(Over):
    def acknowledge(self, messages: Any) -> None:
        self.sound.acknowledge(list(messages)[:1])


class ForgetsAcknowledged(Over):
    """Deletes what was taken."""

    def acknowledge(self, messages: Any) -> None:
        messages = list(messages)
        self.sound.acknowledge(messages)
        for message in messages:
            self.data.told.pop((message.key, message.deadline, message.step), None)


# --- notes ---


class ActivationsByInstant(Over):
    def activations(self) -> Any:
        return sorted(self.sound.activations(), key=lambda activation: activation.at)


class AppendsAlways(Over):
    def activate(self, activation: Any) -> None:
        self.data.activations.put(len(self.data.activations), activation)


class KnowsDigests(Over):
    """A policy that was in force once is not appended again."""

    def activate(self, activation: Any) -> None:
        if activation.digest not in {each.digest for each in self.data.activations.values()}:
            self.sound.activate(activation)


class KeepsTheLast(Over):
    def activate(self, activation: Any) -> None:
        self.sound.activate(activation)
        self.data.activations.put(len(self.data.activations) - 1, activation)


class FlatParameters(Over):
    def activations(self) -> Any:
        return [attrs.evolve(each, parameters=dict.fromkeys(each.parameters)) for each in self.sound.activations()]


class LastNote(Over):
    def get(self, name: str) -> Any:
        return self.sound.get(name if f'"{name}"' in self.data.notes or name in self.data.notes else "a")


class NotesAsText(Over):
    def get(self, name: str) -> Any:
        value = self.sound.get(name)
        return str(value) if isinstance(value, float) else value


class FirstNote(Over):
    def put(self, name: str, value: Any) -> None:
        if name not in self.data.notes:
            self.sound.put(name, value)


class OneNote(Over):
    def put(self, name: str, value: Any) -> None:
        for each in {*self.data.notes, name}:
            self.sound.put(each, value)


class KeepsTheValue(Over):
    def put(self, name: str, value: Any) -> None:
        self.data.__dict__.setdefault("values", {})[name] = value

    def get(self, name: str) -> Any:
        return self.data.__dict__.get("values", {}).get(name)


class ShowsTheValue(KeepsTheValue):
    def put(self, name: str, value: Any) -> None:
        super().put(name, deepcopy(value))


def over(**ports: type[Over]) -> Callable[[], OwnershipStore]:
    return lambda: Broken(**ports)


# --- what each is caught by ---


CAUGHT: dict[str, dict[type, str]] = {
    "Store": {
        LosesNotes: "done_lasts",
        SeesNothingYet: "own_work_is_seen error_undoes_everything",
        CommitsHalves: "error_undoes_everything",
        CommitsWhenInterrupted: "error_undoes_everything",
        KeepsMessages: "error_undoes_everything",
        HidesErrors: "error_comes_through",
    },
    "Counters": {
        NamesCounters: "unnamed_counter_holds_nothing ceiling_is_never_passed",
        RoundsExpiry: "reservation_says_what_is_held",
        CountsTheGreatest: "reserved_is_held partial_takes_what_fits",
        CountsAll: "reserved_is_held expired_key_is_new add_heeds_no_ceiling",
        KnowsNoCeiling: (
            "ceiling_refuses partial_takes_what_fits "
            "ceiling_counts_what_was_added ceiling_is_never_passed ceiling_holds_among_threads"
        ),
        SaysFullWithoutWhy: "ceiling_refuses ceiling_counts_what_was_added",
        TakesThenRefuses: "ceiling_refuses ceiling_is_never_passed ceiling_holds_among_threads",
        StopsBeforeTheCeiling: "ceiling_can_be_reached partial_takes_what_fits ceiling_holds_among_threads",
        TakesNoneAsZero: "ceiling_can_be_reached",
        AllOrNothing: "partial_takes_what_fits",
        PromisesMore: "partial_takes_what_fits",
        ForgetsKeys: "known_key_takes_nothing ceiling_is_never_passed",
        RefusesKnownKeys: "known_key_takes_nothing",
        ForgetsCommittedKeys: "committed_key_is_remembered",
        SharesKeys: "key_of_another_counter_is_refused",
        TakesAnyAmount: "amounts_are_1_or_more",
        TakesZero: "amounts_are_1_or_more",
        TakesAnyExpiry: "expiry_is_after_now",
        TakesExpiryNow: "expiry_is_after_now",
        ExpiresLate: "expiry_is_exclusive expired_is_not_committed",
        ExpiresBySeconds: "expiry_is_exclusive",
        RemembersExpiredKeys: "expired_key_is_new key_of_another_counter_is_refused",
        CommitsUntilExpiry: (
            "committed_counts_for_good commit_again_changes_nothing "
            "expired_is_not_released ceiling_counts_what_was_added"
        ),
        CommitsAgain: "commit_again_changes_nothing",
        SaysCommitOnce: "commit_again_changes_nothing",
        CommitsExpired: "expired_is_not_committed",
        SaysNothingOfUnknownKeys: "expired_is_not_committed",
        ReleasesNothing: "release_gives_back",
        ReleasesAll: "release_gives_back",
        KeepsCommitted: "release_gives_back_what_was_committed",
        ReleasesTwice: "release_forgets_the_key expired_is_not_released",
        RemembersReleased: "release_forgets_the_key",
        ReleasesExpired: "expired_is_not_released",
        AddsNothingNegative: "add_heeds_no_ceiling",
        AddsToAll: "add_heeds_no_ceiling",
        OverlooksTotals: "ceiling_counts_what_was_added ceiling_is_never_passed ceiling_holds_among_threads",
        RefusesWhenPassed: "ceiling_is_never_passed",
        LooksThenTakes: "ceiling_holds_among_threads",
    },
    "Prospects": {
        InventsMissing: "missing_prospect_is_not_changed",
        ReadsTwice: "missing_keys_are_left_out",
        Seconds: "facts_come_back",
        IdsAsText: "facts_come_back",
        Floats: "facts_come_back",
        LastDigits: "facts_come_back",
        UnknownAsNone: "facts_come_back",
        TruthsAsNumbers: "facts_come_back",
        Ascii: "facts_come_back",
        Amounts: "facts_come_back",
        LastsUntil2100: "facts_come_back",
        LocalTime: "instants_are_utc",
        ForgetsWhyParked: "answers_come_back",
        ForgetsSteps: "answers_come_back",
        CountsVersionsItself: "answers_come_back",
        SaysWhatItDid: "change_is_made other_changes_are_made",
        WritesAllRows: "change_is_made history_is_in_order",
        ForgetsVersions: "older_version_is_refused refused_change_does_nothing other_changes_are_made",
        TakesLaterVersions: "older_version_is_refused",
        ForgetsOwners: "other_owner_is_refused",
        TakesFromAnybody: "other_owner_is_refused",
        Upserts: "existing_prospect_is_not_new refused_change_does_nothing",
        TellsTypesApart: "existing_prospect_is_not_new",
        InsertsMissing: "missing_prospect_is_not_changed",
        AppendsAnyway: "refused_change_does_nothing",
        TellsAnyway: "refused_change_does_nothing",
        WritesRowsAnyway: "refused_change_does_nothing",
        AllOrNone: "other_changes_are_made",
        StopsAtTheFirst: "other_changes_are_made",
        NeedsChanges: "no_changes_are_none",
        KeepsWhatIsHeld: "instants_are_utc kept_is_not_what_is_held",
        ShowsWhatIsKept: "kept_is_not_what_is_held",
        NewestFirst: "history_is_in_order",
        OneHistory: "history_is_in_order",
        LastEventOnly: "history_is_in_order",
        AnonymousEvents: "events_come_back",
        NoEventsOfNew: "events_come_back",
        NoEvents: "change_is_made history_is_in_order events_come_back",
        NoMessages: "change_is_made",
        ScansInLocale: "scan_goes_by_key",
        ScansFromAfter: "scan_goes_by_key",
        ScansAll: "scan_goes_by_key",
        OverlooksNoDigest: "scan_finds_what_is_due",
        ScansAMomentLate: "scan_finds_what_is_due",
        ScansNoReclaims: "scan_finds_what_is_due",
    },
    "Due": {
        AMomentLate: (
            "answers_are_what_is_due longest_due_comes_first "
            "judged_is_due_no_more what_is_due_can_be_written nobody_is_handed_out_twice"
        ),
        ReclaimsAsAnswers: "answers_are_what_is_due longest_due_comes_first judged_is_due_no_more",
        NewestDueFirst: "longest_due_comes_first",
        AnswersWithoutEnd: "longest_due_comes_first",
        ByValueFirst: "reclaims_come_in_order",
        LeastFirst: "reclaims_come_in_order",
        NothingFirst: "reclaims_come_in_order",
        ByNumber: "reclaims_come_in_order",
        ReclaimsInAdvance: "reclaims_come_in_order",
        StaleByOrder: "stale_have_another_digest",
        StaleWithoutNone: "stale_have_another_digest",
        StaleWithoutEnd: "stale_have_another_digest",
        WaitsForOwners: "waiting_are_counted_by_owner",
        WaitsForIds: "waiting_are_counted_by_owner",
        CountsTwice: "due_is_counted_once",
        CountsReclaims: "due_is_counted_once",
        KeepsOldAnswersDue: "judged_is_due_no_more",
        HandsOutCopies: "what_is_due_can_be_written",
        HandsOutTwice: "nobody_is_handed_out_twice",
    },
    "Outbox": {
        LastInFirstOut: "messages_come_in_order other_message_is_another acknowledged_is_pending_no_more",
        OldestByInstant: "messages_come_in_order",
        PendingWithoutEnd: "messages_come_in_order",
        NobodysMessages: "messages_come_back",
        Retells: "message_stays_as_it_is",
        TellsTwice: "message_stays_as_it_is",
        TellsByKeyAndStep: "other_message_is_another",
        TellsByKey: "other_message_is_another",
        AcknowledgesUpTo: "acknowledged_is_pending_no_more",
        AcknowledgesKeys: "acknowledged_is_pending_no_more",
        TakesOneOff: "acknowledged_is_pending_no_more",
        ForgetsAcknowledged: "acknowledged_is_remembered",
    },
    "Notes": {
        ActivationsByInstant: "activations_are_in_order",
        AppendsAlways: "same_digest_is_appended_once",
        KnowsDigests: "same_digest_is_appended_once",
        KeepsTheLast: "same_digest_is_appended_once",
        FlatParameters: "activations_come_back",
        LastNote: "unwritten_note_is_none",
        NotesAsText: "notes_come_back",
        FirstNote: "later_note_takes_the_place",
        OneNote: "later_note_takes_the_place",
        KeepsTheValue: "note_is_not_what_is_held",
        ShowsTheValue: "note_is_not_what_is_held",
    },
}
"""By contract: each broken store, and the promises that it breaks, its own one first."""
PORTS = {"Store": "counters", "Counters": "counters", "Due": "due", "Outbox": "outbox", "Notes": "notes"}


def store_of(contract: str, broken: Any) -> Any:
    if issubclass(broken, MemoryStore):
        return broken
    return over(**{"prospects" if issubclass(broken, Writes) else PORTS[contract]: broken})


@pytest.fixture
def swiftly(monkeypatch: pytest.MonkeyPatch) -> None:
    """No case is made smaller, nobody waits."""
    for module in (contracts, machines):
        monkeypatch.setattr(module, "Phase", SimpleNamespace(generate=Phase.generate, shrink=Phase.generate))
    monkeypatch.setattr(contracts, "PATIENCE", 0)


@pytest.mark.usefixtures("swiftly")
@pytest.mark.parametrize(
    ("contract", "broken", "promises"),
    [(contract, *case) for contract, cases in CAUGHT.items() for case in cases.items()],
    ids=[f"{contract}-{broken.__name__}" for contract, cases in CAUGHT.items() for broken in cases],
)
def test_broken_promises_are_caught(contract: str, broken: Any, promises: str) -> None:
    """The promises that a store breaks are caught, with a reason, and the others hold."""
    kind: Any = CONTRACTS[contract]
    caught, reasons = set(), ""
    for promise in kind.promises:
        name = promise.__name__
        test = type("Case", (kind,), {"make": staticmethod(store_of(contract, broken)), "examples": 20})()
        try:
            getattr(test, f"test_{name}")()
        except AssertionError as error:
            caught.add(name)
            reasons += str(error)
    chance = {"ceiling_is_never_passed"} - {
        promises.split(maxsplit=1)[0]
    }  # a walk, which may come upon what others look for
    assert caught - chance == set(promises.split()) - chance
    assert reasons.count("\n  promised: ") == len(caught)


@pytest.mark.parametrize("contract", CAUGHT)
def test_every_promise_bites(contract: str) -> None:
    """There is a broken store for each promise."""
    caught = {promise for promises in CAUGHT[contract].values() for promise in promises.split()}
    assert caught == {promise.__name__ for promise in CONTRACTS[contract].promises}


def test_every_contract_bites() -> None:
    """There are broken stores for each contract."""
    assert CAUGHT.keys() == {name for name, kind in CONTRACTS.items() if kind.promises}


def test_gaps_are_skipped() -> None:
    """A promise that is declared a gap is skipped with the reason."""

    class Gapped(contracts.NotesContract):
        gaps: ClassVar[dict[str, str]] = {"activations_are_in_order": "one policy for ever"}

    with pytest.raises(SkipTest, match="one policy for ever"):
        Gapped().test_activations_are_in_order()


def test_a_gap_is_a_promise_of_a_contract() -> None:
    """One that is misspelt would be declared for nothing; one of another contract is as good."""
    with pytest.raises(TypeError, match="gaps of Misspelt: no contract has the promise activations_in_order"):
        type("Misspelt", (contracts.NotesContract,), {"gaps": {"activations_in_order": "one policy for ever"}})
    type("Shared", (contracts.OutboxContract,), {"gaps": {"activations_are_in_order": "one policy for ever"}})


def test_make_is_asked_for() -> None:
    """A contract without `make` says so."""
    with pytest.raises(NotImplementedError, match="NotesContract needs a method make that returns an empty store"):
        contracts.NotesContract().test_unwritten_note_is_none()


# --- the machine ---


class ReclaimsNewest(Over):
    def reclaims(self, now: datetime, limit: int) -> Any:
        return self.sound.reclaims(now, 10**6)[::-1][:limit]


class NeverDue(Over):
    def answers(self, now: datetime, limit: int) -> Any:  # noqa: ARG002 - as above
        return ()


class NeverAcknowledges(Over):
    def acknowledge(self, messages: Any) -> None:
        pass


class ForgetsWhoHad(Writes):
    """History without the owner before."""

    def history(self, key: str) -> Any:
        return tuple(attrs.evolve(event, owner_before=None) for event in self.sound.history(key))


class GoesBack(Writes):
    """Keeps the answer of the facts before."""

    def written(self, change: Any) -> bool:
        if change.before is not None and change.after.version > change.before.version:
            change = attrs.evolve(change, after=attrs.evolve(change.after, answer=change.before.answer))
        return super().written(change)


@pytest.mark.usefixtures("swiftly")
@pytest.mark.parametrize(
    ("ports", "what"),
    [
        ({"counters": KnowsNoCeiling}, "the store answers as the model"),
        ({"counters": AddsNothingNegative}, "the store and the model"),
        ({"due": NeverDue}, "the store answers as the model"),
        ({"due": ReclaimsNewest}, "the store (answers as|and) the model"),
        ({"prospects": ForgetsWhoHad}, "history: the store and the model"),
        ({"prospects": GoesBack}, "rows: the store and the model"),
        ({"prospects": NoMessages}, "outbox: the store and the model"),
        ({"outbox": NeverAcknowledges}, "outbox: the store and the model"),
        ({"outbox": LastInFirstOut}, "messages pending stay first"),
        ({"notes": AppendsAlways}, "activations: the store and the model"),
    ],
)
def test_the_machine_catches(ports: Any, what: str) -> None:
    """A broken store differs from the model in few steps."""
    with pytest.raises(AssertionError, match=what):
        check_store(over(**ports), 100)
