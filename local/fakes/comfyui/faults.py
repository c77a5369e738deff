"""Faults that can be injected, for a number of jobs or until they are cleared."""

from typing import Final

FAULTS: Final = {
    "slow": "each step takes `factor` (10) times as long",
    "hang": "the sampler stops at `at` until the fault is cleared or the job is interrupted "
    "(with `ignore_interrupt`: only until it is cleared)",
    "error": "the sampler fails at `at` with an exception of a recorded `kind` (with `node`: each node of "
    "this class does)",
    "rejected": "POST /prompt responds as in a recorded `kind` of refusal",
    "crash": "the process ends at `at`; clients see their connections closed",
    "dead-worker": "the thread that runs jobs dies at `at`: this job and all later ones stay in the queue "
    "for ever, while HTTP goes on responding",
    "interrupted": "another client interrupts the job at `at`",
    "wrong-model": "the checkpoint loader loads another model than the one that was named",
    "no-output": "output nodes succeed and report nothing",
    "reversed-outputs": "the output nodes run in the opposite order",
    "outside-name": "output nodes report a file outside the output folder",
    "missing-file": "output nodes report a file that does not exist",
    "cut-file": "output nodes write half of each file",
    "forget": "the job ends without an entry in the history, as if the server had restarted meanwhile",
    "bad-message": "an output node reports something that is not JSON: with a client_id the process ends, "
    "without one GET /history fails from then on",
    "upload-too-large": "POST /upload/image responds with 413",
    "queued-500": "POST /prompt responds with 500, although the job is queued",
    "queued-close": "POST /prompt closes the connection without a response, although the job is queued",
    "lost-interrupt": "POST /interrupt responds with 200 and does nothing",
    "lost-cancel": "POST /api/jobs/ID/cancel says that it cancelled, and does nothing",
    "deaf": "no websocket gets a message until cleared",
    "refuse": "connections are refused until cleared through the control address",
    "unavailable": "all routes respond with 503 until cleared",
}
REQUEST_FAULTS: Final = frozenset(
    {"queued-500", "queued-close", "lost-interrupt", "lost-cancel", "rejected", "upload-too-large"}
)
"""Faults that affect requests; for them, `jobs` counts requests."""

SERVER_FAULTS: Final = frozenset({"deaf", "refuse", "unavailable"})
"""Faults that affect the whole server until they are cleared."""

KINDS: Final = {
    "out-of-memory": (
        "torch.OutOfMemoryError",
        "Allocation on device 0 would exceed allowed memory. (out of memory)",
    ),
    "cuda-memory": ("RuntimeError", "CUDA out of memory. Tried to allocate 20.00 GiB"),
    "host-memory": (
        "RuntimeError",
        (
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you "
            "tried to allocate 400000000000000 bytes. Error code 12 (Cannot allocate memory)"
        ),
    ),
    "cuda": ("RuntimeError", "CUDA error: an illegal memory access was encountered"),
    "node": ("ValueError", "the h_test node raises"),
    "cublas": ("RuntimeError", "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(...)`"),
    "disk-full": ("OSError", "[Errno 28] No space left on device"),
    "broken-model": (
        "safetensors._safetensors_rust.SafetensorError",
        "Error while deserializing header: header too large",
    ),
    "half-model": (
        "safetensors._safetensors_rust.SafetensorError",
        "Error while deserializing header: incomplete metadata, file not fully covered",
    ),
    "no-model": (
        "RuntimeError",
        "ERROR: Could not detect model type of: /models/checkpoints/vae.safetensors",
    ),
    "no-clip": (
        "RuntimeError",
        (
            "ERROR: clip input is invalid: None\n\nIf the clip is from a checkpoint loader node your "
            "checkpoint does not contain a valid clip or text encoder model."
        ),
    ),
    "no-sound": ("ValueError", "No audio stream found in the file."),
    "bad-file": (
        "av.error.InvalidDataError",
        "[Errno 1094995529] Invalid data found when processing input: '/io/input/n.txt'",
    ),
}
"""Exceptions of nodes by name: type and message."""
