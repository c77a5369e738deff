"""Tests of what the pipeline says of itself."""
