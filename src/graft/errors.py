"""The one kind of error that is meant for the person at the keyboard."""


class GraftError(ValueError):
    """A mistake in data, parameters or set-up that the user can mend.

    The message is one line: what was given, what is allowed, what to do next. The command
    line prints it without a traceback; in a notebook it is an ordinary exception.
    """
