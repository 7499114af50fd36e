"""Books with their dates: which is in force, and until when its answers can be relied on."""

from __future__ import annotations

from datetime import datetime

import pytest

from crmcore.book import PolicyBook, Timeline
from crmcore.decisions import UNKNOWN
from crmcore.errors import InvalidPolicy, NaiveDatetime
from ownership.stories import TICK, at, prospect

SHANGHAI = "Asia/Shanghai"


def book(name: str, effective: str = "", idle: str = "30d", zone: str = SHANGHAI) -> PolicyBook:
    dated = f"effective = {effective}" if effective else ""
    text = f'schema = 1\nname = "{name}"\n{dated}\nzone = "{zone}"\n[ownership.reclaim]\nidle = "{idle}"'
    return PolicyBook.loads(text)


FIRST, SECOND, THIRD = book("first"), book("second", "2026-02-01", "20d"), book("third", "2026-06-01", "10d")
LINE = Timeline([THIRD, FIRST, SECOND])
CHANGE = at("2026-02-01", SHANGHAI)


def test_the_latest_book_that_has_begun_is_in_force() -> None:
    """It begins with the first instant of its date, in its zone."""
    moments = [at("1990-01-01"), CHANGE - TICK, CHANGE, at("2026-05-31", SHANGHAI), at("2026-06-01", SHANGHAI)]
    assert [LINE.at(moment).name for moment in moments] == ["first", "first", "second", "second", "third"]


def test_a_book_without_a_zone_begins_in_utc() -> None:
    line = Timeline([FIRST, PolicyBook.loads("schema = 1\neffective = 2026-02-01")])
    assert (line.at(at("2026-02-01") - TICK).name, line.at(at("2026-02-01")).name) == ("first", "book")


def test_no_answer_is_promised_beyond_the_next_book() -> None:
    """Today's deadline may not be that of the next book."""
    facts, now = prospect(assigned_at=at("2026-01-20")), at("2026-01-25")
    policy = LINE.at(now).ownership.reclaim
    assert FIRST.ownership.reclaim.decide(facts, now=now).next_change_at == at("2026-02-19")
    assert policy.decide(facts, now=now).next_change_at == CHANGE
    assert policy.decide(prospect(assigned_at=at("2026-01-01")), now=now).next_change_at == at("2026-01-31")
    assert policy.decide(prospect(assigned_at=at("2025-01-01")), now=now).next_change_at == CHANGE


def test_what_is_not_judged_stays_so_under_any_book() -> None:
    policy = LINE.at(at("2026-01-25")).ownership.reclaim
    for facts in (prospect(status="won"), prospect(owner=None)):
        assert policy.decide(facts, now=at("2026-01-25")).next_change_at is None


def test_what_is_not_known_may_be_judged_otherwise_by_the_next_book() -> None:
    policy = LINE.at(at("2026-01-31 12:00")).ownership.reclaim
    decision = policy.decide(prospect(owner=UNKNOWN), now=at("2026-01-31 12:00"))
    assert (decision.outcome, decision.next_change_at) == ("needs_data", CHANGE)


def test_the_last_book_promises_what_it_says() -> None:
    assert LINE.at(at("2026-07-01")) is THIRD


def test_the_date_changes_no_digest_and_no_answer() -> None:
    bound = LINE.at(at("2026-01-25"))
    assert (bound.digest, bound.ownership.reclaim.digest) == (FIRST.digest, FIRST.ownership.reclaim.digest)
    assert bound.ownership.reclaim.deadline(prospect()) == FIRST.ownership.reclaim.deadline(prospect())


def test_before_the_first_book_there_is_none() -> None:
    with pytest.raises(InvalidPolicy, match=r"is not an instant from 2026-02-01 on$"):
        Timeline([SECOND, THIRD]).at(at("2026-01-01"))


def test_a_timeline_needs_a_book_and_no_two_of_a_date() -> None:
    with pytest.raises(InvalidPolicy, match=r"^books: \(\) is not at least one book$"):
        Timeline([])
    with pytest.raises(InvalidPolicy, match=r"^books: 'b' is not of another date than 'a'; both start on it$"):
        Timeline([book("a", "2026-02-01"), book("b", "2026-02-01")])


def test_now_is_aware() -> None:
    with pytest.raises(NaiveDatetime, match=r"^now is"):
        LINE.at(datetime(2026, 1, 1))
