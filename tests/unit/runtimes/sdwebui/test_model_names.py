"""The names of models: exact matches only, with the nearest name in errors."""

import pytest

from container.consumer.engines.sdwebui.models.errors import model_not_found
from domain.errors import ErrorCode
from runtimes.sdwebui.model_names import (
    AmbiguousName,
    Kind,
    find_match,
    nearest_name,
    possible_readings,
    split_hash,
)

FILES = [
    "v1-5-pruned-emaonly.safetensors",
    "sub/nested-random.safetensors",
    "Ünïcode 模型 [fp16] (v2).safetensors",
    "both.ckpt",
    "both.safetensors",
]


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        # The rows of 41-checkpoint-name-matching-post-options.
        ("v1-5-pruned-emaonly.safetensors", FILES[0]),
        ("v1-5-pruned-emaonly", FILES[0]),
        ("sub/nested-random.safetensors", FILES[1]),
        ("sub_nested-random", FILES[1]),
        ("nested-random", FILES[1]),
        ("nested-random.safetensors", None),
        ("sub\\nested-random.safetensors", None),
        ("V1-5-PRUNED-EMAONLY.safetensors", None),
        ("v1-5", None),
        ("/models/Stable-diffusion/v1-5-pruned-emaonly.safetensors", None),
        # Names may contain spaces, brackets and letters of any alphabet.
        ("Ünïcode 模型 [fp16] (v2).safetensors", FILES[2]),
        ("Ünïcode 模型 [fp16] (v2)", FILES[2]),
        # A model that exists in two formats is found under its name without the suffix.
        ("both", "both.safetensors"),
        ("both.ckpt", "both.ckpt"),
    ],
)
def test_accepts_the_names_of_a_checkpoint_that_a_real_web_ui_accepted(
    requested: str, expected: str | None
) -> None:
    assert find_match(Kind.CHECKPOINT, requested, FILES) == expected


@pytest.mark.parametrize(
    ("kind", "requested", "expected"),
    [
        (Kind.LORA, "style v2", "anime/style v2.safetensors"),
        (Kind.LORA, "style v2.safetensors", None),
        (Kind.VAE, "style v2.safetensors", "anime/style v2.safetensors"),
        (Kind.VAE, "style v2", None),
        (Kind.UPSCALER, "style v2", "anime/style v2.safetensors"),
        # The folder may stand before the name.
        (Kind.LORA, "anime/style v2", "anime/style v2.safetensors"),
        (Kind.CONTROLNET, "anime/style v2", "anime/style v2.safetensors"),
        (Kind.VAE, "anime/style v2.safetensors", "anime/style v2.safetensors"),
        (Kind.LORA, "photo/style v2", None),
    ],
)
def test_loras_are_named_by_stem_and_vaes_by_file_name(
    kind: Kind, requested: str, expected: str | None
) -> None:
    assert find_match(kind, requested, ["anime/style v2.safetensors"]) == expected


def test_a_name_of_several_files_is_ambiguous() -> None:
    """Which of the files Web UI would use depends on the order in which it reads folders."""
    with pytest.raises(AmbiguousName) as several:
        find_match(Kind.CHECKPOINT, "x", ["a/x.safetensors", "b/x.safetensors"])
    assert several.value.names == ["a/x.safetensors", "b/x.safetensors"]
    assert find_match(Kind.CHECKPOINT, "x", ["x.safetensors", "b/x.safetensors"]) == "x.safetensors"


@pytest.mark.parametrize("kind", [Kind.LORA, Kind.HYPERNETWORK, Kind.CONTROLNET, Kind.EMBEDDING, Kind.VAE])
@pytest.mark.parametrize("requested", ["x", "b/x"])
@pytest.mark.parametrize("names", [["a/x.pt", "b/x.pt"], ["x.pt", "b/x.pt"]])
def test_two_files_that_web_ui_lists_under_one_name_are_refused(
    kind: Kind, requested: str, names: list[str]
) -> None:
    if kind is Kind.VAE:
        requested += ".pt"
    with pytest.raises(AmbiguousName) as several:
        find_match(kind, requested, names)
    assert several.value.names == sorted(names)


@pytest.mark.parametrize(
    ("kind", "name", "read_as"),
    [
        (Kind.CHECKPOINT, "m [9d70df1b86]", [("m [9d70df1b86]", ""), ("m", "9d70df1b86")]),
        (Kind.CHECKPOINT, "a\\m", [("a\\m", ""), ("a/m", "")]),
        (Kind.LORA, "a\\b\\m", [("a\\b\\m", ""), ("a/b/m", "")]),
        (Kind.MODULE, "C:\\models\\ae.safetensors", [("ae.safetensors", "")]),
        (Kind.MODULE, "/models/VAE/ae.safetensors", [("ae.safetensors", "")]),
    ],
)
def test_reads_names_with_a_hash_and_with_backslashes(
    kind: Kind, name: str, read_as: list[tuple[str, str]]
) -> None:
    assert possible_readings(kind, name) == read_as


def test_a_name_with_backslashes_and_a_hash_finds_the_file() -> None:
    readings = possible_readings(Kind.CHECKPOINT, "sub\\nested-random.safetensors [f61328e842]")
    matches = {digits: find_match(Kind.CHECKPOINT, name, FILES) for name, digits in readings}
    assert matches["f61328e842"] == "sub/nested-random.safetensors"


@pytest.mark.parametrize(
    ("name", "known_names", "near"),
    [
        ("juggernaut.safetensors", ["broken.safetensors", "random.safetensors"], None),
        ("nope", ["None", "Automatic", "R-ESRGAN 4x+"], None),
        ("nope", ["some-style.safetensors", "broken.safetensors"], None),
        ("sd15_cany [d14c016b]", ["sd15_depth [d14c016b]", "sd15_canny [3cfa3311]"], "sd15_canny [3cfa3311]"),
        ("juggernaut", ["broken.safetensors", "juggernautXL_v9Rundiffusionphoto2.safetensors"],
         "juggernautXL_v9Rundiffusionphoto2.safetensors"),
        ("sub\\nested-randon.safetensors", FILES, "sub/nested-random.safetensors"),
        ("random", ["RANDOM.ckpt"], "RANDOM.ckpt"),
    ],
)  # fmt: skip
def test_a_name_is_only_suggested_if_it_is_similar(
    name: str, known_names: list[str], near: str | None
) -> None:
    assert nearest_name(name, known_names) == near


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("m.safetensors [9d70df1b86]", ("m.safetensors", "9d70df1b86")),
        ("m.safetensors [a069599b]", ("m.safetensors", "a069599b")),
        ("m [fp16].safetensors", None),
        ("m [NOTAHASH00]", None),
    ],
)
def test_brackets_without_a_hash_are_part_of_a_name(name: str, split: tuple[str, str] | None) -> None:
    assert split_hash(Kind.CHECKPOINT, name) == split


def test_suggests_the_nearest_name() -> None:
    assert nearest_name("v1-5-pruned-emaonli.safetensors", FILES) == FILES[0]
    assert nearest_name("BOTH.SAFETENSORS", FILES) == "both.safetensors"
    assert nearest_name("quite another thing", FILES) is None
    fault = model_not_found(Kind.CHECKPOINT, "v1-5-pruned-emaonli.safetensors", FILES, path="/x")
    assert fault.code is ErrorCode.MODEL_NOT_FOUND
    assert FILES[0] in fault.message
    assert len(model_not_found(Kind.LORA, "x" * 10_000, FILES, path="/x").message) < 500
