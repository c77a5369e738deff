"""Settings in `config.yaml`: which are accepted, and the error of one line for each one that is not."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.limits import Limits as DomainLimits
from domain.routing import Runtimes
from infra.runtime_types.comfyui import ComfyUi
from infra.runtime_types.sdwebui import SdWebUi
from infra.settings.reading import InvalidConfigError, load, parse
from tests.support.synthesis import ROOT, SD_ON_EKS
from tests.support.toy.deployment import Toy
from tests.support.toy.registrations import DEPLOYED

_VALUES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
)
_KEYS = ("name", "type", "modelFilename", "scaling", "scripts", "limits", "extraValues", "capacity", "links")
_MAPPINGS = st.dictionaries(
    st.sampled_from(_KEYS), _VALUES | st.dictionaries(st.sampled_from(_KEYS), _VALUES)
)
_TREES = st.fixed_dictionaries(
    {"modelsRuntime": st.lists(_MAPPINGS, max_size=2) | _VALUES},
    optional={"limits": _MAPPINGS, "stackName": _VALUES},
)
RUNTIME = "name: r, modelFilename: m.safetensors"


def test_config_yaml_is_one_runtime_with_on_demand_instances() -> None:
    settings, notices = load(ROOT / "config.yaml")
    (static,) = settings.models_runtime
    assert isinstance(static, SdWebUi)
    assert (static.name, static.model_filename, static.dynamic_model) == (
        "sdruntime",
        "v1-5-pruned-emaonly.safetensors",
        False,
    )
    assert (static.capacity.on_demand, static.capacity.spot) == (True, False)
    assert notices == []


def test_the_settings_in_comments_of_config_yaml_are_valid() -> None:
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    others = text[text.index("# - name: sddynamic") :]
    others = re.sub(r"^# (?=[ -])", "", others, flags=re.MULTILINE)  # sentences remain comments
    small = text.replace("  instanceTypes: [g6.2xl", "  # instanceTypes: [g6.2xl", 1)
    small = small.replace("  # instanceTypes: [g6.xlarge", "  instanceTypes: [g6.xlarge").replace(
        "# taskSize", "taskSize"
    )
    static, dynamic, workflows = parse(small + others)[0].models_runtime
    assert (static.instance_types, static.task_size.vcpus, static.task_size.memory_gib) == (
        ("g6.xlarge", "g5.xlarge"),
        3,
        12,
    )
    assert isinstance(dynamic, SdWebUi)
    assert dynamic.dynamic_model
    assert isinstance(workflows, ComfyUi)
    assert workflows.comfyui.is_started_here


def test_the_settings_file_of_sd_on_eks_is_read_and_its_ignored_keys_are_listed() -> None:
    settings, notices = load(SD_ON_EKS)
    (runtime,) = settings.models_runtime
    assert settings.stack_name == "sdoneks"
    assert settings.model_bucket_arn == "arn:aws:s3:::sdoneks-model-bucket-51a6"
    assert runtime.instance_types == ("g6.2xlarge", "g5.2xlarge")
    assert (runtime.capacity.on_demand, runtime.capacity.spot) == (True, True)
    assert runtime.scaling.model_dump() == {
        "queue_length": 10,
        "min_replica_count": 0,
        "max_replica_count": 5,
        "cooldown_period": 300,
    }
    assert notices == [
        "clusterComponents: ignored, because it has no meaning on ECS",
        "modelsRuntime[0].namespace: ignored, because it has no meaning on ECS",
        "modelsRuntime[0].extraValues.karpenter.nodeTemplate: ignored, because it has no meaning on ECS",
    ]


def test_the_flat_names_of_keys_mean_the_same_as_those_of_sd_on_eks() -> None:
    nested = (
        "modelsRuntime: [{name: r, modelFilename: m, extraValues: {runtime: {scaling: {queueLength: 3}},"
        " karpenter: {provisioner:"
        " {instanceType: [g5.xlarge], capacityType: {spot: true, onDemand: false}}}}}]"
    )
    flat = (
        "modelsRuntime: [{name: r, modelFilename: m, scaling: {queueLength: 3},"
        " instanceTypes: [g5.xlarge], capacity: {spot: true, onDemand: false}}]"
    )
    assert parse(nested)[0] == parse(flat)[0]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "(top): found null; allowed: a mapping with modelsRuntime"),
        ("- a", '(top): found ["a"]; allowed: a mapping with modelsRuntime'),
        ("stackName: a", "modelsRuntime: found nothing; allowed: this key is required"),
        ("modelsRuntime: []", "modelsRuntime: found []; allowed: at least 1 in the list"),
        ("modelsRuntime: [3]", "modelsRuntime[0]: found 3; allowed: a mapping"),
        (f"modelsRuntime: [{{{RUNTIME}, typ: x}}]", 'modelsRuntime[0].typ: found "x"; allowed: no such key'),
        (
            f"modelsRuntime: [{{{RUNTIME}, type: fooocus}}]",
            "modelsRuntime[0].type: found \"fooocus\"; allowed: 'sdwebui', 'comfyui'",
        ),
        (
            f"modelsRuntime: [{{{RUNTIME}, type: null}}]",
            "modelsRuntime[0].type: found null; allowed: 'sdwebui', 'comfyui'",
        ),
        (
            f"modelsRuntime: [{{{RUNTIME}, type: [sdwebui]}}]",
            "modelsRuntime[0].type: found [\"sdwebui\"]; allowed: 'sdwebui', 'comfyui'",
        ),
        (
            f"modelsRuntime: [{{{RUNTIME}, sdwebui: {{sdwebui: 1}}}}]",
            'modelsRuntime[0].sdwebui: found {"sdwebui": 1}; allowed: no such key',
        ),
        (
            "modelsRuntime: [{name: a b, modelFilename: m}]",
            'modelsRuntime[0].name: found "a b"; allowed: text that matches ^[A-Za-z][A-Za-z0-9-]{0,39}$',
        ),
        (
            "modelsRuntime: [{name: r}]",
            (
                'modelsRuntime[0]: found {"name": "r"}; '
                "allowed: a runtime without dynamicModel needs a modelFilename"
            ),
        ),
        (
            "modelsRuntime: [{name: r, modelFilename: m, refinerFilename: ..}]",
            (
                'modelsRuntime[0]: found {"name": "r", "modelFilename": "m", "refinerFilename": ".."}; '
                "allowed: refinerFilename must not leave the model folder"
            ),
        ),
        (
            "modelsRuntime: [{name: r, modelFilename: a/../b}]",
            (
                'modelsRuntime[0]: found {"name": "r", "modelFilename": "a/../b"}; '
                "allowed: modelFilename must not leave the model folder"
            ),
        ),
        (
            "modelsRuntime: [{name: r, dynamicModel: true, refinerFilename: b}]",
            (
                'modelsRuntime[0]: found {"name": "r", "dynamicModel": true, "refinerFilename": "b"}; '
                "allowed: refinerFilename is for a runtime without dynamicModel; a dynamic one serves any"
            ),
        ),
        (
            f"modelsRuntime: [{{{RUNTIME}, extraValues: {{runtime: {{scaling: {{queueLength: '3'}}}}}}}}]",
            'modelsRuntime[0].extraValues.runtime.scaling.queueLength: found "3"; allowed: a valid integer',
        ),
        (
            f"modelsRuntime: [{{{RUNTIME}, capacity: {{spot: maybe}}}}]",
            'modelsRuntime[0].capacity.spot: found "maybe"; allowed: true, false or a weight from 0 to 1000',
        ),
        (
            f"modelsRuntime: [{{{RUNTIME}, capacity: {{onDemand: 0}}}}]",
            'modelsRuntime[0].capacity: found {"onDemand": 0}; allowed: one of onDemand and spot must be on',
        ),
        (
            f"modelsRuntime: [{{{RUNTIME}, scaling: {{}}, extraValues: {{runtime: {{scaling: {{}}}}}}}}]",
            "modelsRuntime[0].extraValues.runtime.scaling: found beside scaling; allowed: one of the two",
        ),
        (
            f"APIGW: {{throttle: {{rateLimit: 251}}}}\nmodelsRuntime: [{{{RUNTIME}}}]",
            "APIGW.throttle.rateLimit: found 251; allowed: less than or equal to 250",
        ),
        (
            f"APIGW: {{keys: [web-shop]}}\nmodelsRuntime: [{{{RUNTIME}}}]",
            'APIGW.keys[0]: found "web-shop"; allowed: text that matches ^[A-Za-z][A-Za-z0-9]{0,39}$',
        ),
        (
            f"APIGW: {{keys: [shop, Shop]}}\nmodelsRuntime: [{{{RUNTIME}}}]",
            'APIGW: found {"keys": ["shop", "Shop"]}; allowed: keys that differ in more than case',
        ),
        (
            f"APIGW: {{keys: [a, b], throttle: {{rateLimit: 100}}}}\nmodelsRuntime: [{{{RUNTIME}}}]",
            (
                'APIGW: found {"keys": ["a", "b"], "throttle": {"rateLimit": 100}}; allowed: 250 requests a '
                "second for all keys together: throttle.rateLimit must be at most 83.33 with 2 further keys"
            ),
        ),
        (
            f"APIGW: {{throttle: {{rateLimit: .nan}}}}\nmodelsRuntime: [{{{RUNTIME}}}]",
            "APIGW.throttle.rateLimit: found NaN; allowed: a finite number",
        ),
        (
            f"modelBucketArn: my-bucket\nmodelsRuntime: [{{{RUNTIME}}}]",
            (
                'modelBucketArn: found "my-bucket"; allowed: text that matches '
                "^arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
            ),
        ),
        (
            f"inputs: {{credentials: {{'https://a.example': x}}}}\nmodelsRuntime: [{{{RUNTIME}}}]",
            (
                'inputs.credentials.https://a.example.[key]: found "https://a.example"; allowed: '
                "text that matches ^[a-z0-9_-]+(\\.[a-z0-9_-]+)+(:[0-9]{1,5})?$"
            ),
        ),
        (
            f"modelsRuntime: [{{{RUNTIME}, scaling: {{minReplicaCount: 6}}}}]",
            (
                'modelsRuntime[0].scaling: found {"minReplicaCount": 6}; '
                "allowed: minReplicaCount must not be above maxReplicaCount"
            ),
        ),
    ],
)
def test_an_error_is_one_line_with_path_value_and_what_is_allowed(text: str, fault: str) -> None:
    with pytest.raises(InvalidConfigError) as raised:
        parse(text)
    assert raised.value.faults == [fault]


def test_the_settings_of_a_runtime_depend_on_its_type() -> None:
    runtimes = "[{name: a, type: toy, speed: 3}, {name: b, modelFilename: m}]"
    toy, webui = parse(f"modelsRuntime: {runtimes}", DEPLOYED)[0].models_runtime
    assert isinstance(toy, Toy)
    assert toy.speed == 3
    assert type(webui) is SdWebUi


def test_a_further_type_has_its_own_errors() -> None:
    runtimes = (
        "{name: a, type: toy, modelFilename: m}, {name: b, type: other}, "
        "{name: c, type: toy, scaling: {queueLength: 0}}"
    )
    with pytest.raises(InvalidConfigError) as raised:
        parse(f"modelsRuntime: [{runtimes}]", DEPLOYED)
    assert raised.value.faults == [
        'modelsRuntime[0].modelFilename: found "m"; allowed: no such key',
        "modelsRuntime[1].type: found \"other\"; allowed: 'sdwebui', 'comfyui', 'toy'",
        "modelsRuntime[2].scaling.queueLength: found 0; allowed: greater than or equal to 1",
    ]


def test_all_errors_are_reported_at_once() -> None:
    with pytest.raises(InvalidConfigError) as raised:
        parse("stackName: 1\nlogLevel: LOUD\nmodelsRuntime: [{name: r, type: x, modelFilename: m}]")
    assert [fault.split(":")[0] for fault in raised.value.faults] == [
        "stackName",
        "modelsRuntime[0].type",
        "logLevel",
    ]


def test_two_runtimes_with_the_same_name_are_refused() -> None:
    with pytest.raises(InvalidConfigError, match="must differ; used twice: r"):
        parse(f"modelsRuntime: [{{{RUNTIME}}}, {{{RUNTIME}}}]")


def test_a_duplicate_key_is_refused() -> None:
    """YAML itself silently keeps the last one."""
    with pytest.raises(InvalidConfigError, match="the key 'stackName' is given twice"):
        parse(f"stackName: a\nstackName: b\nmodelsRuntime: [{{{RUNTIME}}}]")


def test_the_error_for_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml")


def test_limits_and_scripts_reach_the_api_and_the_worker() -> None:
    defaults, _ = parse(f"modelsRuntime: [{{{RUNTIME}}}]")
    settings, _ = parse(f"limits: {{links: 3}}\nmodelsRuntime: [{{{RUNTIME}, scripts: [ControlNet]}}]")
    assert defaults.limits.as_domain() == DomainLimits()
    assert settings.limits.as_domain() == DomainLimits(links=3)
    assert defaults.models_runtime[0].as_domain().scripts is None
    assert settings.models_runtime[0].as_domain().scripts == frozenset({"controlnet"})


def test_opened_settings_reach_the_api_the_worker_and_the_settings_file() -> None:
    opened = "allowedSettings: {my_mode: soft, CLIP_stop_at_last_layers: 2}"
    runtime = parse(f"modelsRuntime: [{{{RUNTIME}, {opened}}}]")[0].models_runtime[0]

    kinds = {"my_mode": "string", "CLIP_stop_at_last_layers": "integer"}
    (read,) = Runtimes.from_json(json.dumps([runtime.as_domain().as_dict()]))
    worker = runtime.engine().worker
    assert read.settings == worker["allowed_settings"] == kinds
    assert worker["engine_settings"] == {"my_mode": "soft", "CLIP_stop_at_last_layers": 2}
    assert worker["engine_folders"] == {"wildcard_dir": "/opt/ml/code/models/wildcards"}
    settings_file = runtime.engine().settings
    assert settings_file is not None
    assert worker["engine_settings_file"] == settings_file.path


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (
            "{outdir_samples: x}",
            "outdir_samples in allowedSettings cannot be opened: a task must not choose paths",
        ),
        (
            "{hook_url: x, my_key: x}",
            "my_key in allowedSettings cannot be opened: its name suggests credentials",
        ),
        ("{my_mode: {a: 1}}", "its default must be"),
        ("[my_mode]", "allowedSettings"),
    ],
)
def test_the_error_for_a_setting_that_must_stay_closed_has_a_reason(settings: str, why: str) -> None:
    with pytest.raises(InvalidConfigError, match="allowedSettings") as raised:
        parse(f"modelsRuntime: [{{{RUNTIME}, allowedSettings: {settings}}}]")
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("limits: {bodyBytes: 6291457}", "limits.bodyBytes"),
        ("limits: {images: 0}", "limits.images"),
        ("limits: {image: 1}", "limits.image"),
    ],
)
def test_a_limit_beyond_that_of_aws_is_refused(line: str, fault: str) -> None:
    with pytest.raises(InvalidConfigError, match=rf"^{fault}: "):
        parse(f"{line}\nmodelsRuntime: [{{{RUNTIME}}}]")


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(text=st.text(max_size=60) | _TREES.map(json.dumps))
def test_any_file_results_in_settings_or_errors(text: str) -> None:
    try:
        lines = [str(parse(text)[0].stack_name)]
    except InvalidConfigError as refused:
        lines = refused.faults
    assert lines
    assert all("\n" not in line for line in lines)
