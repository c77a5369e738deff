"""The browser of this machine, for what shows or tests the console."""

import shutil
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING: Final = "there is no Chromium (Debian's package: chromium)"

# The browser looks up no names and calls nobody but this machine.
ARGUMENTS: Final = (
    "--no-sandbox",  # it cannot be used as root, which CI runs as, and only our page is opened
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    *("--disable-gpu", "--disable-quic", "--disable-sync", "--disable-component-update"),
    *("--disable-background-networking", "--disable-domain-reliability", "--no-first-run", "--no-pings"),
)


def find_chromium() -> str | None:
    """Return the path of the browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)
