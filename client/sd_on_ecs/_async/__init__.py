"""The asynchronous client; the modules in `_sync` are generated from these."""
