"""What tasks for SD Web UI may say."""
