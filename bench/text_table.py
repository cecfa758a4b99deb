"""Tables of plain text."""

from collections.abc import Sequence


def render(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; those of numbers, the first excepted, are aligned right."""
    rows = [list(header), *(list(line) for line in lines)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(header))]
    numeric = [place > 0 and all(_is_number(line[place]) for line in lines) for place in range(len(header))]
    texts = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join([texts[0], "  ".join("-" * width for width in widths), *texts[1:]])


def _is_number(cell: str) -> bool:
    return not cell or cell[0].isdigit() or (cell[0] == "-" and cell[1:2].isdigit())
