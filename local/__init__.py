"""Run the whole pipeline on one machine."""
