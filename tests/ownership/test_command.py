"""The work list of a file, from Python: what `crmcore day` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmcore.errors import InvalidFile
from crmcore.ownership import CapPolicy, ReclaimPolicy
from crmcore.ownership.command import read_work_list
from ownership.stories import at

MAP = """
schema = 1
[time]
zone = "Asia/Shanghai"
[columns]
id = "id"
owner = "owner"
status = "status"
assigned_at = "assigned"
"""
ROWS = "id,owner,status,assigned\na,Ann,open,2026-01-01\nb,Ann,open,2026-01-20\n"
NOW = at("2026-01-31", "Asia/Shanghai")


def written(folder: Path, rows: str = ROWS) -> tuple[Path, Path]:
    (folder / "deals.csv").write_text(rows, encoding="utf-8")
    (folder / "map.toml").write_text(MAP, encoding="utf-8")
    return folder / "deals.csv", folder / "map.toml"


def test_a_file_makes_a_work_list(tmp_path: Path) -> None:
    """Days are counted in the map's zone where the policy says none."""
    deals, columns = written(tmp_path)
    work = read_work_list(deals, columns, policy=ReclaimPolicy(no_deal="30d"), now=NOW)
    assert [item.id for item in work.reclaim] == ["a"]
    assert (work.counts["keep"], work.owners[0].cap) == (1, None)
    assert work.notes == ("the book says no zone: days are counted in the map's, Asia/Shanghai",)


def test_a_policys_own_zone_is_kept(tmp_path: Path) -> None:
    deals, columns = written(tmp_path)
    policy = ReclaimPolicy(no_deal="30d", zone="UTC")
    work = read_work_list(deals, columns, policy=policy, cap=CapPolicy(default=1), now=NOW, lang="zh")
    assert (work.notes, work.policy.digest, work.owners[0].over_by) == ((), policy.digest, 1)


def test_faults_are_raised_or_left_out_and_counted(tmp_path: Path) -> None:
    deals, columns = written(tmp_path, f"{ROWS}a,Bob,open,2026-01-01\n")
    policy = ReclaimPolicy(no_deal="30d", zone="UTC")
    with pytest.raises(InvalidFile, match="line 4, column id: 'a' is the id of line 2 too"):
        read_work_list(deals, columns, policy=policy, now=NOW)
    work = read_work_list(deals, columns, policy=policy, now=NOW, skip_bad=True, lang="zh")
    assert (work.counts["skipped"], work.notes) == (1, ("有 1 行因错误被跳过",))
