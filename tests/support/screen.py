"""What a terminal shows after a program has written to it."""

import re

_PIECES = re.compile(
    r"\x1b\[(?P<count>\d*)(?P<final>[AK])|\x1b\[[?\d;]*[a-zA-Z]|(?P<control>[\r\n])|[^\x1b\r\n]+"
)


def screen(written: str) -> str:
    """Return the lines that are left, when lines were overwritten and erased as progress bars do."""
    lines, row, column = [""], 0, 0
    for piece in _PIECES.finditer(written):
        if piece["final"] == "A":
            row = max(0, row - int(piece["count"] or 1))
        elif piece["final"] == "K":
            lines[row], column = "", 0
        elif piece["control"] == "\r":
            column = 0
        elif piece["control"] == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif not piece[0].startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + piece[0] + lines[row][column + len(piece[0]) :]
            column += len(piece[0])
    return "\n".join(line.rstrip() for line in lines).strip("\n")
