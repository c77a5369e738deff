"""The headers with which the console's page is served."""

from pathlib import Path

import pytest

from functions.console import handler as console

PAGE = "<script type=module>let a = 1</script><style>p { color: red }</style>"


@pytest.fixture(autouse=True)
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "index.html"
    file.write_text(PAGE)
    monkeypatch.setattr(console, "_PAGE", file)
    monkeypatch.setenv("BUCKET_ORIGINS", "https://images.example")
    console._response.cache_clear()


def test_the_page_may_run_only_what_is_in_it_and_reach_only_the_api_and_the_buckets() -> None:
    response = console.handler({"headers": None}, None)
    assert (response["statusCode"], response["body"]) == (200, PAGE)
    policy = dict(part.split(" ", 1) for part in response["headers"]["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    # echo -n 'let a = 1' | openssl sha256 -binary | base64
    assert policy["script-src"] == "'sha256-LAfYd7pbFUgwfQu8b4q135PeTG2z+/coPEUYCd74eCQ='"
    assert policy["connect-src"] == "'self' https://images.example"
    assert policy["frame-ancestors"] == "'none'"


def test_a_page_that_the_browser_has_is_not_sent_again() -> None:
    tag = console.handler({"headers": {}}, None)["headers"]["ETag"]
    again = console.handler({"headers": {"If-None-Match": tag}}, None)
    assert (again["statusCode"], again["body"]) == (304, "")
