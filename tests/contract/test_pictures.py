"""What the fake's pictures show, and which images are returned with them, as by a real Web UI."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from local.fakes.sdwebui.process import write_checkpoint
from tests.contract.serving import (
    FLAVORS,
    REFERENCE,
    SMALL,
    job,
    name_in_settings_file,
    opened,
    picture,
    server,
    unit,
)


def png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@FLAVORS
def test_unloading_the_checkpoint_ends_the_leak_of_a_lora(models: Path, flavor: str) -> None:
    with server(model_dir=models, flavor=flavor) as replay:
        plain = picture(replay)
        picture(replay, prompt="a lighthouse <lora:style:1>")
        assert picture(replay, disable_extra_networks=True) != plain
        replay.client.post("/sdapi/v1/unload-checkpoint").raise_for_status()
        assert picture(replay) == plain


def test_a_tag_that_forge_does_not_apply_is_still_removed_from_the_prompt(models: Path) -> None:
    with server(model_dir=models) as replay:
        plain = picture(replay)
        for tag in ("<lyco:style:1>", "<lora: style:1>", "<lora:Style:1>", "<lora:style:abc>"):
            assert picture(replay, prompt=f"a lighthouse{tag}") == plain, tag
    with server(model_dir=models, flavor="a1111") as replay:
        assert picture(replay, prompt="a lighthouse<lyco:style:1>") != picture(replay)


def test_forge_applies_a_new_embedding_only_after_it_loads_a_checkpoint(models: Path) -> None:
    with server(model_dir=models) as replay:
        word = {"prompt": "a lighthouse Sparkle"}
        plain = picture(replay, **word)
        write_checkpoint(models / "embeddings/sparkle.safetensors", b"sparkle")
        replay.client.post("/sdapi/v1/refresh-embeddings").raise_for_status()
        assert list(replay.get("/sdapi/v1/embeddings")["loaded"]) == ["sparkle"]
        assert picture(replay, **word) == plain
        for checkpoint in ("second", "base"):
            applied = job(replay, **word, override_settings={"sd_model_checkpoint": checkpoint})
        assert opened(applied["images"][0]).tobytes() != plain
        assert "TI: sparkle" in applied["info"]["infotexts"][0]


def test_a1111_applies_a_new_embedding_after_a_refresh(models: Path) -> None:
    with server(model_dir=models, flavor="a1111") as replay:
        plain = picture(replay, negative_prompt="sparkle")
        write_checkpoint(models / "embeddings/sparkle.safetensors", b"sparkle")
        replay.client.post("/sdapi/v1/refresh-embeddings").raise_for_status()
        assert picture(replay, negative_prompt="sparkle") != plain


@FLAVORS
def test_a_scheduler_can_be_named_by_both_its_names(flavor: str) -> None:
    with server(flavor=flavor) as replay:
        labelled = picture(replay, scheduler="SGM Uniform")
        assert picture(replay, scheduler="sgm_uniform") == labelled != picture(replay)
        assert picture(replay, scheduler="sgm uniform") == picture(replay)


def test_a_unit_whose_controlnet_model_cannot_be_loaded_is_ignored(models: Path) -> None:
    (models / "ControlNet/canny.safetensors").write_bytes(b"of another shape")
    for flavor, images in (("forge", 2), ("a1111", 1)):
        with server(model_dir=models, flavor=flavor) as replay:
            (listed_name,) = replay.get("/controlnet/model_list")["model_list"]
            response = job(replay, alwayson_scripts=unit(listed_name))
            assert opened(response["images"][0]).tobytes() == picture(replay)
            assert len(response["images"]) == images, "Forge makes the map all the same"


@FLAVORS
def test_only_the_first_three_arguments_of_controlnet_are_units(models: Path, flavor: str) -> None:
    with server(model_dir=models, flavor=flavor) as replay:
        (listed_name,) = replay.get("/controlnet/model_list")["model_list"]
        (unit_fields,) = unit(listed_name)["ControlNet"]["args"]
        response = job(replay, alwayson_scripts={"ControlNet": {"args": [True, False, "canny", unit_fields]}})
        assert opened(response["images"][0]).tobytes() == picture(replay)
        assert len(response["images"]) == 1


def test_a_map_has_the_size_of_the_picture_and_shows_its_module(models: Path) -> None:
    with server(model_dir=models) as replay:
        maps = [
            opened(job(replay, alwayson_scripts=unit("None", module=module), width=96)["images"][1])
            for module in ("canny", "None")
        ]
        assert [picture.size for picture in maps] == [(96, 64), (96, 64)]
        assert maps[0].tobytes() != maps[1].tobytes()


def test_hires_fix_uses_the_modules_of_its_own_field(models: Path) -> None:
    with server(model_dir=models) as replay:
        name_in_settings_file(replay, forge_additional_modules=[])
        hires: dict[str, Any] = {"enable_hr": True, "hr_upscaler": "Latent", "denoising_strength": 0.5}
        vae = {"override_settings": {"forge_additional_modules": ["known.safetensors"]}}
        same_choices = {**hires, "hr_additional_modules": ["Use same choices"]}
        plain = picture(replay, **same_choices)
        used = picture(replay, **same_choices, **vae)
        assert used != plain
        assert picture(replay, **hires, hr_additional_modules=[], **vae) == plain
        assert picture(replay, **hires, hr_additional_modules=["known.safetensors"]) == used


@FLAVORS
def test_a_second_pass_uses_its_own_prompt_and_results_in_the_requested_size(flavor: str) -> None:
    with server(flavor=flavor) as replay:
        hires: dict[str, Any] = {
            "enable_hr": True,
            "hr_upscaler": "Latent",
            "hr_additional_modules": ["Use same choices"],
        }
        plain = job(replay, **hires)
        night = job(replay, **hires, hr_prompt="night")
        assert plain["images"] != night["images"]
        assert "Hires prompt: night" in night["info"]["infotexts"][0]
        resized = job(replay, **hires, hr_resize_x=96)
        assert opened(resized["images"][0]).size == (96, 96)


@pytest.mark.parametrize(
    ("seed", "batch", "status"),
    [(2**64 - 1, 1, 200), (2**64 - 2, 4, 500), (2**64, 1, 500), (-(2**63), 1, 200), (-(2**63) - 1, 1, 500)],
)
def test_all_seeds_up_to_that_of_the_last_image_must_fit_into_64_bits(
    seed: int, batch: int, status: int
) -> None:
    with server() as replay:
        for field in ("seed", "subseed"):
            body = {**SMALL, field: seed, "batch_size": batch}
            assert replay.client.post("/sdapi/v1/txt2img", json=body).status_code == status


def test_pixels_outside_a_mask_are_kept_exactly() -> None:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 32, 64))
    left, right = (0, 0, 32, 64), (32, 0, 64, 64)
    with server() as replay:
        for invert, painted, kept in ((0, left, right), (1, right, left)):
            fields = {"init_images": [REFERENCE], "mask": png(mask), "inpainting_mask_invert": invert}
            inpainted = opened(job(replay, "img2img", **fields)["images"][0])
            original = opened(REFERENCE).convert("RGB").resize(inpainted.size)
            assert inpainted.crop(kept).tobytes() == original.crop(kept).tobytes()
            assert inpainted.crop(painted).tobytes() != original.crop(painted).tobytes()


def test_a_picture_painted_in_its_mask_only_keeps_the_size_of_its_reference() -> None:
    white = Image.new("L", (64, 64), 255)
    fields = {"init_images": [png(Image.new("RGB", (96, 128), "blue"))], "mask": png(white)}
    with server() as replay:
        for area_only, size in ((True, (96, 128)), (False, (64, 64))):
            response = job(replay, "img2img", **fields, inpaint_full_res=area_only)
            assert opened(response["images"][0]).size == size


def test_images_are_rotated_as_their_exif_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (96, 64), "blue").save(buffer, format="JPEG", exif=exif)
    body = {
        "image": base64.b64encode(buffer.getvalue()).decode(),
        "upscaler_1": "Nearest",
        "upscaling_resize": 1,
    }
    with server() as replay:
        answer = replay.client.post("/sdapi/v1/extra-single-image", json=body)
        assert opened(answer.json()["image"]).size == (64, 96)
