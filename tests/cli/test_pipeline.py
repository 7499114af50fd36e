"""A real export: every number that `crmcore day` prints of it agrees with an independent count in SQL."""

from __future__ import annotations

import csv
import io
import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.desk import Desk

AS_OF = "2017-12-31"
CAP = 60
MAP = """
schema = 1
[time]
zone = "America/Chicago"
[columns]
id = "opportunity_id"
owner = "sales_agent"
customer = "account"
status = "deal_stage"
assigned_at = "engage_date"
value = "close_value"
closed_at = "close_date"
[codes.status]
Prospecting = "open"
Engaging = "open"
Won = "won"
Lost = "lost"
"""
BOOK = """
schema = 1
name = "pipeline"
zone = "America/Chicago"
[ownership.reclaim]
no_deal = "{days}d"
remind_before = ["7d", "1d"]
[ownership.cap]
default = {cap}
"""
HEADS = {
    "opportunity_id": "商机编号",
    "sales_agent": "销售",
    "product": "产品",
    "account": "客户",
    "deal_stage": "阶段",
    "engage_date": "跟进日期",
    "close_date": "成交日期",
    "close_value": "金额",
}
STAGES = {"Prospecting": "潜在", "Engaging": "跟进中", "Won": "赢单", "Lost": "输单"}
CHINESE_MAP = """
schema = 1
[file]
encoding = "gb18030"
[time]
zone = "America/Chicago"
formats = ["%Y/%m/%d"]
[columns]
id = "商机编号"
owner = "销售"
customer = "客户"
status = "阶段"
assigned_at = "跟进日期"
value = "金额"
closed_at = "成交日期"
[codes.status]
"潜在" = "open"
"跟进中" = "open"
"赢单" = "won"
"输单" = "lost"
"""


@pytest.fixture(scope="session")
def pipeline(shared_data: Path) -> str:
    return (shared_data / "crm_pipeline" / "sales_pipeline.csv").read_text(encoding="utf-8-sig")


def table(text: str) -> sqlite3.Connection:
    """The export as it stands, every cell text."""
    reader = csv.reader(io.StringIO(text))
    names = next(reader)
    base = sqlite3.connect(":memory:")
    base.execute(f"CREATE TABLE deal ({', '.join(names)})")
    base.executemany("INSERT INTO deal VALUES (?, ?, ?, ?, ?, ?, ?, ?)", reader)
    return base


QUERY = """
WITH judged AS (
  SELECT opportunity_id AS id, sales_agent AS owner, account AS customer, engage_date,
    CASE
      WHEN deal_stage IN ('Won', 'Lost') THEN 'closed'
      WHEN sales_agent = '' THEN 'pool'
      WHEN engage_date = '' THEN 'needs_data'
      WHEN date(engage_date, '+' || :days || ' days') <= :now THEN 'reclaim'
      WHEN date(engage_date, '+' || (:days - 7) || ' days') <= :now THEN 'remind'
      ELSE 'keep'
    END AS outcome,
    (date(engage_date, '+' || (:days - 1) || ' days') <= :now) + 1 AS step,
    date(engage_date, '+' || :days || ' days') AS deadline
  FROM deal)
"""


def counted(base: sqlite3.Connection, days: int, cap: int, now: str = AS_OF) -> dict[str, Any]:
    """What the day should say, by SQL alone."""

    def ask(query: str) -> list[Any]:
        return base.execute(QUERY + query, {"days": days, "now": now, "cap": cap}).fetchall()

    held: dict[str, int] = dict(ask("SELECT outcome, count(*) FROM judged GROUP BY outcome"))
    open_ones = sum(held.get(name, 0) for name in ("keep", "remind", "reclaim", "needs_data"))
    owners = """
      SELECT owner, count(*), :cap, max(count(*) - :cap, 0), count(*) - sum(outcome = 'reclaim')
      FROM judged WHERE outcome NOT IN ('closed', 'pool') GROUP BY owner ORDER BY owner"""
    return {
        "counts": {
            "prospects": sum(held.values()),
            "closed": held.get("closed", 0),
            "pool": held.get("pool", 0),
            "open": open_ones,
            **{name: held.get(name, 0) for name in ("keep", "remind", "reclaim", "needs_data")},
            "skipped": 0,
        },
        "reclaim": ask(
            "SELECT id, owner, nullif(customer, ''), deadline FROM judged WHERE outcome = 'reclaim'"
            " ORDER BY deadline, id"
        ),
        "remind": ask("SELECT id, step, deadline FROM judged WHERE outcome = 'remind' ORDER BY deadline, id"),
        "needs_data": [id for (id,) in ask("SELECT id FROM judged WHERE outcome = 'needs_data' ORDER BY id")],
        "owners": ask(owners),
    }


def said(document: dict[str, Any]) -> dict[str, Any]:
    """What the day says, in the same form."""
    return {
        "counts": document["counts"],
        "reclaim": [(row["id"], row["owner"], row["customer"], row["deadline"][:10]) for row in document["reclaim"]],
        "remind": [(row["id"], row["step"], row["deadline"][:10]) for row in document["remind"]],
        "needs_data": sorted(id for group in document["needs_data"] for id in group["ids"]),
        "owners": [tuple(load.values()) for load in document["owners"]],
    }


def day(desk: Desk, deals: str | bytes, days: int, cap: int = CAP, *, columns: str = MAP, now: str = AS_OF) -> Any:
    desk.deals = desk.write("deals.csv", deals)
    desk.map = desk.write("map.toml", columns)
    desk.book = desk.write("book.toml", BOOK.format(days=days, cap=cap))
    return desk.document(as_of=now)


@pytest.mark.rule("OWN-2", "OWN-4", "OWN-9")
@pytest.mark.parametrize("now", [AS_OF, "2017-09-01"])
@pytest.mark.parametrize("days", [30, 60, 90, 120, 150, 160])
def test_the_day_agrees_with_sql(desk: Desk, pipeline: str, days: int, now: str) -> None:
    """Counts, ids, owners, caps; every reclaimed deal carries its rule and deadline."""
    document = day(desk, pipeline, days, now=now)
    assert said(document) == counted(table(pipeline), days, CAP, now)
    assert {row["rule"] for row in document["reclaim"]} <= {"OWN-2"}
    assert all(row["deadline"] and row["reasons"][0]["due"] == row["deadline"] for row in document["reclaim"])
    assert document["counts"]["prospects"] == 3512
    assert {tuple(group["missing"]) for group in document["needs_data"]} == {("assigned_at",)}


def test_a_longer_limit_never_reclaims_more(desk: Desk, pipeline: str) -> None:
    ids = [{row["id"] for row in day(desk, pipeline, days)["reclaim"]} for days in (30, 150, 157, 164)]
    assert ids[0] > ids[1] > ids[2] > ids[3] > set()


@pytest.mark.parametrize("cap", [0, 50, 90, 1000])
def test_the_cap_agrees_with_sql(desk: Desk, pipeline: str, cap: int) -> None:
    document = day(desk, pipeline, 90, cap)
    assert said(document)["owners"] == counted(table(pipeline), 90, cap)["owners"]


def in_chinese(text: str) -> bytes:
    """The same export as another system writes it: its own headers, codes and dates, in GB18030."""
    out = io.StringIO()
    rows = csv.DictReader(io.StringIO(text))
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADS.values())
    for row in rows:
        row["deal_stage"] = STAGES[row["deal_stage"]]
        for name in ("engage_date", "close_date"):
            row[name] = "/".join(part.lstrip("0") for part in row[name].split("-"))
        writer.writerow([row[name] for name in HEADS])
    return out.getvalue().encode("gb18030")


@pytest.mark.parametrize("days", [30, 155])
def test_an_export_nobody_prepared_gives_the_same_answers(desk: Desk, pipeline: str, days: int) -> None:
    """Chinese headers, GB18030, 2017/3/5: only a map is written."""
    chinese = in_chinese(pipeline)
    assert b"2017/3/5," in chinese
    assert day(desk, chinese, days, columns=CHINESE_MAP) == day(desk, pipeline, days)


def test_its_lists_are_whole(desk: Desk, pipeline: str) -> None:
    """One list per owner; every reclaimed, reminded and unclear deal stands on the list of its owner, once."""
    document = day(desk, pipeline, 60)
    folder = desk.folder / "lists"
    assert desk.on_files("day", "--csv", str(folder), as_of=AS_OF).exit_code == 0
    found = {}
    for path in folder.iterdir():
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        found |= {row["id"]: path.stem for row in rows}
        assert len({row["id"] for row in rows}) == len(rows)
    listed = {row["id"]: row["owner"] for row in (*document["reclaim"], *document["remind"])}
    assert {id: owner for id, owner in found.items() if id in listed} == listed
    assert set(found) == {*listed, *said(document)["needs_data"]}


def exports() -> Iterator[tuple[int, str]]:
    """Random exports, ragged ones too: no owner, no date, any stage."""
    for seed in range(20):
        chance = random.Random(seed)
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(HEADS)
        for number in range(chance.randrange(80)):
            date = f"2017-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
            owner = chance.choice(["Ann", "Bob", "陈", 'Q "x", y', ""])
            stage = chance.choice(list(STAGES))
            writer.writerow(
                [f"o{number}", owner, "p", chance.choice(["Acme", ""]), stage, chance.choice([date, ""]), "", ""]
            )
        yield seed, out.getvalue()


@pytest.mark.parametrize(("seed", "text"), list(exports()), ids=lambda each: str(each)[:2])
def test_random_exports_agree_with_sql_and_add_up(desk: Desk, seed: int, text: str) -> None:
    """That is: prospects = closed + pool + open; open = the four; the owners' open ones are all open ones."""
    chance = random.Random(seed)
    days, cap, now = chance.randrange(10, 200), chance.randrange(0, 12), f"2017-{chance.randrange(1, 13):02}-15"
    base = table(text)
    base.execute("DELETE FROM deal WHERE engage_date > ?", (now,))
    kept = base.execute("SELECT * FROM deal").fetchall()
    out = io.StringIO()
    csv.writer(out).writerows([HEADS, *kept])
    document = day(desk, out.getvalue(), days, cap, now=now)
    counts = document["counts"]
    assert said(document) == counted(base, days, cap, now)
    assert counts["prospects"] == counts["closed"] + counts["pool"] + counts["open"] == len(kept)
    assert counts["open"] == counts["keep"] + counts["remind"] + counts["reclaim"] + counts["needs_data"]
    assert counts["open"] == sum(load["open"] for load in document["owners"])
    assert counts["reclaim"] == sum(load["open"] - load["after_reclaim"] for load in document["owners"])
    assert json.dumps(document)
