"""Compare the start of the API's function with that of a bare client of SNS: `python -m bench.cold_start`.

Each start is a new process without bytecode, as in Lambda, and the two take turns.
"""

import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
STARTS: Final = 9
MAX_RATIO: Final = 1.8
"""The largest accepted ratio of the medians: the API's function to a bare client."""

PROGRAMS: Final = {
    "a client of SNS": "import boto3; boto3.client('sns')",
    "the API": "import functions.api.handler",
}
ENVIRONMENT: Final = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "POWERTOOLS_SERVICE_NAME": "api",
    "TASK_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:tasks",
    "RESULT_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:results",
    "OUTPUT_BUCKET": "output",
    "UPLOAD_BUCKET": "upload",
    "TASK_BUCKET": "large",
    "TASK_TABLE": "table",
    "RUNTIMES": '[{"name":"r","type":"sdwebui","modelFilename":"m","dynamicModel":false,"queueUrl":"https://q"}]',
}


def start_seconds(program: str) -> float:
    """Return the processor time of a new process until the program's imports are done."""
    timed_program = f"{program}\nimport time; print(time.process_time())"
    process = subprocess.run(
        [sys.executable, "-c", timed_program],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(process.stdout.splitlines()[-1])


def main() -> int:
    """Print the median of both programs and their ratio; return 1 if it is too large."""
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(STARTS):
        for name, program in PROGRAMS.items():
            times[name].append(start_seconds(program))
    bare_client, api = (statistics.median(each) for each in times.values())
    for name, each in times.items():
        print(f"{name:<18}{statistics.median(each):7.3f} s  ({min(each):.3f} to {max(each):.3f})")
    print(f"ratio {api / bare_client:.2f}, at most {MAX_RATIO}")
    return int(api / bare_client > MAX_RATIO)


if __name__ == "__main__":
    sys.exit(main())
