"""What an error of Keras or TensorFlow comes to, in a line."""

import re

_WHERE = "Exception encountered when calling"  # a line of Keras', before the one that says why
_COLOUR = re.compile(r"\x1b\[\d*m")
_OPERATION = re.compile(r"^\{\{function_node [^}]*\}\} | \[Op:.*$")  # around TensorFlow's sentence


def reason(error: Exception) -> str:
    """Return the line of an error that says why, without a full stop."""
    lines = [line.strip() for line in _COLOUR.sub("", str(error)).splitlines()]
    told = [line for line in lines if line and not line.startswith(_WHERE)]
    return _OPERATION.sub("", told[0]).rstrip(".") if told else type(error).__name__
