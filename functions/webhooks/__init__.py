"""The Lambda that delivers webhooks."""
