"""The faults that can be injected into the fake SD Web UI; words in code font are their parameters."""

FAULTS = {
    "slow": "each step takes `factor` (10) times as long",
    "hang": "the job stops at `at` until the fault is cleared or the job is interrupted "
    "(with `ignore_interrupt`: only until it is cleared)",
    "error": "500 of a recorded `kind`, after the work up to `at`",
    "out-of-memory": "500 with torch's CUDA out of memory, after the work up to `at`",
    "crash": "the process ends at `at`; clients see their connection closed",
    "close": "the connection is closed without a response after the job",
    "truncate": "200, but the connection ends in the middle of the body",
    "refuse": "connections are refused until cleared through the control address",
    "not-ready": "404 for everything below /sdapi until cleared, as with --gap-seconds",
    "unhealthy": "all jobs fail from the next one on, as after a corrupt checkpoint",
    "wrong-model": "200, but with a checkpoint that is not the selected one",
    "no-images": "200 with `images: []`",
    "fewer-images": "200 with one image less than requested",
    "interrupted": "another client interrupts the job at `at`: 200 with an unfinished image",
}
UNTIL_CLEARED = frozenset({"refuse", "not-ready"})  # these concern the server and not a job
