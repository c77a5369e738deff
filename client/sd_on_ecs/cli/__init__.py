"""The command line `sd-on-ecs`."""
