"""The API's Lambda: handler (wiring) → routes (HTTP) → logic → adapters."""
