"""What the documents' site has besides the files in `docs/`: MkDocs calls `tools.site.hooks`."""
