"""Messages of the runtime's queue, and which of them goes first."""
