"""Deploy the core stack to the emulator with the CDK CLI, with the template and code that AWS gets."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from domain.routing import Runtime, Runtimes
from local.emulator import ACCOUNT, REGION, Emulator
from local.process import Process

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "local" / "config.yaml"
CORE = "Core"  # the core stack's id in app.py; the emulator does not support the compute stack
CLI_SECONDS = 300.0  # long, because the first synthesis installs the Lambda's dependencies


class DeployFailed(RuntimeError):
    """The CDK CLI failed; the message contains the end of its output."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployed core stack: its outputs, its runtimes, and how to call its API through the emulator."""

    outputs: dict[str, str]
    runtimes: tuple[Runtime, ...]
    api_url: str
    api_key: str

    def runtime(self, name: str) -> Runtime:
        """Return the runtime with this name."""
        return next(runtime for runtime in self.runtimes if runtime.name == name)


def synthesize(aws: Emulator, folder: Path, *, config: Path = CONFIG) -> None:
    """Synthesize the CDK app into a folder, which can be deployed to any emulator (5 to 10 s)."""
    _run_cdk(
        aws,
        "synth",
        "-c",
        "coreOnly=true",
        "-c",
        "allowLocalWebhooks=true",
        "--quiet",
        "--output",
        str(folder),
        CORE,
        config=config,
    )


def bootstrap(aws: Emulator) -> None:
    """Create the bucket and roles that `cdk deploy` needs in an account (1 s)."""
    # Runs outside the folder of cdk.json, because otherwise the CLI synthesizes the app just to list
    # environments.
    _run_cdk(aws, "bootstrap", f"aws://{ACCOUNT}/{REGION}", folder=aws.folder)


def deploy(aws: Emulator, assembly: Path) -> Deployment:
    """Deploy the core stack of the synthesized app in `assembly` to a bootstrapped emulator (2 s)."""
    outputs_file = aws.folder / "outputs.json"
    _run_cdk(
        aws,
        *("deploy", "--app", str(assembly), "--require-approval", "never", "--method", "direct"),
        *("--outputs-file", str(outputs_file), CORE),
    )
    (outputs,) = json.loads(outputs_file.read_text(encoding="utf-8")).values()
    return read_deployment(aws, outputs)


def deploy_from_scratch(aws: Emulator, *, config: Path = CONFIG, assembly: Path | None = None) -> Deployment:
    """Bootstrap a fresh emulator and deploy to it; without an `assembly`, synthesize the app meanwhile."""
    with tempfile.TemporaryDirectory(prefix="sd-on-ecs-synth-") as scratch, ThreadPoolExecutor(1) as executor:
        bootstrapped = executor.submit(bootstrap, aws)
        if assembly is None:
            assembly = Path(scratch) / "cdk.out"
            synthesize(aws, assembly, config=config)
        bootstrapped.result()
        return deploy(aws, assembly)


def read_deployment(aws: Emulator, outputs: dict[str, str]) -> Deployment:
    """Look up the runtimes, API URL and API key of a deployed core stack by its outputs."""
    host, _, path = outputs["FrontApiEndpoint"].removeprefix("https://").partition("/")
    key = aws.client("apigateway").get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)
    return Deployment(
        outputs=outputs,
        runtimes=tuple(_read_runtimes(aws)),
        # The URL from API Gateway points to AWS; the emulator serves the same API at this one.
        api_url=f"{aws.endpoint_url}/_aws/execute-api/{host.partition('.')[0]}/{path.strip('/')}",
        api_key=key["value"],
    )


def _read_runtimes(aws: Emulator) -> list[Runtime]:
    """Read the runtimes from the environment of the API's Lambda, as the API does."""
    for function in aws.client("lambda").list_functions()["Functions"]:
        variables: dict[str, str] = function.get("Environment", {}).get("Variables", {})
        if "RUNTIMES" in variables:
            return list(Runtimes.from_json(variables["RUNTIMES"]))
    raise DeployFailed("no deployed Lambda has RUNTIMES in its environment")


def _run_cdk(aws: Emulator, *arguments: str, config: Path = CONFIG, folder: Path = ROOT) -> None:
    command = [_cli_path(), "--no-notices", "--no-color", *arguments]
    environment = aws.environment() | {
        # Makes "python3" in cdk.json the interpreter that runs this code.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "CDK_CONFIG_PATH": str(config.resolve()),
        # The CLI caches which key belongs to which account, also for other emulators, so the cache must not
        # be in the user's home.
        "CDK_HOME": str(aws.folder / "cdk-home"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
    }
    # A separate process group, so that child processes of the CLI (Python, for a synthesis) are stopped with
    # it.
    with Process("cdk", command, environment=environment, cwd=str(folder)) as cli:
        try:
            status = cli.wait(CLI_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise DeployFailed(f"cdk did not end within {CLI_SECONDS:g} s\n{cli.tail()}") from error
    if status:
        raise DeployFailed(f"cdk {arguments[0]} ended with status {status}\n{cli.tail(30)}")


def _cli_path() -> str:
    installed = ROOT / "node_modules" / ".bin" / "cdk"
    path = str(installed) if installed.exists() else shutil.which("cdk")
    if path is None:
        raise DeployFailed("the CDK CLI is not installed: run `make setup`")
    return path
