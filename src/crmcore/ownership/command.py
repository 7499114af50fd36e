"""
The jobs of the command line on prospects: an export or a store in; a work list, a decision or a fuller store out.

What can be judged depends on where the facts came from, so a store keeps a note of its imports. Without it, prospects
whose export has no column for the last contact would pass for prospects without one. The file is long for its words: a
concept's jobs stand in one `command`.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, tzinfo
from functools import partial
from itertools import chain
from os import PathLike
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final, Protocol, Self, TypeAlias
from zoneinfo import ZoneInfo

import attrs

from crmcore.decisions.decision import Decision
from crmcore.decisions.render import clock_text, span_text
from crmcore.files import FactSpec, Map, Plain, Progress, Records
from crmcore.ownership.cap import CapPolicy
from crmcore.ownership.desk import Put
from crmcore.ownership.judge import Judge
from crmcore.ownership.policy import ReclaimPolicy
from crmcore.ownership.ports import OwnershipStore, Transaction
from crmcore.ownership.records import packed
from crmcore.ownership.rollout import Grace, RunLimits
from crmcore.ownership.service import OwnershipService
from crmcore.ownership.stored import Stored
from crmcore.ownership.transact import transact
from crmcore.ownership.values import PROTECTIONS, Status
from crmcore.ownership.worklist import Sweep, WorkList

__all__ = [
    "NOTES",
    "Applied",
    "Export",
    "Imported",
    "Kept",
    "Origin",
    "Policies",
    "Source",
    "Spool",
    "applied",
    "day",
    "explain",
    "facts",
    "grace_notes",
    "imports",
    "put",
    "read_work_list",
]

Noted: TypeAlias = tuple[str, Mapping[str, Any]]
"""The code of a note, and what its words name."""
BATCH: Final = 5000
SPOOLED: Final = 64 << 20
"""Bytes of read prospects that are held in memory; more go to a temporary file."""
IMPORT: Final = "import"
"""The name of the note."""

SHOWN_IDS: Final = 5
SHOWN: Final = (FactSpec("manager"), FactSpec("customer"), FactSpec("value", "money"))
DATED: Final = (FactSpec("registered_at", "instant"), FactSpec("closed_at", "instant"))
JUDGED: Final = (
    FactSpec("id", "id", required=True),
    FactSpec("owner", required=True),
    FactSpec("status", "code", required=True, codes=tuple(status.value for status in Status)),
    FactSpec("assigned_at", "instant", required=True),
    FactSpec("last_contact_at", "instant"),
    FactSpec("contact_unknown", "flag"),
    FactSpec("grade", "code"),
    FactSpec("appointment_at", "instant"),
    FactSpec("frozen_until", "protection"),
)

NOTES: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "idle": "idle (OWN-1) is not judged: the map names no column for last_contact_at",
        "idle_absent": "idle (OWN-1) is not judged: the file has none of the columns {columns} for last_contact_at",
        "not_read": "{fact} is not read: the book does not list it in protected_by",
        "grade": "no column for grade: every prospect has the default idle limit",
        "grade_unknown": "no column for grade and no default in idle: every limit has to agree",
        "protection": "no column for {fact}: counted as no such protection",
        "appointment": "no column for appointment_at: no appointment moves a deadline",
        "zone": "the book says no zone: days are counted in the map's, {zone}",
        "absent": "{fact}: the file has none of the columns {columns}",
        "nobody": "no open prospect has the owner {owners}, whom the cap names",
        "skipped": "{count} rows were skipped because of faults",
        "parked": "{count} prospects are parked, because they cannot be judged: {ids}",
        "nothing": "neither idle nor no_deal is judged: nothing is reclaimed",
        "utc": "the book says no zone, and nothing was imported: days are counted in UTC",
        "kept": "no column for {facts}: what the store has of it stays, and new prospects have none",
        "grace": "until {until} nobody is reclaimed whom the policies before this one would leave ({span} of grace)",
        "grace_first": "until {until} nobody is reclaimed: the policy is new in this store ({span} of grace)",
        "zone_changed": "the zone of the imports was {before}, and is now the map's, {zone}",
    },
    "zh": {
        "idle": "未判断闲置（OWN-1）：映射没有为 last_contact_at 指定列",
        "idle_absent": "未判断闲置（OWN-1）：文件中没有 last_contact_at 的列 {columns}",
        "not_read": "不读取 {fact}：策略的 protected_by 未列出",
        "grade": "没有 grade 列：全部潜在客户采用默认闲置期限",
        "grade_unknown": "没有 grade 列且 idle 无 default：各期限结论一致时才有结论",
        "protection": "没有 {fact} 列：按无此保护处理",
        "appointment": "没有 appointment_at 列：预约不推迟到期",
        "zone": "策略未写明时区：按映射的时区 {zone} 计算天数",
        "absent": "{fact}：文件中没有以下任何一列：{columns}",
        "nobody": "上限提到的负责人 {owners} 名下没有跟进中的潜在客户",
        "skipped": "有 {count} 行因错误被跳过",
        "parked": "有 {count} 个潜在客户因无法判断而搁置：{ids}",
        "nothing": "闲置与未成交均未判断：不会回收任何潜在客户",
        "utc": "策略未写明时区，也没有导入过文件：按 UTC 计算天数",
        "kept": "没有 {facts} 列：存储中已有的保持不变，新的潜在客户没有该项",
        "grace": "{until} 之前，不回收按先前策略会保留的潜在客户（启用宽限期 {span}）",
        "grace_first": "{until} 之前，不回收任何潜在客户：该策略刚在此存储启用（启用宽限期 {span}）",
        "zone_changed": "导入的时区原为 {before}，现为映射的时区 {zone}",
    },
}
"""What was not judged and why, by language; what a work list carries as its notes."""


def facts(policy: ReclaimPolicy) -> tuple[FactSpec, ...]:
    """The facts that a file may have: the fixed ones, the protections that the book lists, and those usual names."""
    names = dict.fromkeys((*policy.protected_by, *PROTECTIONS))
    return (*JUDGED, *(FactSpec(f"{name}_until", "protection") for name in names), *SHOWN, *DATED)


@attrs.frozen(kw_only=True)
class Origin:
    """
    Where the facts of prospects came from.

    `zone`: the map's; ``None`` where there was none. `facts`: those with a column; ``None`` where a host wrote them
    itself, as it knows them. `absent`: the columns that a map named for a fact and no file had. `formats`: how the map
    writes instants.
    """

    zone: ZoneInfo | None = None
    formats: tuple[str, ...] = ()
    facts: frozenset[str] | None = None
    absent: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)

    def lacks(self, fact: str) -> bool:
        """Whether nothing can be known of a fact."""
        return self.facts is not None and fact not in self.facts

    def names(self, fact: str) -> bool:
        """Whether a map names a column for a fact."""
        return self.facts is not None and (fact in self.facts or fact in self.absent)

    def after(self, earlier: Origin) -> Origin:
        """This one and what came before it: every fact that ever had a column, and this map's zone and formats."""
        known = (self.facts or frozenset()) | (earlier.facts or frozenset())
        absent = {**earlier.absent, **self.absent}
        return Origin(
            zone=self.zone,
            formats=self.formats,
            facts=known,
            absent={fact: names for fact, names in absent.items() if fact not in known},
        )

    def note(self) -> dict[str, Any]:
        """As a store keeps it."""
        absent = {fact: list(names) for fact, names in sorted(self.absent.items())}
        zone = self.zone and self.zone.key
        return {"zone": zone, "formats": list(self.formats), "facts": sorted(self.facts or ()), "absent": absent}

    @classmethod
    def of_note(cls, note: Mapping[str, Any] | None) -> Origin:
        """As a store has kept it; without a note, nothing was imported."""
        if note is None:
            return cls()
        absent = {fact: tuple(names) for fact, names in note["absent"].items()}
        return cls(
            zone=ZoneInfo(note["zone"]),
            formats=tuple(note["formats"]),
            facts=frozenset(note["facts"]),
            absent=absent,
        )


class Policies(Protocol):
    """What a book says of ownership."""

    @property
    def reclaim(self) -> ReclaimPolicy:
        """When a prospect goes back to the pool."""

    @property
    def cap(self) -> CapPolicy:
        """How many an owner may hold."""

    @property
    def run(self) -> RunLimits:
        """What a run may take."""


class Source(Protocol):
    """Prospects to be judged, and where their facts came from."""

    @property
    def origin(self) -> Origin:
        """Where the facts came from."""

    def prospects(self, plain: Plain | None = None) -> Iterator[Mapping[str, Any]]:
        """Each prospect once, with every fact; a source may leave out those that it has counted as `plain`."""

    def find(self, key: str) -> Mapping[str, Any] | None:
        """The prospect with this id."""

    def left_out(self) -> tuple[str, int, Mapping[str, Any]]:
        """What was left out, once all were read: the code of the note, how many, and what the note says."""


class Export:
    """The prospects of a file, read through its map; the header has been read when this is made."""

    def __init__(self, columns: Map, records: Records) -> None:
        self.columns, self.records = columns, records
        self._batches = records.batches()
        self.origin = Origin(
            zone=columns.zone,
            formats=columns.formats,
            facts=frozenset(records.columns_used),
            absent=dict(records.absent),
        )

    def prospects(self, plain: Plain | None = None) -> Iterator[Mapping[str, Any]]:
        """Each prospect once, but for those counted as `plain`; the faults are raised after the last."""
        self.records.plain = plain
        return chain.from_iterable(self._batches)

    def find(self, key: str) -> Mapping[str, Any] | None:
        """See `Source.find`; reads the file to its end."""
        found = [prospect for prospect in self.prospects() if prospect["id"] == key]
        return found[0] if found else None

    def left_out(self) -> tuple[str, int, Mapping[str, Any]]:
        """See `Source.left_out`."""
        return "skipped", self.records.skipped, {}


class Kept:
    """
    The prospects of a store, page by page: what is changed meanwhile is seen as it was or as it is.

    Those that `policy` cannot judge are left out, as a run parks them. `progress` is told how many were read.
    """

    def __init__(
        self,
        store: OwnershipStore,
        origin: Origin,
        policy: ReclaimPolicy,
        now: datetime,
        progress: Progress | None = None,
    ) -> None:
        self.store, self.origin, self._progress = store, origin, progress
        self._judge = Judge(policy, Grace(), now)
        self._none = dict.fromkeys((*(spec.name for spec in facts(policy)), *self._judge.none))
        self._parked: list[str] = []
        self._count = 0

    def prospects(self, plain: Plain | None = None) -> Iterator[Mapping[str, Any]]:  # noqa: ARG002 - no columns here
        """See `Source.prospects`; by key."""
        after, read = None, 0
        while page := transact(self.store, partial(_page, after=after)):
            yield from ({**self._none, **stored.facts} for stored in page if not self._parks(stored))
            after, read = page[-1].key, read + len(page)
            if self._progress is not None:
                self._progress(read, None)

    def find(self, key: str) -> Mapping[str, Any] | None:
        """See `Source.find`."""
        found = transact(self.store, lambda transaction: transaction.prospects.read([key]))
        return {**self._none, **found[0].facts} if found else None

    def left_out(self) -> tuple[str, int, Mapping[str, Any]]:
        """See `Source.left_out`; the note names the first."""
        more = " …" if self._count > len(self._parked) else ""
        return "parked", self._count, {"ids": f"{', '.join(self._parked)}{more}"}

    def _parks(self, stored: Stored) -> bool:
        answer = stored.answer
        if answer.digest != self._judge.policy.digest:
            answer = self._judge.rejudge(stored).answer
        if answer.parked is None:
            return False
        self._count += 1
        self._parked += [stored.key] * (len(self._parked) < SHOWN_IDS)
        return True


def _page(transaction: Transaction, after: str | None) -> list[Stored]:
    return list(transaction.prospects.scan(after, BATCH))


def imports(store: OwnershipStore) -> Origin:
    """What a store has noted of its imports."""
    return transact(store, lambda transaction: Origin.of_note(transaction.notes.get(IMPORT)))


# --- what can be judged ---


@attrs.frozen
class Applied:
    """A policy as it can be judged on what is known, and the notes on what cannot."""

    policy: ReclaimPolicy
    notes: tuple[Noted, ...]

    def texts(self, lang: str) -> tuple[str, ...]:
        """The notes in words."""
        return tuple(NOTES[lang][code].format(**values) for code, values in self.notes)


def applied(policy: ReclaimPolicy, origin: Origin, *, said_zone: bool) -> Applied:
    """What of the policy facts of this origin let us judge: without a column for the last contact, idle is off."""
    absent = dict(origin.absent)
    notes = list(_notes(policy, origin, said_zone=said_zone))
    absent.pop("last_contact_at" if policy.idle is not None else "", None)
    notes += [("absent", {"fact": fact, "columns": ", ".join(names)}) for fact, names in sorted(absent.items())]
    if policy.idle is not None and origin.lacks("last_contact_at"):
        policy = attrs.evolve(policy, idle=None)
        if policy.no_deal is None:
            notes.append(("nothing", {}))
    return Applied(policy, tuple(notes))


def _notes(policy: ReclaimPolicy, origin: Origin, *, said_zone: bool) -> Iterator[Noted]:
    if policy.idle is not None and "last_contact_at" in origin.absent:
        yield "idle_absent", {"columns": ", ".join(origin.absent["last_contact_at"])}
    elif policy.idle is not None and origin.lacks("last_contact_at"):
        yield "idle", {}
    elif isinstance(policy.idle, Mapping) and origin.lacks("grade"):
        yield ("grade" if "default" in policy.idle else "grade_unknown"), {}
    for name in policy.protected_by:
        if origin.lacks(f"{name}_until"):
            yield "protection", {"fact": f"{name}_until"}
    for name in PROTECTIONS:
        if name not in policy.protected_by and origin.names(f"{name}_until"):
            yield "not_read", {"fact": f"{name}_until"}
    if policy.appointment is not None and origin.lacks("appointment_at"):
        yield "appointment", {}
    zone = origin.zone.key if origin.zone else "UTC"
    working = policy.calendar is not None and policy.calendar.zone.key == zone
    if not said_zone and (working or any(span.needs == "zone" for _, span in policy.spans())):
        yield ("zone", {"zone": zone}) if origin.zone else ("utc", {})


# --- the jobs ---


def day(applied: Applied, cap: CapPolicy, source: Source, *, now: datetime, lang: str, zone: ZoneInfo) -> WorkList:
    """
    The work list of a source at `now`, in `zone`.

    Of an export, raises `InvalidFile` when the last row has been read, if any was faulty and none may be skipped.
    """
    sweep = Sweep(applied.policy, now, zone)
    sweep.take(source.prospects(Plain(sweep.facts, sweep.count)))
    work = sweep.work_list(cap, applied.texts(lang))
    notes, (code, count, said) = list(work.notes), source.left_out()
    held = {str(load.owner) for load in work.owners}
    if idle := [str(owner) for owner in cap.per_owner if str(owner) not in held]:
        notes.append(NOTES[lang]["nobody"].format(owners=", ".join(idle)))
    if count:
        notes.append(NOTES[lang][code].format(count=count, **said))
    return attrs.evolve(work, counts={**work.counts, "skipped": count}, notes=tuple(notes))


def explain(applied: Applied, source: Source, key: str, *, now: datetime) -> Decision | None:
    """The decision on the prospect with the id `key`; None where the source has no such prospect."""
    found = source.find(key)
    return None if found is None else applied.policy.decide(found, now=now)


@attrs.frozen
class Imported:
    """What became of the prospects of an export, how many rows were left out, and the notes."""

    put: Put
    skipped: int
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """As JSON-able data."""
        return {"counts": {**attrs.asdict(self.put), "skipped": self.skipped}, "notes": list(self.notes)}


class Spool:
    """
    The prospects of an export, read to its end, with the facts that have a column.

    Raises `InvalidFile`, and `InvalidFact` for what no store could keep.
    """

    def __init__(self, export: Export) -> None:
        self.export, self.total = export, 0
        self._file: IO[bytes] = SpooledTemporaryFile(SPOOLED)  # noqa: SIM115 - closed by `__exit__`
        used = tuple(export.records.columns_used)
        with ExitStack() as stack:
            stack.push(self)
            for prospect in export.prospects():
                record = {fact: prospect[fact] for fact in used}
                packed(record)  # what no store could keep is refused here, while nothing has been put
                pickle.dump(record, self._file, pickle.HIGHEST_PROTOCOL)
                self.total += 1
            self._file.seek(0)
            stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def prospects(self, progress: Progress | None) -> Iterator[Mapping[str, Any]]:
        """Each prospect, once; `progress` is told how many were taken, and of how many."""
        for number in range(1, self.total + 1):
            yield pickle.load(self._file)  # noqa: S301 - our own, of a moment ago
            if progress is not None and (number % BATCH == 0 or number == self.total):
                progress(number, self.total)


def put(
    store: OwnershipStore,
    spool: Spool,
    ownership: Policies,
    *,
    now: datetime,
    said_zone: bool,
    lang: str,
    progress: Progress | None = None,
) -> Imported:
    """
    Puts the prospects of an export into a store, with the facts that have a column; the others stay as they are.

    Killed and repeated, it ends where it would have ended.
    """
    before, origin = transact(store, partial(_noted, read=spool.export.origin))
    done = applied(ownership.reclaim, origin, said_zone=said_zone)
    service = OwnershipService(store, done.policy, ownership.cap, ownership.run)
    counts = service.put(spool.prospects(progress), now=now)
    notes, skipped = [*done.notes, *_import_notes(before, spool.export.origin)], spool.export.records.skipped
    if skipped:
        notes.append(("skipped", {"count": skipped}))
    return Imported(counts, skipped, attrs.evolve(done, notes=tuple(notes)).texts(lang))


def grace_notes(
    store: OwnershipStore, policy: ReclaimPolicy, limits: RunLimits, *, now: datetime, zone: tzinfo, lang: str
) -> tuple[str, ...]:
    """The note on the activation grace that holds in a store at `now`, if one does."""
    grace = transact(store, lambda transaction: Grace.of(policy, limits, transaction.notes.activations(), now))
    if not grace.earlier:
        return ()
    until = max(until for _, until in grace.earlier)
    span = span_text(limits.activation_grace, lang)
    note = "grace" if any(earlier for earlier, _ in grace.earlier) else "grace_first"
    return (NOTES[lang][note].format(until=clock_text(until, zone), span=span),)


def _noted(transaction: Transaction, read: Origin) -> tuple[Origin, Origin]:
    """What was noted before, and what is noted now: first of all, so that no run judges what no column said."""
    before = Origin.of_note(transaction.notes.get(IMPORT))
    origin = read.after(before)
    transaction.notes.put(IMPORT, origin.note())
    return before, origin


def _import_notes(before: Origin, now: Origin) -> Iterator[Noted]:
    if kept := sorted(fact for fact in before.facts or () if now.lacks(fact)):
        yield "kept", {"facts": ", ".join(kept)}
    if before.zone is not None and now.zone is not None and before.zone != now.zone:
        yield "zone_changed", {"before": before.zone.key, "zone": now.zone.key}


def read_work_list(
    deals: str | PathLike[str],
    columns: str | PathLike[str],
    *,
    policy: ReclaimPolicy,
    cap: CapPolicy | None = None,
    now: datetime,
    lang: str = "en",
    skip_bad: bool = False,
) -> WorkList:
    """
    The work list of a data file at `now`, read through the map in the file `columns`; what `crmcore day` prints.

    A policy that says no zone counts days in the map's. What the file does not let us judge is in the notes: without a
    column for the last contact, idle is off. Raises `InvalidFile` with every fault; with `skip_bad`, faulty rows are
    left out and counted.
    """
    read = Map.load(columns, facts(policy))
    export = Export(read, Records(deals, read, facts(policy), skip_bad=skip_bad))
    done = applied(policy, export.origin, said_zone=policy.zone is not None)
    if policy.zone is None:
        done = attrs.evolve(done, policy=attrs.evolve(done.policy, zone=read.zone.key))
    return day(done, cap or CapPolicy(), export, now=now, lang=lang, zone=read.zone)
