"""The job behind `crmcore day` and `crmcore explain`: a book and an export in, a work list or a decision out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from os import PathLike
from typing import Any, Final

import attrs

from crmcore.decisions.decision import Decision
from crmcore.files import FactSpec, Map, Plain, Records
from crmcore.ownership.cap import CapPolicy
from crmcore.ownership.policy import ReclaimPolicy
from crmcore.ownership.values import PROTECTIONS, Status
from crmcore.ownership.worklist import Sweep, WorkList

__all__ = ["NOTES", "Applied", "Export", "applied", "day", "explain", "facts", "read_work_list"]

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
        "nothing": "neither idle nor no_deal is judged: nothing is reclaimed",
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
        "nothing": "闲置与未成交均未判断：不会回收任何客户",
    },
}
"""What was not judged and why, by language; what a work list carries as its notes."""


def facts(policy: ReclaimPolicy) -> tuple[FactSpec, ...]:
    """The facts that a file may have: the fixed ones, the protections that the book lists, and those usual names."""
    names = dict.fromkeys((*policy.protected_by, *PROTECTIONS))
    return (*JUDGED, *(FactSpec(f"{name}_until", "protection") for name in names), *SHOWN, *DATED)


class Export:
    """The prospects of a file, read through its map; the header has been read when this is made."""

    def __init__(self, columns: Map, records: Records) -> None:
        self.columns, self.records = columns, records
        self._batches = records.batches()

    def prospects(self, plain: Plain | None = None) -> Iterator[Mapping[str, Any]]:
        """Each prospect once, but for those counted as `plain`; the faults are raised after the last."""
        self.records.plain = plain
        return chain.from_iterable(self._batches)


@attrs.frozen
class Applied:
    """A policy as it can be judged on an export, and the notes on what cannot."""

    policy: ReclaimPolicy
    notes: tuple[tuple[str, Mapping[str, Any]], ...]

    def texts(self, lang: str) -> tuple[str, ...]:
        """The notes in words."""
        return tuple(NOTES[lang][code].format(**values) for code, values in self.notes)


def applied(policy: ReclaimPolicy, export: Export, *, said_zone: bool) -> Applied:
    """What of the policy this export lets us judge: without a column for the last contact, idle is off."""
    lacking, absent = set(export.records.unmapped), dict(export.records.absent)
    notes = list(_notes(policy, export, said_zone=said_zone))
    absent.pop("last_contact_at" if policy.idle is not None else "", None)
    notes += [("absent", {"fact": fact, "columns": ", ".join(names)}) for fact, names in sorted(absent.items())]
    if policy.idle is not None and "last_contact_at" in lacking:
        policy = attrs.evolve(policy, idle=None)
        if policy.no_deal is None:
            notes.append(("nothing", {}))
    return Applied(policy, tuple(notes))


def _notes(policy: ReclaimPolicy, export: Export, *, said_zone: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    lacking, absent = set(export.records.unmapped), export.records.absent
    if policy.idle is not None and "last_contact_at" in absent:
        yield "idle_absent", {"columns": ", ".join(absent["last_contact_at"])}
    elif policy.idle is not None and "last_contact_at" in lacking:
        yield "idle", {}
    elif isinstance(policy.idle, Mapping) and "grade" in lacking:
        yield ("grade" if "default" in policy.idle else "grade_unknown"), {}
    for name in policy.protected_by:
        if f"{name}_until" in lacking:
            yield "protection", {"fact": f"{name}_until"}
    for name in PROTECTIONS:
        if name not in policy.protected_by and f"{name}_until" in export.columns.columns:
            yield "not_read", {"fact": f"{name}_until"}
    if policy.appointment is not None and "appointment_at" in lacking:
        yield "appointment", {}
    working = policy.calendar is not None and policy.calendar.zone.key == export.columns.zone.key
    if not said_zone and (working or any(span.needs == "zone" for _, span in policy.spans())):
        yield "zone", {"zone": export.columns.zone.key}


def day(applied: Applied, cap: CapPolicy, export: Export, *, now: datetime, lang: str) -> WorkList:
    """
    The work list of an export at `now`.

    Raises `InvalidFile` when the last row has been read, if any was faulty and none may be skipped.
    """
    sweep = Sweep(applied.policy, now, export.columns.zone)
    sweep.take(export.prospects(Plain(sweep.facts, sweep.count)))
    work = sweep.work_list(cap, applied.texts(lang))
    notes, skipped = list(work.notes), export.records.skipped
    held = {str(load.owner) for load in work.owners}
    if idle := [str(owner) for owner in cap.per_owner if str(owner) not in held]:
        notes.append(NOTES[lang]["nobody"].format(owners=", ".join(idle)))
    if skipped:
        notes.append(NOTES[lang]["skipped"].format(count=skipped))
    return attrs.evolve(work, counts={**work.counts, "skipped": skipped}, notes=tuple(notes))


def explain(applied: Applied, export: Export, key: str, *, now: datetime) -> Decision | None:
    """The decision on the prospect with the id `key`; None where the export has no such prospect."""
    found = [prospect for prospect in export.prospects() if prospect["id"] == key]
    return applied.policy.decide(found[0], now=now) if found else None


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
    done = applied(policy, export, said_zone=policy.zone is not None)
    if policy.zone is None:
        done = attrs.evolve(done, policy=attrs.evolve(done.policy, zone=read.zone.key))
    return day(done, cap or CapPolicy(), export, now=now, lang=lang)
