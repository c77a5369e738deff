"""Any name of a model either matches a file or is refused."""

from hypothesis import given
from hypothesis import strategies as st

from container.consumer.engines.sdwebui.models.errors import model_not_found
from container.consumer.engines.sdwebui.models.required import required_models
from runtimes.sdwebui.model_names import AmbiguousName, Kind, aliases, find_match, nearest_name

FILES = st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=20), max_size=6)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMING = (
    "prompt", "negative_prompt", "override_settings", "refiner_checkpoint", "hr_upscaler", "upscaler_1",
    "alwayson_scripts", "hr_additional_modules",
)  # fmt: skip


@given(kind=st.sampled_from(Kind), requested=st.text(max_size=30), names=FILES)
def test_a_match_is_a_file_with_that_name_or_a_recorded_alias(
    kind: Kind, requested: str, names: list[str]
) -> None:
    try:
        match = find_match(kind, requested, names)
    except AmbiguousName as error:
        several = error.names
    else:
        several = [] if match is None else [match]
    assert all(name in names and (requested == name or requested in aliases(kind, name)) for name in several)


@given(kind=st.sampled_from(Kind), name=st.text(max_size=400), known_names=FILES)
def test_the_error_for_an_unknown_name_has_a_bounded_length(
    kind: Kind, name: str, known_names: list[str]
) -> None:
    assert nearest_name(name, known_names) in {None, *known_names}
    assert len(model_not_found(kind, name, known_names, path="/x").message) < 4000


@given(content=st.dictionaries(st.sampled_from(NAMING), ANYTHING, max_size=5))
def test_required_models_can_be_read_from_any_content(content: dict[str, object]) -> None:
    """The arguments of a script can contain anything."""
    for need in required_models(content):
        assert need.name
