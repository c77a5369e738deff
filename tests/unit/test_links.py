"""Links between the repository's documents lead to files that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
NOT_OURS = {".venv", "node_modules", "cdk.out", "out"}


def test_every_link_to_a_file_leads_to_one() -> None:
    documents = [path for path in ROOT.rglob("*.md") if not NOT_OURS & set(path.relative_to(ROOT).parts)]
    assert len(documents) > 10
    assert [
        f"{document.relative_to(ROOT)}: {link}"
        for document in documents
        for link in LINK.findall(document.read_text(encoding="utf-8"))
        if not (document.parent / link).exists()
    ] == []
