"""Links of the repository's documents lead to the pages of the site."""

import pytest

from tools.site.hooks import convert_links


@pytest.mark.parametrize(
    ("source", "page", "link", "converted"),
    [
        ("README.md", "index.md", "[a](docs/api.md#webhooks)", "[a](api.md#webhooks)"),
        ("docs/tasks.md", "tasks.md", "[a](../SECURITY.md)", "[a](security.md)"),
        ("docs/tasks.md", "tasks.md", "[a](models.md)", "[a](models.md)"),
        ("docs/reference/api.md", "reference/api.md", "[a](../api.md)", "[a](../api.md)"),
        ("README.md", "index.md", "![a](docs/images/console.png)", "![a](images/console.png)"),
        ("README.md", "index.md", "[`config.yaml`](config.yaml)", "[`config.yaml`](reference/config.md)"),
        ("SECURITY.md", "security.md", "[a](infra/acknowledged.py)", "a"),
        ("README.md", "index.md", "[a](https://example.com)", "[a](https://example.com)"),
        ("README.md", "index.md", "[a](#deploy)", "[a](#deploy)"),
        ("README.md", "index.md", "[a](no/such/file.md)", "[a](no/such/file.md)"),
        ("README.md", "index.md", "```\n[a](LICENSE)\n```", "```\n[a](LICENSE)\n```"),
    ],
)
def test_a_link_is_converted(source: str, page: str, link: str, converted: str) -> None:
    assert convert_links(link, source=source, page=page) == converted
