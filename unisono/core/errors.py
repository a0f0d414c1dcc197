"""The one error a user sees."""


class UserError(ValueError):
    """Something the caller can mend: one sentence saying what was expected and what to do. Shown without a
    traceback.
    """
