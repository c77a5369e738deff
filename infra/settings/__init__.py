"""What a deployment can set, and how `config.yaml` is read."""
