"""Receipts of pictures: their names and seeds, and which images are pictures."""

import base64
import io
import json

import pytest
from PIL import Image

from tests.contract.cases.place import Place
from tests.contract.cases.web import CAT, MASK, PHOTO, picture

pytestmark = pytest.mark.xdist_group("cases")


def test_the_pictures_of_a_batch_have_the_names_of_their_inputs(place: Place) -> None:
    named = {"cat.png": CAT, "mask.png": MASK, "my photo.jpg": PHOTO}
    inputs = [
        {"name": name, "data": base64.b64encode(picture(what)).decode()} for name, what in named.items()
    ]
    got = place.content("named-batch", "extra-batch-images", imageList=inputs, upscaler_1="Nearest")

    assert got.code == "completed", got.error_text
    assert [one["name"] for one in got.receipts] == list(named)
    for receipt, what in zip(got.receipts, named.values(), strict=True):
        upscaled = Image.open(io.BytesIO(place.image(receipt))).convert("RGB")
        original = Image.open(io.BytesIO(picture(what))).convert("RGB")
        assert upscaled.resize(original.size, Image.Resampling.NEAREST).tobytes() == original.tobytes()


@pytest.mark.parametrize("seed", [2**64 - 1, 2**63, 6687881544318117707, -2])
def test_a_seed_of_64_bits_is_exact(place: Place, seed: int) -> None:
    got = place.content(f"seed-{seed}", seed=seed, subseed=2**64 - 1, subseed_strength=0.5)

    assert got.code == "completed", got.error_text
    assert got.receipts[0]["seed"] == seed
    assert json.loads(got.out["info"])["all_subseeds"] == [2**64 - 1]


def test_control_maps_are_not_counted_as_pictures(place: Place) -> None:
    image = base64.b64encode(picture(PHOTO)).decode()
    unit = {"module": "canny", "model": "control_v11p_sd15_canny", "image": image}
    got = place.content("with-map", batch_size=2, alwayson_scripts={"ControlNet": {"args": [unit]}})

    assert got.code == "completed", got.error_text
    assert got.callback is not None
    assert len(got.callback["image_url"]) == 2
    assert [one["kind"] for one in got.out["images"]] == ["picture", "picture", "map"]
    assert "-map-1" in got.out["images"][-1]["key"]
