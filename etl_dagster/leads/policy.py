"""The scrub policy: which evidence makes a phone callable, and for how long.

Belongs here: reading and checking the policy file, and its hash. Does not: deciding by it, which
is `verdicts.decide`.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Final, Self

SOURCES: Final = ("ccc", "dnc")
"""Every source of evidence; a policy may require some or all of them."""
FEDERAL_MAX_AGE_DAYS: Final = 31
"""No list may be older than this at the time of a call (47 CFR 64.1200(c)(2)(i)(D))."""


class PolicyError(ValueError):
    """The policy file does not say what a policy must; the message names the file and the key."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What it takes to call a phone.

    Attributes:
        required_sources: the sources that must each say CLEAR, sorted.
        ccc_ttl_days: days that a CCC answer stays valid.
        dnc_max_age_days: days that a DNC list stays valid after its date.
    """

    required_sources: tuple[str, ...]
    ccc_ttl_days: float
    dnc_max_age_days: int

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a policy file, or the built-in policy.

        Raises:
            PolicyError: the file is missing, is not TOML, or says something a policy cannot.
        """
        name = str(path) if path else "the built-in policy"
        try:
            text = (
                path.read_text("utf-8")
                if path
                else resources.files(__package__).joinpath("policy.toml").read_text("utf-8")
            )
            return cls.from_mapping(tomllib.loads(text))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, PolicyError) as error:
            raise PolicyError(f"policy {name}: {error}") from error

    @classmethod
    def from_mapping(cls, given: Mapping[str, object]) -> Self:
        """Build a policy from parsed TOML.

        Raises:
            PolicyError: a key is missing, unknown, or has a value that a policy cannot have.
        """
        _only(given, {"required_sources", "ccc", "dnc"}, "")
        ccc, dnc = _table(given, "ccc"), _table(given, "dnc")
        _only(ccc, {"ttl_days"}, "ccc.")
        _only(dnc, {"max_age_days"}, "dnc.")
        return cls(
            required_sources=_sources(given.get("required_sources")),
            ccc_ttl_days=_days(ccc, "ccc.ttl_days"),
            dnc_max_age_days=_whole_days(dnc, "dnc.max_age_days"),
        )

    def with_limits(
        self, *, ccc_ttl_days: float | None = None, dnc_max_age_days: int | None = None
    ) -> Self:
        """Shorten validity: a limit that is longer than the policy's changes nothing."""
        return replace(
            self,
            ccc_ttl_days=min(self.ccc_ttl_days, ccc_ttl_days or self.ccc_ttl_days),
            dnc_max_age_days=min(self.dnc_max_age_days, dnc_max_age_days or self.dnc_max_age_days),
        )

    @property
    def ccc_ttl(self) -> timedelta:
        """How long a CCC answer stays valid."""
        return timedelta(days=self.ccc_ttl_days)

    @property
    def hash(self) -> str:
        """SHA-256 of the policy's meaning (64 hex digits): comments and order do not count."""
        meaning = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(meaning.encode()).hexdigest()


def _only(given: Mapping[str, object], known: set[str], prefix: str) -> None:
    if unknown := sorted(set(given) - known):
        expected = ", ".join(prefix + key for key in sorted(known))
        raise PolicyError(f"unknown key {prefix}{unknown[0]}; expected {expected}")


def _table(given: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = given.get(key)
    if not isinstance(value, dict):
        raise PolicyError(f"[{key}] is missing")
    return value


def _sources(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or any(name not in SOURCES for name in value):
        raise PolicyError(
            f"required_sources: expected a list of at least one of {', '.join(SOURCES)}"
        )
    return tuple(sorted(set(value)))


def _days(table: Mapping[str, object], key: str) -> float:
    value = table.get(key.partition(".")[2])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PolicyError(f"{key}: expected a number of days")
    if not 0 < value <= FEDERAL_MAX_AGE_DAYS:
        raise PolicyError(f"{key}: expected more than 0 and at most {FEDERAL_MAX_AGE_DAYS} days")
    return float(value)


def _whole_days(table: Mapping[str, object], key: str) -> int:
    days = _days(table, key)
    if days != int(days):
        raise PolicyError(f"{key}: expected a whole number of days")
    return int(days)
