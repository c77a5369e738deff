#!/bin/sh
# Start ComfyUI for the consumer; further flags can be given as arguments.
set -eu
# ECS gives every container the address of the task role's credentials. The server does not need them.
unset AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_CONTAINER_CREDENTIALS_FULL_URI
exec python main.py --port "${PORT:-8188}" --disable-auto-launch --disable-api-nodes \
  --disable-all-custom-nodes --disable-metadata --preview-method none "$@"
