"""The generated modules of `client/` are those of this OpenAPI document and of its asynchronous half."""

from tools.client_code import ROOT, generated


def test_the_clients_generated_modules_are_up_to_date() -> None:
    differing = [
        str(path.relative_to(ROOT))
        for path, source in generated().items()
        if path.read_text(encoding="utf-8") != source
    ]
    assert differing == [], "run `python -m tools.client_code`"
