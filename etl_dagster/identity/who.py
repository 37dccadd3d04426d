"""Who sits at the keyboard, for records of what somebody did.

Belongs here: the operating system's answer. Does not: anybody's rights.
"""

import getpass
import os


def operator() -> str:
    """The user's name, as the operating system knows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return f"uid {os.getuid()}"
