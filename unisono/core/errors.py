"""The errors a user sees. The class says the kind; nobody reads it out of the sentence."""


class UserError(ValueError):
    """Something the caller can mend: one sentence saying what was expected and what to do. Shown without a
    traceback.
    """


class TooLongError(UserError):
    """A conversation or a text holds more ids than the network can."""


class StoppedError(UserError):
    """What was asked has been stopped; the same request may succeed later."""
