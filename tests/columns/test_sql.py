"""SQL text = objects: what PostgreSQL answers to it is what decide says; how it is written, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmcore.calendars import BusinessCalendar
from crmcore.errors import InvalidFrame, MissingExtra
from crmcore.ownership import ReclaimPolicy
from crmcore.testing import moments, reclaim_policies
from crmcore.testing.frames import columns_equal_objects, facts_frame, fitting, rows_on_borders

pytest.importorskip("ibis", reason="ibis-framework is not installed")
pytest.importorskip("narwhals")
pl: Any = pytest.importorskip("polars")

if TYPE_CHECKING:
    from server import Server

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OFFICE = BusinessCalendar(
    zone="Asia/Shanghai", week={day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
)
POLICY = ReclaimPolicy(idle="30d", remind_before=["7d", "1d"], zone="UTC")
WORKING = ReclaimPolicy(
    idle={"A": "10wd", "default": "40wh"}, no_deal="60wd", remind_before=["3wd"], min_hold="5wd", calendar=OFFICE
)
ANSWER = {"outcome": "String", "step": "Int64", "rule": "String", "next_change_at": "Instant"}
Run = Callable[[str, Any], list[dict[str, Any]]]
"""The rows that a text gives, where the frame is the table `crm.leads`."""


def text(policy: ReclaimPolicy, table: str = "crm.leads", **how: Any) -> str:
    return policy.sql(table, now=NOW, **how)


class Answered:
    """A policy whose frames a database answers, by the text alone."""

    def __init__(self, policy: ReclaimPolicy, run: Run) -> None:
        self.policy, self.run = policy, run

    def __getattr__(self, name: str) -> Any:
        return getattr(self.policy, name)

    def frame(self, frame: Any, *, now: datetime, prefix: str) -> Any:
        given = frame.with_row_index("id")
        said = self.policy.sql("crm.leads", now=now, prefix=prefix, flag="contact_unknown" in frame.columns)
        types = {"String": pl.String, "Int64": pl.Int64, "Instant": pl.Datetime("us", "UTC")}
        made = {"id": given.schema["id"], **{f"{prefix}{name}": types[kind] for name, kind in ANSWER.items()}}
        answers = pl.DataFrame([[row[name] for name in made] for row in self.run(said, given)], made, orient="row")
        return given.join(answers, on="id", how="full", coalesce=True).drop("id")


# --- without a server ---


def in_duckdb(said: str, frame: Any) -> list[dict[str, Any]]:
    """The same text, where it has no function of PostgreSQL's own."""
    duckdb, sqlglot = pytest.importorskip("duckdb"), pytest.importorskip("sqlglot")
    session = duckdb.connect()
    session.execute("SET TimeZone = 'America/St_Johns'")
    session.execute("CREATE SCHEMA crm")
    session.register("given", frame.to_arrow())
    session.execute("CREATE TABLE crm.leads AS FROM given")
    (twin,) = sqlglot.transpile(said, read="postgres", write="duckdb")
    rows: list[dict[str, Any]] = session.sql(twin).pl().to_dicts()
    return rows


@settings(max_examples=5)
@given(data=st.data())
def test_the_text_says_what_decide_says(data: st.DataObject) -> None:
    policy = data.draw(reclaim_policies(units=("min", "h")).filter(fitting), "policy")
    now = data.draw(moments(policy), "now")
    rows = data.draw(rows_on_borders(policy, now, size=60), "rows")
    columns_equal_objects(Answered(policy, in_duckdb), facts_frame(policy, rows), now)


def test_an_answer_that_is_not_decides_is_caught() -> None:
    """The adapter is on trial, too: a text for another instant breaks the law."""
    frame = facts_frame(POLICY, [{"status": "open", "owner": "u1", "assigned_at": NOW - 25 * DAY}])
    columns_equal_objects(Answered(POLICY, in_duckdb), frame, NOW)
    other = Answered(POLICY, lambda said, given: in_duckdb(said.replace("2026-03-31", "2026-03-01"), given))
    with pytest.raises(AssertionError, match="the columns differ from decide"):
        columns_equal_objects(other, frame, NOW)


@pytest.mark.parametrize("policy", [POLICY, WORKING], ids=["plain", "working"])
def test_the_text_is_one_statement_and_the_same_each_time(policy: ReclaimPolicy) -> None:
    sqlglot = pytest.importorskip("sqlglot")
    (statement,) = sqlglot.parse(text(policy), read="postgres")
    assert statement.named_selects == ["id", *ANSWER]
    assert text(policy) == text(policy)


def test_the_text_has_no_sign_that_a_driver_would_fill_in() -> None:
    """Of `%s` Django makes a parameter, of ` :name` SQLAlchemy does."""
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    assert "%" not in text(WORKING)
    assert not sqlalchemy.text(text(WORKING)).compile().params


def test_every_step_is_fenced() -> None:
    """Else the planner makes one expression of them all."""
    said = text(WORKING)
    assert said.count("(SELECT ") == said.count(" OFFSET 0)") > 0


def test_many_pieces_are_looked_up() -> None:
    assert text(WORKING).count("WIDTH_BUCKET(") > 0
    assert "WIDTH_BUCKET(" not in text(POLICY)


def test_names_are_quoted() -> None:
    policy = POLICY.reading(owner='the "owner"')
    said = text(policy, 'the crm.its "leads"', keys=["Key", "order"], prefix="our ")
    assert 'FROM "the crm"."its ""leads"""' in said
    assert '"the ""owner""" IS NULL' in said
    assert said.startswith('SELECT "t')
    assert all(f'"{name}"' in said for name in ("Key", "order", "our outcome"))


def test_the_flag_is_read_where_the_table_has_it() -> None:
    assert '"contact_unknown"' in text(POLICY, flag=True)
    assert '"contact_unknown"' not in text(POLICY)


def test_a_policy_without_the_flag_does_not_read_it() -> None:
    """Only a policy that judges contacts has it."""
    policy = ReclaimPolicy(no_deal="90d")
    assert text(policy, flag=True).count("contact_unknown") == ("contact_unknown" in policy.reads)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"dialect": "sqlite"}, "dialect: 'sqlite' is not one that keeps the answers (postgres)"),
        ({"table": "a.b.c"}, "table: 'a.b.c' is not a name, or schema.name"),
        ({"table": ".leads"}, "table: '.leads' is not a name, or schema.name"),
        ({"table": ""}, "table: '' is not a name"),
        ({"keys": "Outcome"}, "columns: Outcome is not free for the answer"),
    ],
    ids=["dialect", "three names", "no schema", "no name", "taken"],
)
def test_what_is_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidFrame) as caught:
        text(POLICY, **how)
    assert message in str(caught.value)


def test_without_ibis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ibis", None)
    with pytest.raises(MissingExtra, match=r"policy\.sql needs ibis-framework"):
        text(POLICY)


# --- PostgreSQL ---


@pytest.fixture(scope="module")
def asked(postgres: Server) -> Run:
    """What the server answers, in a zone that is none of the policies'."""
    types = {"String": "text", "Boolean": "boolean", "UInt32": "bigint"}

    def answered(said: str, frame: Any) -> list[dict[str, Any]]:
        columns = ", ".join(f'"{name}" {types.get(f"{kind}", "timestamptz")}' for name, kind in frame.schema.items())
        rows = json.dumps(frame.to_dicts(), default=datetime.isoformat).replace("'", "''")
        script = (
            "SET TimeZone = 'America/St_Johns';",
            "DROP SCHEMA IF EXISTS crm CASCADE; CREATE SCHEMA crm;",
            f"CREATE TABLE crm.leads AS SELECT * FROM json_to_recordset('{rows}') AS given ({columns});",  # noqa: S608 - our own rows
            f"SELECT coalesce(json_agg(answer), '[]') FROM ({said}) AS answer;",  # noqa: S608 - the text on trial
        )
        answers: list[dict[str, Any]] = json.loads(postgres.psql("\n".join(script)))
        return [
            {name: instant(value) if name.endswith("_at") else value for name, value in answer.items()}
            for answer in answers
        ]

    return answered


def instant(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value).astimezone(UTC) if value else None


@pytest.mark.slow
@pytest.mark.parametrize("units", [("min", "h"), ("d", "w", "mo"), ("wd", "d"), ("wh", "wmin", "h")], ids="/".join)
@settings(max_examples=25)
@given(data=st.data())
def test_postgres_says_what_decide_says(asked: Run, units: tuple[str, ...], data: st.DataObject) -> None:
    policy = data.draw(reclaim_policies(units=units).filter(fitting), "policy")
    now = data.draw(moments(policy), "now")
    rows = data.draw(rows_on_borders(policy, now, size=100), "rows")
    columns_equal_objects(Answered(policy, asked), facts_frame(policy, rows), now)


@pytest.mark.slow
def test_postgres_where_much_is_looked_up(asked: Run) -> None:
    starts = [NOW - DAY * n / 7 - timedelta(microseconds=n % 3) for n in range(800)]
    rows = [{"status": "open", "owner": "u1", "grade": "AB"[n % 2], "assigned_at": at} for n, at in enumerate(starts)]
    columns_equal_objects(Answered(WORKING, asked), facts_frame(WORKING, rows), NOW)
