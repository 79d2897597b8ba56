"""Lists of names as query strings have them, with commas between."""

import re

_COMMA = re.compile(r" *, *")
_SIGN = re.compile(r"^[+-]? *")


def listed(text: str) -> list[str]:
    """Without the spaces beside a comma; what begins or ends the text may be a part of a name."""
    return _COMMA.split(text) if text else []


def signed(text: str) -> list[tuple[str, bool]]:
    """`+a,-b`: each name with whether a minus is before it. One sign is a sign, and the rest is the name.

    `+` may be missing, or be the space that an unquoted `+` becomes in a URL: no name begins or ends with one here.
    """
    return [(_SIGN.sub("", name), name.startswith("-")) for name in listed(text.strip())]
