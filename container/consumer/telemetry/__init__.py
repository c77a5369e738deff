"""Logs, metrics and traces, and what is learnt from them about the length of jobs."""
