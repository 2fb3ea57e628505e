"""Errors that are meant for a person: a mistake of the user, a picture that cannot be used."""


class GraftError(ValueError):
    """A mistake in data, parameters or set-up that the user can mend.

    The message is one line: what was given, what is allowed, what to do next. The command
    line prints it without a traceback; in a notebook it is an ordinary exception.
    """


class PictureError(ValueError):
    """A picture that cannot be used; the message says why, for a person."""
