"""How policies scale GPUs with a queue, simulated on stated latencies: `python -m bench.scaling`."""
