"""The workflow of a small job before the first task, so that no caller waits for what is done only once."""

from typing import Any


def warm_up_prompt(checkpoint: str) -> dict[str, Any]:
    """Return a workflow of core nodes that takes one step with a checkpoint."""

    def node(class_type: str, **inputs: Any) -> dict[str, Any]:
        return {"class_type": class_type, "inputs": inputs}

    return {
        "1": node("CheckpointLoaderSimple", ckpt_name=checkpoint),
        "2": node("CLIPTextEncode", text="", clip=["1", 1]),
        "3": node("EmptyLatentImage", width=512, height=512, batch_size=1),
        "4": node(
            "KSampler",
            seed=1,
            steps=1,
            cfg=1.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
            model=["1", 0],
            positive=["2", 0],
            negative=["2", 0],
            latent_image=["3", 0],
        ),
        "5": node("VAEDecode", samples=["4", 0], vae=["1", 2]),
        "6": node("PreviewImage", images=["5", 0]),
    }
