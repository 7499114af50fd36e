"""Files of sales and products, and the commands run on them."""

from __future__ import annotations

import json
from typing import Any

from cli.desk import Desk

LINES = """\
customer,date,amount,order,region
ann,2026-01-05,600.00,o1,north
ann,2026-01-05,100.50,o1,north
bob,2026-01-20,250.00,o2,south
cid,2026-02-03,100.00,o3,south
dan,2026-02-04,49.50,o4,north
eve,2026-02-05,30.00,o5,north
eve,2026-02-06,-30.00,o6,north
fay,2026-02-07,-20.00,o7,south
ann,2026-04-10,80.00,o8,north
gus,2026-05-02,400.00,o9,south
"""
PRODUCTS = """\
product,sales,cost,opening,closing,period,plan
food,20000,15500,1500,2500,2026-01,18000
produce,10000,7500,150,150,2026-01,12000
liquor,10000,8000,1000,1000,2026-01,10000
gifts,0,0,300,300,2026-01,500
food,21000,16000,2500,2500,2026-02,18000
produce,9000,,150,150,2026-02,12000
"""


def document(desk: Desk, command: str, content: str | bytes, *args: str, suffix: str = ".csv") -> dict[str, Any]:
    """What a command prints with ``--json`` for a file of this content."""
    result = desk.run(command, desk.write(f"lines{suffix}", content), "--json", *args)
    assert (result.exit_code, result.stderr) == (0, "")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def page(desk: Desk, command: str, content: str | bytes, *args: str) -> str:
    """What a command prints for people."""
    result = desk.run(command, desk.write("lines.csv", content), *args)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout
