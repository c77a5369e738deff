"""The settings of a deployment, read from `config.yaml`."""
