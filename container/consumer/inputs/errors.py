"""Why an input could not be had."""

from domain.errors import ErrorCode, PermanentError, shortened
from domain.limits import MAX_PATH_LENGTH


class InputError(PermanentError):
    """End a task because of a link in it: the task's own fault, never retried.

    `message` is a sentence about "it", the link; whoever knows where the link stood says where (`at`). It is
    written from what is known here: it never holds a byte, a header or an address that the link led to.
    """

    def at(self, pointer: str) -> "InputError":
        """Return the same error, naming the input by its JSON pointer into the request."""
        return InputError(self.code, f"{shortened(pointer, MAX_PATH_LENGTH)}: {self.message}")


def blocked(why: str) -> InputError:
    """Say that the link is not one that this service follows."""
    return InputError(ErrorCode.INPUT_BLOCKED, f"The link was not followed: {why}.")


def unavailable(why: str) -> InputError:
    """Say that there was nothing to be had at the link."""
    return InputError(ErrorCode.INPUT_UNAVAILABLE, f"The link led to nothing: {why}.")


def too_large(why: str) -> InputError:
    """Say that what the link leads to is beyond a limit."""
    return InputError(ErrorCode.INPUT_TOO_LARGE, f"What the link leads to is too large: {why}.")


def not_an_image(why: str) -> InputError:
    """Say that what the link leads to is no image that tasks take."""
    return InputError(ErrorCode.INPUT_NOT_AN_IMAGE, f"What the link leads to is no usable image: {why}.")


class InputsStopped(Exception):
    """Say that inputs were no longer wanted, and given up."""
