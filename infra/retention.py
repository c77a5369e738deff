"""How long things wait and last, beside what `domain.limits` says for both sides."""

from typing import Final

from domain.limits import ROW_DAYS

# As long as the row that tells what became of the task. Content by reference is there for less
# (`LARGE_CONTENT_DAYS`), so an operator redrives within a week.
ARCHIVE_DAYS: Final = ROW_DAYS

# In the large-task bucket: what messages refer to (`domain.keys.content_key`).
CONTENT_PREFIX: Final = "content/"

SWEEP_TIMEOUT_SECONDS: Final = 120
# "Queued for minutes while its queue holds nothing": looking more often finds nothing sooner.
SWEEP_EVERY_MINUTES: Final = 5

DEAD_LETTER_TIMEOUT_SECONDS: Final = 30
# AWS asks for six times the function's timeout, so that retries of a slow batch do not overlap.
DEAD_LETTER_VISIBILITY_SECONDS: Final = 6 * DEAD_LETTER_TIMEOUT_SECONDS
