"""Fakes of the inference servers, for a machine without a GPU."""
