"""Model files: the bucket, the volume, and the transfer between them."""
