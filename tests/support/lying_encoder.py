"""A process in place of the one that converts images, whose responses have the fault that a request names."""

import json
import sys
from typing import Final

from container.consumer.conversion.encoder import read_block, write_block

LONG: Final = 8 * 1024 * 1024
"""More than a response for 1,000,000 pixels may have."""


def main() -> None:
    """Serve requests until standard input ends."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while header := read_block(source):
        options = json.loads(header)
        image, fault = read_block(source), options["fault"]
        answer = {"notes": [], "request": options["request"] - (fault == "other request")}
        right = json.dumps(answer).encode()
        texts = {"no JSON": b"{", "no object": b"[]", "long answer": right.ljust(LONG)}
        write_block(target, texts.get(fault, right))
        write_block(target, image.ljust(LONG) if fault == "long image" else image)
        target.flush()


if __name__ == "__main__":
    main()
