"""The scheduled Lambda that ensures that every task gets its outcome."""
