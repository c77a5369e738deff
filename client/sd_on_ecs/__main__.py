"""`python -m sd_on_ecs` is the command `sd-on-ecs`."""

from sd_on_ecs.cli.app import main

main()
