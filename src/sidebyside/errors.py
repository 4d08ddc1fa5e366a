"""The one exception that is the user's to read."""


class UserError(Exception):
    """A mistake or an obstacle that the user can remove.

    The message is complete: it names the value, what is allowed and how to go on. Commands print
    it alone, without a traceback, and exit with 2.
    """
