"""One line of the doctor."""

from dataclasses import dataclass

OK, NOTE, BROKEN = "ok", "note", "BROKEN"


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found, and what to do where it is not ok."""

    state: str
    what: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.state:<6} {self.what}: {self.found}" + (
            f"; {self.remedy}" * bool(self.remedy)
        )
