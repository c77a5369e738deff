"""What the tasks of each runtime type may say: pure, no I/O."""
