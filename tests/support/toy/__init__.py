"""A runtime type of sixty lines, to show what a further one needs and that it needs no more."""
