"""Which deployment the client calls, and who may say so."""

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sd_on_ecs import Client
from sd_on_ecs.connection import (
    Connection,
    Profiles,
    find_connection,
    normalize_endpoint,
    normalize_key,
    running_local,
)
from sd_on_ecs.errors import InputError, NotConfigured

STORED = Connection(endpoint="https://stored/dev", key="stored", stack="sdonecs", model_bucket="models")
LOCAL = {
    "endpoint": "http://127.0.0.1:1/dev",
    "key": "local",
    "region": "us-east-1",
    "aws_endpoint_url": "http://127.0.0.1:1",
    "model_bucket": "models",
}


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """Use a folder for temporary files in which no `make local` has announced itself."""
    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path)
    yield tmp_path
    tempfile.tempdir = before


@pytest.fixture
def environment(tmp_path: Path, temporary: Path) -> dict[str, str]:
    return {"SD_ON_ECS_CONFIG": str(tmp_path / "config" / "profiles.json")}


@pytest.fixture
def profiles(environment: dict[str, str]) -> Profiles:
    return Profiles(Path(environment["SD_ON_ECS_CONFIG"]))


def announce(temporary: Path, *, pid: int = os.getpid(), mode: int = 0o700) -> None:
    folder = temporary / f"sd-on-ecs-local-{os.getuid()}"
    folder.mkdir()
    folder.chmod(mode)
    (folder / f"{pid}.json").write_text(json.dumps(LOCAL))


def test_nothing_known_is_an_error_that_says_what_to_do(environment: dict[str, str]) -> None:
    with pytest.raises(NotConfigured, match="sd-on-ecs login STACK"):
        find_connection(environment=environment)


def test_options_come_before_the_environment_and_that_before_profiles_and_make_local(
    environment: dict[str, str], profiles: Profiles, temporary: Path
) -> None:
    announce(temporary)
    assert find_connection(environment=environment).source == "make local"
    profiles.save("mine", STORED, default=False)
    assert find_connection(environment=environment).source == "profile mine"
    environment |= {"SD_ON_ECS_ENDPOINT": "https://environment", "SD_ON_ECS_KEY": "environment"}
    assert find_connection(environment=environment).endpoint == "https://environment"
    found = find_connection(environment=environment, endpoint="https://option", key="option")
    assert (found.endpoint, found.key) == ("https://option", "option")


def test_a_profile_that_an_option_names_comes_before_the_environment(
    environment: dict[str, str], profiles: Profiles
) -> None:
    profiles.save("mine", STORED, default=False)
    environment |= {"SD_ON_ECS_ENDPOINT": "https://environment", "SD_ON_ECS_KEY": "environment"}
    assert find_connection(environment=environment, profile="mine").endpoint == "https://stored/dev"


@pytest.mark.parametrize(
    ("name", "missing"), [("SD_ON_ECS_ENDPOINT", "--key"), ("SD_ON_ECS_KEY", "--endpoint")]
)
def test_a_key_is_never_sent_to_the_endpoint_of_another_deployment(
    environment: dict[str, str], profiles: Profiles, name: str, missing: str
) -> None:
    profiles.save("mine", STORED, default=True)
    with pytest.raises(NotConfigured, match=f"is given, but not {missing}"):
        find_connection(environment=environment | {name: "https://elsewhere"})


def test_make_local_can_be_named_beside_profiles(
    environment: dict[str, str], profiles: Profiles, temporary: Path
) -> None:
    profiles.save("mine", STORED, default=True)
    with pytest.raises(NotConfigured, match="no `make local` is running"):
        find_connection(environment=environment, profile="local")
    announce(temporary)
    assert find_connection(environment=environment, profile="local").key == "local"


def test_the_first_profile_is_the_default_until_another_is_made_it(
    environment: dict[str, str], profiles: Profiles
) -> None:
    for name in ("first", "second"):
        profiles.save(name, STORED, default=False)
    assert find_connection(environment=environment).source == "profile first"
    profiles.save("third", STORED, default=True)
    assert find_connection(environment=environment).source == "profile third"
    with pytest.raises(NotConfigured, match="the profiles are: first, second, third"):
        find_connection(environment=environment, profile="fourth")


def test_profiles_are_read_back_and_are_for_their_owner_only(
    environment: dict[str, str], profiles: Profiles
) -> None:
    profiles.save("mine", STORED, default=False)
    found = profiles.named("mine")
    assert (found.key, found.stack, found.model_bucket) == ("stored", "sdonecs", "models")
    assert stat.S_IMODE(Path(environment["SD_ON_ECS_CONFIG"]).stat().st_mode) == 0o600


def test_a_broken_file_of_profiles_is_named(environment: dict[str, str]) -> None:
    path = Path(environment["SD_ON_ECS_CONFIG"])
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(NotConfigured, match=r"profiles\.json cannot be read"):
        find_connection(environment=environment)


@pytest.mark.parametrize(
    "text", ["[]", '{"profiles": [1]}', '{"profiles": {"a": []}}', '{"profiles": {"a": {}}}']
)
def test_a_file_that_has_no_profiles_is_named(environment: dict[str, str], text: str) -> None:
    path = Path(environment["SD_ON_ECS_CONFIG"])
    path.parent.mkdir()
    path.write_text(text)
    environment["SD_ON_ECS_PROFILE"] = "a"
    with pytest.raises(NotConfigured, match=r"profiles\.json cannot be read: .* has no"):
        find_connection(environment=environment)


def test_a_profile_that_cannot_be_written_is_an_error_with_the_path(
    environment: dict[str, str], profiles: Profiles
) -> None:
    (Path(environment["SD_ON_ECS_CONFIG"]).parent / "profiles.part").mkdir(parents=True)
    with pytest.raises(InputError, match=r"profiles\.json cannot be written"):
        profiles.save("mine", STORED, default=False)


def test_what_a_killed_make_local_has_left_is_ignored(temporary: Path) -> None:
    announce(temporary, pid=2**22 + 1)
    assert running_local() is None


@pytest.mark.parametrize("mode", [0o777, 0o750])
def test_a_folder_that_others_can_read_or_write_is_not_trusted(temporary: Path, mode: int) -> None:
    announce(temporary, mode=mode)
    assert running_local() is None


def test_a_link_to_a_folder_is_not_trusted(temporary: Path) -> None:
    announce(temporary)
    folder = temporary / f"sd-on-ecs-local-{os.getuid()}"
    folder.rename(temporary / "elsewhere")
    folder.symlink_to(temporary / "elsewhere")
    assert running_local() is None


@pytest.mark.parametrize("endpoint", ["example.com/dev", "ftp://example.com", "", "https://", "https://a\nb"])
def test_an_endpoint_that_is_no_web_address_is_refused(endpoint: str) -> None:
    with pytest.raises(InputError, match="the endpoint"):
        normalize_endpoint(endpoint)


@pytest.mark.parametrize("key", ["s3cret\n", " s3cret", "s3cret\r\n", "s3cret"])
def test_white_space_around_a_key_or_an_endpoint_is_removed(key: str) -> None:
    assert normalize_key(key) == "s3cret"
    assert normalize_endpoint("https://example.com/dev/\n") == "https://example.com/dev"


@pytest.mark.parametrize("key", ["s3c ret", "s3cret\nx", "s3crét", "s3cret\x7f", "s3cret\0", " \n"])
def test_a_key_that_no_header_can_contain_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(NotConfigured, match="the API key") as error:
        Client("https://example.com", key)
    assert "s3c" not in str(error.value)


def test_a_connection_does_not_show_its_key() -> None:
    assert "s3cret" not in repr(Connection(endpoint="https://example.com", key="s3cret"))
