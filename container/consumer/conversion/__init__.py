"""Convert images to the format that their task asks for, and remove their metadata."""
