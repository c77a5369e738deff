"""Hooks of MkDocs (`mkdocs.yml`): the pages that are generated, and links between all pages.

Documents at the top of the repository and references made from the code become pages, so that nothing stands
in two places. Links are those of the repository, where people also read the documents; here they are
converted.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.site.references import command_line, metrics, openapi

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = "docs"

OTHER_SOURCES: Final = {
    "README.md": "index.md",
    "README.zh-CN.md": "zh/index.md",
    "ARCHITECTURE.md": "architecture.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "client/README.md": "client.md",
    "examples/README.md": "examples.md",
    **{
        f"container/{one.parent.name}/README.md": f"image-of-{one.parent.name}.md"
        for one in sorted((ROOT / "container").glob("*/README.md"))
    },
    "config.yaml": "reference/config.md",
    "local/config.yaml": "reference/local-config.md",
}
"""Documents and settings outside `docs/`, and the page that each becomes."""

REFERENCES: Final = {
    "reference/metrics.md": metrics,
    "reference/command-line.md": command_line,
    "reference/openapi.json": openapi,
}
"""Pages and files that are made from the code."""

_LINK: Final = re.compile(r"(!?)\[([^\[\]\n]*)\]\(([^()\s]+)\)")
_EXTERNAL: Final = ("http://", "https://", "mailto:", "#")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for source, page in OTHER_SOURCES.items():
        if (ROOT / source).is_file():
            files.append(File.generated(config, page, content=_page_content(source)))
    for path, content in REFERENCES.items():
        files.append(File.generated(config, path, content=content()))
    return files


def _page_content(source: str) -> str:
    text = (ROOT / source).read_text(encoding="utf-8")
    return text if source.endswith(".md") else f"# `{source}`\n\n```yaml\n{text}```\n"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Convert the links of a page."""
    sources = {site: source for source, site in OTHER_SOURCES.items()}
    uri = page.file.src_uri
    return convert_links(markdown, source=sources.get(uri, f"{DOCUMENTS}/{uri}"), page=uri)


def convert_links(markdown: str, *, source: str, page: str) -> str:
    """Return the text with links to pages of the site instead of files of the repository.

    A link to a file that is no page, such as code, becomes plain text. One that leads nowhere stays as it is,
    so that MkDocs reports it.
    """

    def convert(link: re.Match[str]) -> str:
        image, text, target = link.groups()
        path, hash_, fragment = target.partition("#")
        if target.startswith(_EXTERNAL) or not path:
            return link[0]
        in_repository = normpath(str(PurePosixPath(source).parent / path))
        in_site = OTHER_SOURCES.get(in_repository)
        if in_site is None and in_repository.startswith(f"{DOCUMENTS}/"):
            in_site = in_repository.removeprefix(f"{DOCUMENTS}/")
        if in_site is not None:
            return f"{image}[{text}]({relpath(in_site, str(PurePosixPath(page).parent))}{hash_}{fragment})"
        return text if (ROOT / in_repository).exists() else link[0]

    # Fenced blocks are code, in which brackets and parentheses mean something else.
    parts = re.split(r"(?m)^(```.*?^```)", markdown, flags=re.DOTALL)
    return "".join(part if part.startswith("```") else _LINK.sub(convert, part) for part in parts)
