"""The fake treats models, scripts and settings as a real Web UI: what it ignores, replaces or keeps."""

from pathlib import Path

from PIL import Image

from local.fakes.sdwebui.process import write_checkpoint
from tests.contract.serving import (
    FLAVORS,
    REFERENCE,
    SMALL,
    job,
    lora,
    name_in_settings_file,
    opened,
    picture,
    server,
    unit,
)


@FLAVORS
def test_an_alias_that_two_files_share_is_not_applied(models: Path, flavor: str) -> None:
    lora(models / "Lora/other.safetensors", alias="styleAlias", content=b"y")
    with server(model_dir=models, flavor=flavor) as replay:
        assert picture(replay, prompt="a lighthouse <lora:styleAlias:1>") == picture(replay)
        assert picture(replay, prompt="a lighthouse <lora:other:1>") != picture(replay)


@FLAVORS
def test_a_job_with_disabled_networks_uses_the_lora_of_the_previous_job(models: Path, flavor: str) -> None:
    with server(model_dir=models, flavor=flavor) as replay:
        plain = picture(replay)
        styled = picture(replay, prompt="a lighthouse <lora:style:1>")
        leaked = job(replay, disable_extra_networks=True)
        assert opened(leaked["images"][0]).tobytes() == styled
        assert "Lora" not in leaked["info"]["infotexts"][0]
        after = picture(replay)
        assert after != plain, "the plain job behind it is wrong too"
        assert (after == styled) is (flavor == "forge")
        picture(replay, prompt="<lora:nope:1>")
        assert picture(replay) == plain


def test_a_lora_file_is_listed_after_a_refresh(models: Path) -> None:
    with server(model_dir=models) as replay:
        lora(models / "Lora/late.safetensors")
        assert picture(replay, prompt="a lighthouse <lora:late:1>") == picture(replay)
        replay.client.post("/sdapi/v1/refresh-loras").raise_for_status()
        assert picture(replay, prompt="a lighthouse <lora:late:1>") != picture(replay)


def test_forge_lists_modules_at_its_start_and_ignores_sd_vae(models: Path) -> None:
    with server(model_dir=models) as replay:
        name_in_settings_file(replay, forge_additional_modules=[], sd_vae="Automatic")
        plain = picture(replay)
        write_checkpoint(models / "VAE/late.safetensors", b"late")
        replay.client.post("/sdapi/v1/refresh-vae").raise_for_status()
        assert [module["model_name"] for module in replay.get("/sdapi/v1/sd-modules")] == [
            "known.safetensors"
        ]
        assert replay.client.get("/sdapi/v1/sd-vae").status_code == 404
        for name, is_listed in (("known.safetensors", False), ("late.safetensors", True)):
            modules = {"forge_additional_modules": [name]}
            assert (picture(replay, override_settings=modules) == plain) is is_listed
        assert picture(replay, override_settings={"sd_vae": "known.safetensors"}) == plain
        assert picture(replay) == plain


def test_a1111_lists_vaes_after_a_refresh_and_has_none_of_forges_settings(models: Path) -> None:
    with server(model_dir=models, flavor="a1111") as replay:
        name_in_settings_file(replay, sd_vae="Automatic")
        plain = picture(replay)
        write_checkpoint(models / "VAE/late.safetensors", b"late")
        assert picture(replay, override_settings={"sd_vae": "late.safetensors"}) == plain
        replay.client.post("/sdapi/v1/refresh-vae").raise_for_status()
        used = job(replay, override_settings={"sd_vae": "late.safetensors"})
        assert used["info"]["sd_vae_name"] == "late.safetensors"
        assert opened(used["images"][0]).tobytes() != plain == picture(replay)
        refusal = replay.client.post(
            "/sdapi/v1/txt2img", json={**SMALL, "override_settings": {"forge_additional_modules": []}}
        )
        assert refusal.json()["error"] == "AttributeError"
        assert "do_not_save" in refusal.json()["errors"]


def test_a1111_loads_at_once_and_keeps_the_old_checkpoint_for_a_bad_one(models: Path) -> None:
    (models / "Stable-diffusion/broken.safetensors").write_bytes(b"x" * 99)
    with server(model_dir=models, flavor="a1111", load_seconds=0) as replay:
        replay.client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "second"}).raise_for_status()
        assert replay.client.post(
            "/sdapi/v1/options", json={"sd_model_checkpoint": "broken.safetensors"}
        ).is_success
        assert replay.get("/sdapi/v1/options")["sd_model_checkpoint"] == "second"
        assert job(replay)["info"]["sd_model_name"] == "second"


@FLAVORS
def test_controlnet_accepts_the_names_that_the_real_one_accepts(models: Path, flavor: str) -> None:
    with server(model_dir=models, flavor=flavor) as replay:
        plain = picture(replay)
        (listed_name,) = replay.get("/controlnet/model_list")["model_list"]
        assert listed_name.startswith("canny [")
        steered = picture(replay, alwayson_scripts=unit(listed_name))
        assert steered != plain
        bare = picture(replay, alwayson_scripts=unit("canny"))
        part = picture(replay, alwayson_scripts=unit("ANN"))
        assert bare == part == (plain if flavor == "forge" else steered)
        other_hash = picture(replay, alwayson_scripts=unit("canny [00000000]"))
        assert other_hash == plain, "it is no part of any name"
        write_checkpoint(models / "ControlNet/late.safetensors", b"late")
        names = replay.get("/controlnet/model_list?update=true")["model_list"]
        assert len(names) == (1 if flavor == "forge" else 2)
        version_status = replay.client.get("/controlnet/version").status_code
        assert version_status == (404 if flavor == "forge" else 200)


def test_a_map_follows_the_pictures_unless_it_is_switched_off(models: Path) -> None:
    with server(model_dir=models) as replay:
        response = job(replay, alwayson_scripts=unit("canny"), batch_size=2)
        texts = [opened(image).info.get("parameters") for image in response["images"]]
        assert [bool(text) for text in texts] == [True, True, False]
        assert len(response["info"]["all_seeds"]) == 2
        off = job(replay, alwayson_scripts=unit("canny", save_detected_map=False))
        assert len(off["images"]) == 1


def test_an_unknown_module_does_nothing_on_forge_and_fails_on_a1111(models: Path) -> None:
    with server(model_dir=models) as replay:
        (listed_name,) = replay.get("/controlnet/model_list")["model_list"]
        response = job(replay, alwayson_scripts=unit(listed_name, module="cannny"))
        assert opened(response["images"][0]).tobytes() == picture(replay)
        assert len(response["images"]) == 1
    with server(model_dir=models, flavor="a1111") as replay:
        body = {**SMALL, "alwayson_scripts": unit("canny", module="None")}
        answer = replay.client.post("/sdapi/v1/txt2img", json=body)
        assert (answer.status_code, answer.json()["error"]) == (500, "ValidationError")


@FLAVORS
def test_loopback_returns_a_grid_first_without_reporting_it(flavor: str) -> None:
    with server(flavor=flavor) as replay:
        response = job(
            replay,
            "img2img",
            init_images=[REFERENCE],
            script_name="loopback",
            script_args=[2, 0.5, "Linear", "None"],
        )
        images = [opened(image) for image in response["images"]]
        assert [image.size for image in images] == [(128, 64), (64, 64), (64, 64)]
        assert [seed_of(image) for image in images] == [None, "7", "8"]
        assert (response["info"]["index_of_first_image"], response["info"]["all_seeds"]) == (0, [8])


@FLAVORS
def test_sd_upscale_reports_the_seed_of_its_last_tile(flavor: str) -> None:
    with server(flavor=flavor) as replay:
        response = job(
            replay,
            "img2img",
            init_images=[REFERENCE],
            script_name="SD upscale",
            script_args=[None, 8, "Lanczos", 2],
        )
        (image,) = [opened(image) for image in response["images"]]
        assert (image.size, seed_of(image)) == ((128, 128), None)
        assert (response["info"]["seed"], response["info"]["all_seeds"]) == (7, [15])


def test_tiling_changes_pixels_on_a1111_only() -> None:
    for flavor in ("forge", "a1111"):
        with server(flavor=flavor) as replay:
            tiled = job(replay, tiling=True)
            assert "Tiling: True" in tiled["info"]["infotexts"][0]
            assert (opened(tiled["images"][0]).tobytes() == picture(replay)) is (flavor == "forge")


@FLAVORS
def test_a_known_style_changes_the_picture_and_an_unknown_one_does_not(flavor: str) -> None:
    with server(flavor=flavor) as replay:
        plain = picture(replay)
        assert picture(replay, styles=["Plain"]) != plain
        assert picture(replay, styles=["plain"]) == picture(replay, styles=["nope"]) == plain


def test_hires_fix_needs_modules_on_forge_only() -> None:
    hires = {**SMALL, "enable_hr": True, "hr_upscaler": "Latent", "denoising_strength": 0.5}
    for flavor, status in (("forge", 500), ("a1111", 200)):
        with server(flavor=flavor) as replay:
            assert replay.client.post("/sdapi/v1/txt2img", json=hires).status_code == status


def test_a_refiner_and_a_hires_checkpoint_change_the_picture(models: Path) -> None:
    with server(model_dir=models) as replay:
        plain = picture(replay)
        assert picture(replay, refiner_checkpoint="second.safetensors", refiner_switch_at=0.5) != plain
        hires = {"enable_hr": True, "hr_upscaler": "Latent", "hr_additional_modules": ["Use same choices"]}
        same_picture = picture(replay, **hires)
        assert picture(replay, **hires, hr_checkpoint_name="second.safetensors") != same_picture
        assert picture(replay) == plain


def seed_of(image: Image.Image) -> str | None:
    text = str(image.info.get("parameters") or "")
    return text.partition("Seed: ")[2].partition(",")[0] or None
