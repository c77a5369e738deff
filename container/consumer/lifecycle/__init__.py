"""The life of one task: claim, prepare, run, store, finish."""
