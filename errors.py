"""The root of every error that evolgraph raises on purpose."""


class EvolgraphError(Exception):
    """An error a person can act on, told in one line.

    `kind` is a short, stable word that programs can match (`image`, `format`, `endpoint`, `store`, ...),
    `message` says what happened, `where` names the file, line or sample, `remedy` says what to do.
    """

    kind = "error"

    def __init__(self, message: str, *, where: str = "", remedy: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.remedy = remedy
        if kind:
            self.kind = kind

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        mend = f" ({self.remedy})" if self.remedy else ""
        return " ".join(f"{place}{self.message}{mend}".split())
