"""The consumer of a runtime's queue, which runs beside the engine."""
