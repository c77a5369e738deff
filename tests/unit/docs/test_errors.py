"""`docs/errors.md` lists every code with which a request can be answered or a task can end."""

import re
from pathlib import Path

from domain.errors import ErrorCode
from infra.core.gateway_responses import _RESPONSES

ROOT = Path(__file__).parents[3]


def test_every_error_code_is_in_exactly_one_row() -> None:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \| (?:[45](?:\d\d|xx)|task) \| .{20,} \| .+ \|$", text, re.MULTILINE)
    of_api_gateway = {code for _, code, _, _ in _RESPONSES}
    assert sorted(listed) == sorted({*ErrorCode, *of_api_gateway})
    others = [path for path in (ROOT / "docs").glob("*.md") if path.name != "errors.md"]
    rows = re.compile(rf"^\| `({'|'.join(ErrorCode)})` \|", re.MULTILINE)
    assert [path.name for path in others if rows.search(path.read_text(encoding="utf-8"))] == []
