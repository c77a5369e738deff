#!/bin/sh
# Start SD Web UI for the consumer; further flags can be given as arguments.
set -eu
# ECS gives every container the address of the task role's credentials. The server does not need them.
unset AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI
if [ -n "${SD_MODEL_CHECKPOINT:-}" ]; then set -- --ckpt "models/Stable-diffusion/$SD_MODEL_CHECKPOINT" "$@"; fi
if [ -n "${CONFIG_FILE:-}" ]; then set -- --ui-settings-file "$CONFIG_FILE" "$@"; fi
# Everything is installed, and a start must not depend on GitHub or a package index.
exec python launch.py --skip-prepare-environment --nowebui --api --port "${PORT:-8080}" \
  --no-download-sd-model --skip-version-check "$@"
