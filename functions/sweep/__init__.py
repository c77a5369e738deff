"""The scheduled Lambda that sees to it that no task stays without its outcome."""
