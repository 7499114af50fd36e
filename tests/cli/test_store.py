"""`crmcore import`, `run`, `reindex`, and the day of a store."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from cli.desk import AS_OF, BOOK, DEALS, MAP, Desk
from cli.test_day import Terminal
from cli.test_pipeline import BOOK as PIPELINE_BOOK
from cli.test_pipeline import MAP as PIPELINE_MAP
from conftest import ROOT
from crmcore.book import PolicyBook
from crmcore.cli.commands import crmcore
from crmcore.errors import StoreBusy
from crmcore.ownership import CapPolicy, OwnershipService, Stored
from crmcore.ownership import command as ownership
from crmcore.ownership import service as services
from crmcore.ownership.sql import SqlProspects
from crmcore.ownership.stored import Change
from crmcore.storage.sql import SqlStore
from ownership.stories import at
from server import Server

GRACE_OVER = "2026-02-25"
NO_GRACE = f'{BOOK}[ownership.run]\nactivation_grace = "0d"\n'
SOME = "id,owner,stage,assigned,last\nd1,Ann,Open,2026-01-01,2026-01-10\n"
FIRST = "nobody is reclaimed: the policy is new in this store (14 days of grace)"
WAITING = "nobody is reclaimed whom the policies before this one would leave (14 days of grace)"
CHINESE = {"LANG": "zh_CN.UTF-8"}


class Shop(Desk):
    """A desk with a store."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"sqlite:///{folder / 'crm.db'}"

    def put(self, *args: str, deals: str | None = None, as_of: str = AS_OF, **options: Any) -> str:
        """What `import` prints."""
        files = [deals or self.deals, "--map", self.map, "--policies", self.book, "--as-of", as_of]
        return self.done("import", *files, "--store", self.url, *args, **options)

    def stored(self, *args: str, as_of: str | None = AS_OF, **options: Any) -> str:
        """What a command on the store prints."""
        dated = [] if as_of is None else ["--as-of", as_of]
        return self.done(*args, "--store", self.url, "--policies", self.book, *dated, **options)

    def report(self, *args: str, as_of: str = AS_OF) -> dict[str, Any]:
        """The report of `run` or `reindex`."""
        found: dict[str, Any] = json.loads(self.stored(*args, "--json", as_of=as_of))
        return found

    def done(self, *args: str, **options: Any) -> str:
        """The standard output of a command that succeeds."""
        result = self.run(*args, **options)
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout

    def refused(self, *args: str, **options: Any) -> str:
        """The error of a command that ends with 2, and prints nothing else."""
        result = self.run(*args, **options)
        assert (result.exit_code, result.stdout) == (2, "")
        return result.stderr

    def rows(self) -> dict[str, Stored]:
        """What is stored, by key."""
        store = SqlStore(self.url)
        with store.begin() as transaction:
            found = transaction.prospects.scan(None, 10**6)
        store.close()
        return {row.key: row for row in found}

    def note(self) -> Any:
        """What the store has noted of its imports."""
        store = SqlStore(self.url)
        with store.begin() as transaction:
            found = transaction.notes.get("import")
        store.close()
        return found


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


class Killed(Exception):
    """What ends a command between two batches."""


def service(shop: Shop, store: SqlStore) -> OwnershipService:
    """The commands on the shop's store, by its book."""
    policies = PolicyBook.load(shop.book).ownership
    return OwnershipService(store, policies.reclaim, CapPolicy(), policies.run)


# --- a store says what the file said ---


def test_the_day_of_a_store_is_the_day_of_its_file(shop: Shop) -> None:
    shop.put()
    assert shop.stored("day", "--json") == shop.on_files("day", "--json").stdout


@pytest.mark.parametrize("policies", [str(ROOT / "examples" / "policies.toml"), None])
def test_so_it_is_on_the_example(shop: Shop, policies: str | None) -> None:
    """With the book of the example, and with the standard book, which leaves the zone to the map."""
    folder = ROOT / "examples"
    book = [] if policies is None else ["--policies", policies]
    shop.done("import", f"{folder}/pipeline.csv", "--map", f"{folder}/map.toml", "--store", shop.url, *book)
    day = ["day", "--as-of", "2026-03-31", *book]
    of_file = shop.done(*day, "--json", "--deals", f"{folder}/pipeline.csv", "--map", f"{folder}/map.toml")
    assert shop.done(*day, "--json", "--store", shop.url) == of_file


def by_id(document: dict[str, Any]) -> dict[str, Any]:
    """A work list whose ids that cannot be told are sorted: a file has an order of its own, a store has that of ids."""
    groups = [{**group, "ids": sorted(group["ids"])} for group in document["needs_data"]]
    return {**document, "needs_data": groups}


@pytest.mark.parametrize("days", [90, 120])
def test_so_it_is_on_a_real_export(shop: Shop, shared_data: Path, days: int) -> None:
    shop.map = shop.write("map.toml", PIPELINE_MAP)
    shop.book = shop.write("book.toml", PIPELINE_BOOK.format(days=days, cap=60))
    shop.deals = str(shared_data / "crm_pipeline" / "sales_pipeline.csv")
    shop.put(as_of="2017-12-31")
    stored = json.loads(shop.stored("day", "--json", as_of="2017-12-31"))
    assert by_id(stored) == by_id(shop.document(as_of="2017-12-31"))
    assert stored["counts"]["reclaim"] > 0


def test_so_it_is_in_postgresql(shop: Shop, postgres: Server) -> None:
    shop.url = postgres.new()
    shop.put()
    assert shop.stored("day", "--json") == shop.on_files("day", "--json").stdout
    shop.stored("run")
    assert shop.report("run", as_of=GRACE_OVER)["reclaimed"] == 3


@pytest.mark.parametrize("env", [{}, CHINESE])
@pytest.mark.parametrize("key", ["d1", "d4"])
def test_explain_says_of_a_stored_prospect_what_it_says_of_the_files(shop: Shop, key: str, env: dict[str, str]) -> None:
    shop.put()
    assert shop.stored("explain", key, **env) == shop.on_files("explain", key, **env).stdout


def test_an_id_that_is_not_in_the_store_is_refused(shop: Shop) -> None:
    shop.put()
    text = shop.refused("explain", "d99", "--store", shop.url)
    assert text == f"no prospect d99 in {shop.url}\n"


def test_an_instant_is_read_as_the_maps_of_the_imports_write_it(shop: Shop) -> None:
    """In their zone, and in their formats."""
    shop.map = shop.write("map.toml", MAP.replace("[time]", '[time]\nformats = ["%d.%m.%Y"]'))
    shop.put()
    document = json.loads(shop.stored("day", "--json", as_of="11.02.2026"))
    assert document["as_of"] == "2026-02-11T00:00:00+08:00"


def test_the_present_is_judged_where_no_instant_is_given(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put()
    monkeypatch.setattr("crmcore.cli.clock.now", lambda: at("2026-02-11 12:00", "Asia/Shanghai"))
    assert json.loads(shop.stored("day", "--json", as_of=None))["as_of"] == "2026-02-11T12:00:00+08:00"


# --- import ---


def test_an_import_counts_what_it_did(shop: Shop) -> None:
    assert shop.put() == "8 new, 0 changed, 0 as they were\n"
    changed = shop.write("changed.csv", DEALS.replace("2026-02-08", "2026-02-09"))
    assert shop.put(deals=changed) == "0 new, 1 changed, 7 as they were\n"
    counts = {"new": 0, "changed": 0, "same": 8, "outdated": 0, "skipped": 0}
    assert json.loads(shop.put("--json", deals=changed)) == {"counts": counts, "notes": []}
    assert shop.put(deals=changed, **CHINESE) == "新增 0，变更 0，不变 8\n"


def test_standard_input_is_imported(shop: Shop) -> None:
    assert shop.put(deals="-", stdin=DEALS) == "8 new, 0 changed, 0 as they were\n"
    assert shop.stored("day", "--json") == shop.on_files("day", "--json").stdout


FAULTY = DEALS + "d9,Ann,,Open,31/31/2026,,,,,,,\nd1,Ann,,Open,2026-01-01,,,,,,,\n"


@pytest.mark.parametrize("there", [False, True])
def test_a_file_with_faults_writes_nothing(shop: Shop, *, there: bool) -> None:
    """Every fault is told, and a store is not even made."""
    if there:
        shop.put(deals=shop.write("some.csv", SOME))
    before = shop.rows() if there else None
    bad = shop.write("bad.csv", FAULTY)
    text = shop.refused("import", bad, "--map", shop.map, "--policies", shop.book, "--store", shop.url)
    assert [line.partition(": ")[2].partition(":")[0] for line in text.splitlines()] == [
        "line 10, column assigned",
        "line 11, column id",
    ]
    assert (shop.rows() if (shop.folder / "crm.db").exists() else None) == before


def test_faulty_rows_may_be_left_out(shop: Shop) -> None:
    text = shop.put("--skip-bad", deals=shop.write("bad.csv", FAULTY))
    assert text == "8 new, 0 changed, 0 as they were\nNote: 2 rows were skipped because of faults\n"


def test_what_no_store_can_keep_writes_nothing(shop: Shop) -> None:
    """A NUL, which JSON can write and no database can keep."""
    line = '{"id": "%s", "owner": "%s", "stage": "Open", "assigned": "2026-01-01"}\n'
    lines = shop.write("deals.jsonl", line % (1, "Ann") + line % (2, "An\\u0000"))
    text = shop.refused("import", lines, "--map", shop.map, "--policies", shop.book, "--store", shop.url)
    assert "owner of '2' is 'An\\x00'" in text
    assert not (shop.folder / "crm.db").exists()


def test_facts_without_a_column_stay_as_they_are_stored(shop: Shop) -> None:
    """A freeze outlives an import that does not know of freezes."""
    shop.put()
    frozen = shop.rows()["d4"].facts["frozen_until"]
    few = shop.write("few.csv", "id,owner,stage,assigned,last\nd4,Bob,Open,2026-01-01,2026-01-20\n")
    (note,) = json.loads(shop.put("--json", deals=few))["notes"]
    lost = "contact_unknown, customer, frozen_until, grade, manager, value"
    assert note == f"no column for {lost}: what the store has of it stays, and new prospects have none"
    facts = shop.rows()["d4"].facts
    assert (facts["frozen_until"], facts["last_contact_at"]) == (frozen, at("2026-01-20", "Asia/Shanghai"))


def test_a_cell_that_says_none_takes_a_fact_away(shop: Shop) -> None:
    shop.put()
    shop.put(deals=shop.write("thawed.csv", DEALS.replace("2026-06-01", "")))
    assert "frozen_until" not in shop.rows()["d4"].facts


def test_who_was_reclaimed_is_not_given_back_by_the_next_import(shop: Shop) -> None:
    shop.book = shop.write("book.toml", NO_GRACE)
    shop.put()
    shop.stored("run")
    expected = "0 new, 0 changed, 8 as they were\n1 have left the owner whom the file still names"
    assert shop.put().startswith(expected)
    assert shop.put(**CHINESE).endswith("1 个已离开文件中仍写着的负责人，保持现状\n")
    assert "owner" not in shop.rows()["d1"].facts


def test_an_import_that_was_killed_is_repeated(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends where it would have ended, and what it had done by then was judged as the map lets it be."""
    (shop.folder / "whole").mkdir()
    whole = Shop(shop.folder / "whole")
    whole.put()
    monkeypatch.setattr(services, "BATCH", 3)
    write, batches = SqlProspects.write, []

    def killed(self: SqlProspects, changes: Sequence[Any]) -> Sequence[str]:
        batches.append(len(changes))
        if len(batches) == 3:
            raise Killed
        return write(self, changes)

    monkeypatch.setattr(SqlProspects, "write", killed)
    with pytest.raises(Killed):
        shop.put()
    assert (len(shop.rows()), shop.note()) == (6, whole.note())
    assert shop.put() == "2 new, 0 changed, 6 as they were\n"
    assert shop.rows() == whole.rows()


# --- what the imports let us judge ---


def test_without_a_column_for_contacts_idle_is_not_judged(shop: Shop) -> None:
    """Neither by the day nor by a run, until an import has one; then the grace begins."""
    shop.book = shop.write("book.toml", BOOK.replace('no_deal = "90d"', ""))
    shop.put(deals=shop.write("few.csv", "id,owner,stage,assigned\nd1,Ann,Open,2026-01-01\n"))
    report = shop.report("run", as_of="2026-06-01")
    assert (report["reclaimed"], report["notes"][0], report["notes"][-2]) == (
        0,
        "idle (OWN-1) is not judged: the file has none of the columns last for last_contact_at",
        "neither idle nor no_deal is judged: nothing is reclaimed",
    )
    few = ["--deals", str(shop.folder / "few.csv"), "--map", shop.map, "--policies", shop.book, "--as-of", AS_OF]
    assert shop.stored("day", "--json") == shop.done("day", "--json", *few)
    shop.put(deals=shop.write("some.csv", SOME))
    assert shop.report("run", as_of="2026-06-02")["reclaimed"] == 0
    later = shop.report("run", as_of="2026-06-16")
    assert later["reclaimed"] == 1
    assert not any("OWN-1" in note or "until" in note for note in later["notes"][:1])


def test_a_map_without_contacts_is_told_as_the_file_tells_it(shop: Shop) -> None:
    shop.map = shop.write("map.toml", MAP.replace('last_contact_at = "last"\n', ""))
    shop.put()
    assert shop.stored("day") == shop.on_files("day").stdout
    assert "Note: idle (OWN-1) is not judged: the map names no column for last_contact_at" in shop.stored("day")


def test_days_are_counted_in_the_zone_of_the_imports(shop: Shop) -> None:
    """Where the book says none; an import through a map of another zone changes it, and says so."""
    shop.book = shop.write("book.toml", BOOK.replace('zone = "Asia/Shanghai"', ""))
    shop.put()
    assert shop.stored("day") == shop.on_files("day").stdout
    shop.map = shop.write("map.toml", MAP.replace("Asia/Shanghai", "UTC"))
    assert shop.put().endswith(
        "Note: the book says no zone: days are counted in the map's, UTC\n"
        "Note: the zone of the imports was Asia/Shanghai, and is now the map's, UTC\n"
    )
    assert shop.stored("day") == shop.on_files("day").stdout


@pytest.mark.parametrize(("zone", "said"), [("Asia/Shanghai", []), (None, ["days are counted in UTC"])])
def test_a_store_that_nothing_was_imported_into_is_judged_whole(shop: Shop, zone: str | None, said: list[str]) -> None:
    """Its host knows the facts that it writes."""
    shop.book = shop.write("book.toml", NO_GRACE if zone else NO_GRACE.replace('zone = "Asia/Shanghai"', ""))
    store = SqlStore(shop.url).create()
    service(shop, store).register({"id": 1, "owner": "Ann", "assigned_at": at("2026-01-01")}, now=at("2026-01-01"))
    store.close()
    report = shop.report("run", as_of="2026-02-11")
    assert (report["reclaimed"], [note.rpartition(": ")[2] for note in report["notes"]]) == (1, said)
    assert report["as_of"] == ("2026-02-11T00:00:00+08:00" if zone else "2026-02-11T00:00:00+00:00")


# --- run and reindex ---


def test_a_run_reports_what_it_did(shop: Shop) -> None:
    shop.put()
    digest = PolicyBook.load(shop.book).ownership.reclaim.digest
    assert shop.report("run") == {
        "as_of": "2026-02-11T00:00:00+08:00",
        "policy": {"name": "desk", "version": "7", "digest": digest},
        "dry_run": False,
        "judged": {},
        "reclaimed": 0,
        "messages": 0,
        "in_grace": 0,
        "over_daily": 0,
        "waiting": 1,
        "left": {},
        "conflicts": 0,
        "parked": 0,
        "faults": [],
        "notes": [f"until 2026-02-25 00:00 {FIRST}"],
    }
    assert shop.stored("run", as_of=GRACE_OVER).splitlines() == [
        "As of 2026-02-25 00:00 (Asia/Shanghai)",
        f"policy desk 7, digest {digest[:12]}",
        "what                    count",
        "─────────────────────────────",
        "judged: reclaim 2           2",
        "went back to the pool       3",
        "messages for the host       3",
    ]


def test_the_day_after_a_run_has_what_was_reclaimed_in_the_pool(shop: Shop) -> None:
    shop.book = shop.write("book.toml", NO_GRACE)
    shop.put()
    before = json.loads(shop.stored("day", "--json"))
    assert shop.report("run")["reclaimed"] == len(before["reclaim"]) == 1
    after = json.loads(shop.stored("day", "--json"))
    assert (after["reclaim"], after["remind"]) == ([], before["remind"])
    assert after["counts"]["pool"] == before["counts"]["pool"] + 1


def test_a_run_that_is_repeated_does_nothing_more(shop: Shop) -> None:
    shop.put()
    shop.stored("run", as_of=GRACE_OVER)
    rows = shop.rows()
    again = shop.report("run", as_of=GRACE_OVER)
    assert (again["judged"], again["reclaimed"], again["messages"]) == ({}, 0, 0)
    assert shop.rows() == rows


def test_a_dry_run_says_the_same_and_changes_nothing(shop: Shop) -> None:
    shop.put()
    shop.stored("run")
    rows = shop.rows()
    dry = shop.report("run", "--dry-run", as_of=GRACE_OVER)
    assert shop.rows() == rows
    assert {**dry, "dry_run": False} == shop.report("run", as_of=GRACE_OVER)
    assert dry["dry_run"]


def test_a_dry_run_says_that_it_is_one(shop: Shop) -> None:
    shop.put()
    assert shop.stored("run", "--dry-run").startswith("As of 2026-02-11 00:00 (Asia/Shanghai), a dry run: nothing was")
    assert shop.stored("run", "--dry-run", **CHINESE).startswith(
        "截至 2026-02-11 00:00（Asia/Shanghai），试运行：未作任何更改\n"
    )


CEILINGS = f'{NO_GRACE}max_per_run = 2\nmax_per_owner_per_day = "unlimited"\n'


def test_a_report_says_who_waits_and_why(shop: Shop) -> None:
    """In English and in Chinese: what is left by owner, what waits for tomorrow."""
    shop.book = shop.write("book.toml", CEILINGS)
    shop.put()
    text = shop.stored("run", "--dry-run", as_of=GRACE_OVER)
    assert "to reclaim, left for the next run (max_per_run)       1\n" in text
    assert "Left for the next run, by owner (1)" in text
    assert "应回收，留待下次运行（max_per_run）" in shop.stored("run", "--dry-run", as_of=GRACE_OVER, **CHINESE)
    shop.book = shop.write("book.toml", f"{NO_GRACE}max_per_owner_per_day = 1\n")
    text = shop.stored("run", as_of=GRACE_OVER)
    assert "to reclaim, waiting for the owner's next day (max_per_owner_per_day)       1\n" in text


def test_a_run_speaks_chinese(shop: Shop) -> None:
    shop.put()
    shop.stored("run")
    text = shop.stored("run", as_of=GRACE_OVER, **CHINESE)
    for part in ("策略 desk 7，摘要 ", "事项", "已判断：回收 2", "已回收到公海", "待系统发送的消息"):
        assert part in text


def test_another_book_is_judged_by_reindex(shop: Shop) -> None:
    """Nobody is reclaimed by it, and the next run has nothing left to judge."""
    shop.put()
    shop.stored("run")
    shop.book = shop.write("book.toml", NO_GRACE.replace('idle = "30d"', 'idle = "20d"'))
    report = shop.report("reindex")
    assert (sum(report["judged"].values()), report["reclaimed"]) == (8, 0)
    assert shop.report("run")["judged"] == {}
    assert shop.stored("reindex", **CHINESE).startswith("截至 2026-02-11 00:00（Asia/Shanghai）\n")


def test_a_changed_limit_waits_for_its_grace(shop: Shop) -> None:
    shop.put()
    shop.stored("run", as_of="2026-01-01")
    shop.book = shop.write("book.toml", BOOK.replace('idle = "30d"', 'idle = "20d"'))
    text = shop.stored("run", as_of="2026-02-04")
    assert "to reclaim, waiting for the activation grace" in text
    assert f"Note: until 2026-02-18 00:00 {WAITING}" in text


@pytest.mark.parametrize(
    ("args", "book", "code"),
    [
        (["--fail-on", "reclaim"], NO_GRACE, 1),
        (["--fail-on", "left"], f"{NO_GRACE}max_per_run = 0\n", 1),
        (["--fail-on", "parked"], NO_GRACE, 0),
        (["--fail-on", "findings"], NO_GRACE.replace('idle = "30d"', 'idle = "5d"'), 1),
        ([], NO_GRACE, 0),
    ],
)
def test_a_run_can_fail(shop: Shop, args: list[str], book: str, code: int) -> None:
    shop.book = shop.write("book.toml", book)
    shop.put()
    assert shop.run("run", "--store", shop.url, "--policies", shop.book, "--as-of", AS_OF, *args).exit_code == code


# --- what cannot be judged ---


def break_some(shop: Shop, *keys: str) -> None:
    """Gives prospects of the store a status that no policy knows, past every command; a new book is to judge them."""
    store = SqlStore(shop.url)
    with store.begin() as transaction:
        for before in transaction.prospects.read(keys):
            after = attrs.evolve(before, facts={**before.facts, "status": "odd"}, version=before.version + 1)
            transaction.prospects.write([Change(before=before, after=after)])
    store.close()
    shop.book = shop.write("book.toml", BOOK.replace("90d", "91d"))


@pytest.mark.parametrize("judged", [False, True])
def test_what_is_parked_is_told_by_run_and_day(shop: Shop, *, judged: bool) -> None:
    """By the day whether or not a run has met it."""
    shop.put()
    break_some(shop, "d1")
    if judged:
        text = shop.stored("run")
        assert "Parked: cannot be judged (1)" in text
        assert "d1" in text
    document = json.loads(shop.stored("day", "--json"))
    assert (document["counts"]["prospects"], document["counts"]["skipped"]) == (7, 1)
    assert document["notes"] == ["1 prospects are parked, because they cannot be judged: d1"]
    assert "说明：有 1 个潜在客户因无法判断而搁置：d1" in shop.stored("day", **CHINESE)


def test_of_many_parked_the_first_are_named(shop: Shop) -> None:
    shop.put()
    break_some(shop, *(f"d{number}" for number in range(1, 8)))
    note = "7 prospects are parked, because they cannot be judged: d1, d2, d3, d4, d5 …"
    assert json.loads(shop.stored("day", "--json"))["notes"][-1] == note


@pytest.mark.parametrize(("env", "more"), [({}, "… and 5 more\n"), (CHINESE, "…… 另有 5 条\n")])
def test_a_report_shows_the_first_of_many(shop: Shop, env: dict[str, str], more: str) -> None:
    """Twenty of the parked, and twenty of the owners who have some left."""
    rows = "".join(f"d{number},u{number},Open,2026-01-01,\n" for number in range(25))
    shop.book = shop.write("book.toml", CEILINGS.replace("max_per_run = 2", "max_per_run = 0"))
    shop.put(deals=shop.write("many.csv", f"{SOME.splitlines()[0]}\n{rows}"))
    text = shop.stored("run", "--dry-run", **env)
    assert more.replace("\n", "；--json 可得全部\n" if env else "; --json has all\n") in text
    break_some(shop, *(f"d{number}" for number in range(25)))
    text = shop.stored("run", **env)
    assert (text.count("expected one of open, won, lost, invalid"), more in text) == (20, True)


# --- what is wrong is told ---


WRONG = {
    "a path": ("{folder}/crm.db", "'{folder}/crm.db': is no database URL; for a SQLite file write sqlite:///{folder}/"),
    "nothing": (" ", "' ': is no database URL; for a SQLite file write sqlite:///crm.db"),
    "no slashes": ("sqlite:crm.db", "'sqlite:crm.db': is no database URL; for a SQLite file write sqlite:///crm.db"),
    "a server": ("u:secret@localhost/x", "--store: is no database URL; write postgresql+psycopg://user@host/crm"),
    "no folder": (
        "sqlite:///{folder}",
        "sqlite:///{folder}: unable to open database file; see that it is a SQLite file, or a new one, and that it and",
    ),
    "no file": ("sqlite:///{folder}/no.db", "sqlite:///{folder}/no.db: there is no such file; make it: crmcore import"),
    "memory": ("sqlite://", "sqlite://: is forgotten when the command ends; name a file: sqlite:///crm.db"),
    "no store": ("sqlite:///{folder}/map.toml", "sqlite:///{folder}/map.toml: file is not a database;"),
    "no tables": ("sqlite:///{folder}/empty.db", "sqlite:///{folder}/empty.db: has no tables of crmcore;"),
    "no such database": ("nonsense://x", "nonsense://x: is neither SQLite nor PostgreSQL;"),
    "no server": (
        "postgresql+psycopg://u:secret@localhost:1/x",
        "postgresql+psycopg://u:***@localhost:1/x: connection",
    ),
}


@pytest.mark.parametrize("command", [["run"], ["reindex"], ["day"], ["explain", "d1"]], ids=" ".join)
@pytest.mark.parametrize("name", WRONG)
def test_a_store_that_cannot_be_used_is_refused(shop: Shop, name: str, command: list[str]) -> None:
    shop.write("empty.db", "")
    url, text = (part.format(folder=shop.folder) for part in WRONG[name])
    assert shop.refused(*command, "--store", url).startswith(text)
    assert not (shop.folder / "no.db").exists()


def test_an_import_into_no_store_is_refused(shop: Shop) -> None:
    text = shop.refused("import", shop.deals, "--map", shop.map, "--policies", shop.book, "--store", "crm.db")
    assert text == "'crm.db': is no database URL; for a SQLite file write sqlite:///crm.db\n"
    text = shop.refused("import", shop.deals, "--map", shop.map, "--store", f"sqlite:///{shop.map}")
    assert text.startswith(f"sqlite:///{shop.map}: file is not a database; ")


def test_without_sqlalchemy_the_extra_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put()
    for name in [name for name in sys.modules if name.startswith("crmcore.") and name.endswith(".sql")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    text = shop.refused("run", "--store", shop.url)
    assert text == "a store in a database needs SQLAlchemy; pip install 'crmcore[sql]'\n"
    assert shop.on_files("day").exit_code == 0


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ([], "--deals and --map not given; give --deals FILE and --map FILE, or --store URL"),
        (["--deals", "x"], "--map not given; give --deals FILE and --map FILE, or --store URL"),
        (["--map", "x"], "--deals not given; give --deals FILE and --map FILE, or --store URL"),
        (["--store", "x", "--deals", "x"], "--store cannot be given together with --deals; drop it, or drop --store"),
        (["--store", "x", "--deals", "x", "--map", "x"], "together with --deals and --map; drop it, or drop --store"),
        (["--store", "x", "--skip-bad"], "--store cannot be given together with --skip-bad; drop it, or drop --store"),
    ],
)
@pytest.mark.parametrize("command", [["day"], ["explain", "d1"]], ids=" ".join)
def test_prospects_come_from_a_file_or_from_a_store(shop: Shop, command: list[str], args: list[str], text: str) -> None:
    assert text in shop.refused(*command, *args)


def test_an_instant_that_cannot_be_read_is_refused(shop: Shop) -> None:
    shop.put()
    text = shop.refused("run", "--store", shop.url, "--as-of", "soon")
    assert text.startswith("--as-of: argument: 'soon' is no date that the map knows; write it as 2026-03-31,")


def test_a_store_that_stays_busy_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put()

    def busy(*_: Any, **__: Any) -> Any:
        raise StoreBusy("crm.db", "is locked", "try again")

    monkeypatch.setattr(SqlProspects, "scan", busy)
    assert shop.refused("day", "--store", shop.url) == "crm.db: is locked; try again\n"


# --- the terminal, and memory ---


@pytest.mark.parametrize(
    ("args", "shown"),
    [(["import", "{deals}", "--map", "{map}"], "deals.csv"), (["run"], "crm.db"), (["day"], "crm.db")],
)
def test_bars_are_drawn_where_somebody_watches(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, args: list[str], shown: str
) -> None:
    shop.put()
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    args = [arg.format(deals=shop.deals, map=shop.map) for arg in args]
    crmcore.main([*args, "--store", shop.url, "--policies", shop.book, "--as-of", AS_OF], standalone_mode=False)
    assert shown in err.getvalue()
    assert out.getvalue()


def test_a_store_is_read_page_by_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of a page, every prospect is judged once."""
    shop.put()
    whole = shop.stored("day", "--json")
    for size in (1, 3, 8):
        monkeypatch.setattr(ownership, "BATCH", size)
        assert shop.stored("day", "--json") == whole


def test_a_note_is_read_as_it_was_written(shop: Shop) -> None:
    shop.put(deals=shop.write("few.csv", "id,owner,stage,assigned\nd1,Ann,Open,2026-01-01\n"))
    origin = ownership.Origin.of_note(shop.note())
    assert origin.note() == shop.note()
    assert (origin.facts, origin.absent["last_contact_at"]) == ({"id", "owner", "status", "assigned_at"}, ("last",))
    assert not origin.names("frozen_by_nobody")
