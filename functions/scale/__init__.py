"""The Lambda that sets how many GPUs each runtime has."""
