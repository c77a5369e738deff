"""Errors about inputs that cannot be used."""

from domain.errors import ErrorCode, PermanentError, shortened
from domain.limits import MAX_PATH_LENGTH


class InputError(PermanentError):
    """A task fails because of a link in it, and is not retried.

    `message` is a sentence about "it", the link; `at` adds where the link is in the request. The text
    never contains a byte, a header or an address from the link's target.
    """

    def at(self, pointer: str) -> "InputError":
        """Return the same error, naming the input by its JSON pointer into the request."""
        return InputError(self.code, f"{shortened(pointer, MAX_PATH_LENGTH)}: {self.message}")


def blocked(why: str) -> InputError:
    """Return the error for a link that this service does not follow."""
    return InputError(ErrorCode.INPUT_BLOCKED, f"The link was not followed: {why}.")


def unavailable(why: str) -> InputError:
    """Return the error for a link whose target cannot be downloaded."""
    return InputError(ErrorCode.INPUT_UNAVAILABLE, f"The link led to nothing: {why}.")


def too_large(why: str) -> InputError:
    """Return the error for a link to something that exceeds a limit."""
    return InputError(ErrorCode.INPUT_TOO_LARGE, f"What the link leads to is too large: {why}.")


def not_an_image(why: str) -> InputError:
    """Return the error for a link to something that is not a supported image."""
    return InputError(ErrorCode.INPUT_NOT_AN_IMAGE, f"What the link leads to is no usable image: {why}.")


class InputsStopped(Exception):
    """Downloading stopped because the inputs are no longer needed."""
