"""Receipts, which describe the images of a task in its output document: their names, seeds and kinds."""

import base64
import io
import json

import pytest
from PIL import Image

from tests.contract.cases.place import Place
from tests.contract.cases.web import CAT, MASK, PHOTO, picture

pytestmark = pytest.mark.xdist_group("cases")


def test_the_pictures_of_a_batch_have_the_names_of_their_inputs(place: Place) -> None:
    images_by_name = {"cat.png": CAT, "mask.png": MASK, "my photo.jpg": PHOTO}
    inputs = [
        {"name": name, "data": base64.b64encode(picture(subject)).decode()}
        for name, subject in images_by_name.items()
    ]
    outcome = place.content("named-batch", "extra-batch-images", imageList=inputs, upscaler_1="Nearest")

    assert outcome.code == "completed", outcome.error_text
    assert [receipt["name"] for receipt in outcome.receipts] == list(images_by_name)
    for receipt, subject in zip(outcome.receipts, images_by_name.values(), strict=True):
        upscaled = Image.open(io.BytesIO(place.image(receipt))).convert("RGB")
        original = Image.open(io.BytesIO(picture(subject))).convert("RGB")
        assert upscaled.resize(original.size, Image.Resampling.NEAREST).tobytes() == original.tobytes()


@pytest.mark.parametrize("seed", [2**64 - 1, 2**63, 6687881544318117707, -2])
def test_a_seed_of_64_bits_is_exact(place: Place, seed: int) -> None:
    outcome = place.content(f"seed-{seed}", seed=seed, subseed=2**64 - 1, subseed_strength=0.5)

    assert outcome.code == "completed", outcome.error_text
    assert outcome.receipts[0]["seed"] == seed
    assert json.loads(outcome.out["info"])["all_subseeds"] == [2**64 - 1]


def test_control_maps_are_not_counted_as_pictures(place: Place) -> None:
    image = base64.b64encode(picture(PHOTO)).decode()
    unit = {"module": "canny", "model": "control_v11p_sd15_canny", "image": image}
    outcome = place.content("with-map", batch_size=2, alwayson_scripts={"ControlNet": {"args": [unit]}})

    assert outcome.code == "completed", outcome.error_text
    assert outcome.callback is not None
    assert len(outcome.callback["image_url"]) == 2
    assert [image["kind"] for image in outcome.out["images"]] == ["picture", "picture", "map"]
    assert "-map-1" in outcome.out["images"][-1]["key"]
