"""The app, synthesized once for all tests of its templates."""

import pytest

from tests.support.synthesis import SD_ON_EKS, TWO_RUNTIMES, Synthesis, synthesize
from tests.support.template import Template


@pytest.fixture(scope="session")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """Synthesize two runtimes for a standard region, as if the second one was not deployed yet."""
    folder = tmp_path_factory.mktemp("standard")
    return _successful(synthesize(folder, config=TWO_RUNTIMES, context={"startAtZero": "sddynamic"}))


@pytest.fixture(scope="session")
def china(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """Synthesize config.yaml for a China region."""
    return _successful(synthesize(tmp_path_factory.mktemp("china"), region="cn-northwest-1"))


@pytest.fixture(scope="session")
def sd_on_eks(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """Synthesize sd-on-eks's own settings file."""
    return _successful(synthesize(tmp_path_factory.mktemp("sd_on_eks"), config=SD_ON_EKS))


@pytest.fixture(scope="session")
def comfyui(tmp_path_factory: pytest.TempPathFactory) -> Synthesis:
    """Synthesize a runtime of ComfyUI beside one of SD Web UI."""
    folder = tmp_path_factory.mktemp("comfyui")
    config = folder / "config.yaml"
    config.write_text(
        "modelsRuntime: [{name: sd, modelFilename: m}, {name: comfy, type: comfyui, dynamicModel: true, "
        "comfyui: {image: ./container/comfyui}}]\n"
    )
    return _successful(synthesize(folder / "out", config=config))


@pytest.fixture(scope="session")
def core(standard: Synthesis) -> Template:
    """Return the core stack's template."""
    return standard.template("Core")


@pytest.fixture(scope="session")
def compute(standard: Synthesis) -> Template:
    """Return the compute stack's template."""
    return standard.template("Compute")


def _successful(synthesis: Synthesis) -> Synthesis:
    assert synthesis.status == 0, synthesis.output
    return synthesis
