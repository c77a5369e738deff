"""Model files: the bucket, the volume, and what moves them."""
