"""The scrub policy: which evidence makes a phone callable, for how long, and when it may be called.

Belongs here: what a policy is, and its hash. Does not: the text of the policy file
(`policy_text.py`), deciding by it, which is `verdicts.decide`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Final, Self

from etl_dagster.leads.full_scrub import FullRules
from etl_dagster.leads.hours import Hours
from etl_dagster.leads.policy_text import (
    ALWAYS,
    APIS,
    FEDERAL_MAX_AGE_DAYS,
    MOST_SNAPSHOT_HOURS,
    SNAPSHOT_MAX_AGE_HOURS,
    TextError,
    read_text,
)

BUILT_IN: Final = "the built-in policy"
MOST_BYTES: Final = 65_536
"""What is longer is no policy file."""


class PolicyError(ValueError):
    """The policy file does not say what a policy must.

    The message has a line for each thing that is wrong: file, line, key, what was expected and
    what to do.
    """


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What it takes to call a phone.

    Attributes:
        required_sources: the sources that must each say CLEAR, sorted.
        ccc_ttl_days: days that an answer of the CCC litigator scrub stays valid.
        ccc_full: what the answers of the CCC full scrub mean.
        dnc_max_age_days: days that a DNC list stays valid after its date.
        dnc_lists: names of the lists without which the DNC store clears nobody, sorted; a list
            that is not named blocks as well, if the store has it.
        dnc_snapshot_max_age_hours: hours that a replica's snapshot of the DNC store is evidence.
        hours: between which hours of the called person's day a call may be made.
    """

    required_sources: tuple[str, ...]
    ccc_ttl_days: float
    dnc_max_age_days: int
    dnc_lists: tuple[str, ...] = ()
    dnc_snapshot_max_age_hours: float = SNAPSHOT_MAX_AGE_HOURS
    hours: Hours = field(default_factory=Hours)
    ccc_full: FullRules = field(default_factory=FullRules)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a policy file, or the built-in policy.

        Raises:
            PolicyError: the file is missing, is not TOML, or says something a policy cannot.
        """
        name = str(path) if path else BUILT_IN
        built_in = resources.files(__package__).joinpath("policy.toml")
        try:
            content = path.read_bytes() if path else built_in.read_bytes()
        except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
            raise PolicyError(f"policy {name}: cannot be read: {error}") from error
        if len(content) > MOST_BYTES:
            raise PolicyError(
                f"policy {name}: expected at most {MOST_BYTES:,} bytes of TOML, found"
                f" {len(content):,}: this is some other file"
            )
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise PolicyError(
                f"policy {name}, line {line}: cannot be read: {error}; save the file as UTF-8"
            ) from error
        return cls.from_text(text, name=name)

    @classmethod
    def from_text(cls, text: str, *, name: str = BUILT_IN) -> Self:
        """Build a policy from the text of a policy file.

        Args:
            text: TOML.
            name: what errors call the file.

        Raises:
            PolicyError: the text is not TOML, or says something a policy cannot.
        """
        try:
            return cls(**read_text(text))
        except TextError as error:
            lines = [
                f"policy {name}{f', line {line}' if line else ''}: {says}"
                for line, says in error.problems
            ]
            raise PolicyError("\n".join(lines)) from error

    def with_limits(
        self, *, ccc_ttl_days: float | None = None, dnc_max_age_days: int | None = None
    ) -> Self:
        """Shorten validity: a limit that is longer than the policy's changes nothing.

        Args:
            ccc_ttl_days: bound for the answers of both of CCC's services.
            dnc_max_age_days: bound for the ages of lists.
        """
        full = self.ccc_full
        return replace(
            self,
            ccc_ttl_days=min(self.ccc_ttl_days, ccc_ttl_days or self.ccc_ttl_days),
            ccc_full=replace(full, ttl_days=min(full.ttl_days, ccc_ttl_days or full.ttl_days)),
            dnc_max_age_days=min(self.dnc_max_age_days, dnc_max_age_days or self.dnc_max_age_days),
        )

    @property
    def apis(self) -> tuple[str, ...]:
        """The services that a run asks, in the order in which it does."""
        return tuple(name for name in APIS if name in {*ALWAYS, *self.required_sources})

    def ttl(self, api: str) -> timedelta:
        """How long an answer of a service stays valid."""
        return timedelta(days=self.ccc_ttl_days if api == "ccc" else self.ccc_full.ttl_days)

    @property
    def dnc_snapshot_max_age(self) -> timedelta:
        """How long after its export a snapshot of the DNC store is evidence."""
        return timedelta(hours=self.dnc_snapshot_max_age_hours)

    @property
    def hash(self) -> str:
        """SHA-256 of the policy's meaning (64 hex digits): how it is written does not count."""
        return hashlib.sha256(self.meaning.encode()).hexdigest()

    @property
    def meaning(self) -> str:
        """What the policy says, as canonical JSON: the same for files that mean the same."""
        said = replace(self, ccc_ttl_days=float(self.ccc_ttl_days), hours=self.hours.meaning)
        meaning = asdict(said)
        # left out where nothing is said of it: policies from before there was such a bound mean
        # what they meant, and have the hash that verdicts have
        if said.dnc_snapshot_max_age_hours == SNAPSHOT_MAX_AGE_HOURS:
            del meaning["dnc_snapshot_max_age_hours"]
        if "ccc_full" not in self.required_sources:
            del meaning["ccc_full"]
        return json.dumps(meaning, sort_keys=True, separators=(",", ":"), default=str)


LOOSEST: Final = Policy(
    required_sources=ALWAYS,
    ccc_ttl_days=FEDERAL_MAX_AGE_DAYS,
    dnc_max_age_days=FEDERAL_MAX_AGE_DAYS,
    dnc_snapshot_max_age_hours=MOST_SNAPSHOT_HOURS,
)
"""Whom the Do-Not-Call store does not clear under this one, it clears under no policy."""
