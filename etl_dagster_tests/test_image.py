"""The container image: what has to hold of its recipe, since no test here can build it."""

import re
import tomllib
from typing import Any, NamedTuple

import pytest

from etl_dagster.settings import PROJECT

PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==([^ ;]+)", re.MULTILINE)
SECRET = re.compile(r"(?i)(password|secret|token|api_?key|private_?key)")


class Line(NamedTuple):
    """An instruction of the recipe, continuation lines joined."""

    stage: int
    word: str
    rest: str


def recipe() -> list[Line]:
    text = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    lines, stage = [], -1
    for line in filter(str.strip, text.splitlines()):
        word, _, rest = line.partition(" ")
        stage += word == "FROM"
        lines.append(Line(stage, word, " ".join(rest.split())))
    return lines


def of(word: str, *, stage: int | None = None) -> list[str]:
    return [line.rest for line in recipe() if line.word == word and stage in {None, line.stage}]


def last_stage() -> int:
    return recipe()[-1].stage


def arguments() -> dict[str, str]:
    """The build arguments that stand before the first stage, with their defaults."""
    return dict(rest.split("=", 1) for rest in of("ARG", stage=-1))


def pins(file: str) -> dict[str, str]:
    return dict(PIN.findall((PROJECT / file).read_text(encoding="utf-8")))


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    return found


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~ ;]", one, maxsplit=1)[0].lower() for one in requirements}


def test_nothing_in_it_runs_as_root_and_the_user_is_a_number() -> None:
    (user,) = of("USER", stage=last_stage())
    number, group = (int(part) for part in user.split(":"))
    assert min(number, group) >= 10_000
    after = recipe()[recipe().index(Line(last_stage(), "USER", user)) :]
    assert not [line for line in after if line.word in {"RUN", "COPY", "ADD"}]
    named = [run for run in of("RUN", stage=last_stage()) if "/etc/passwd" in run]
    assert f"x:{number}:{group}:" in named[0]


def test_the_base_is_fixed_by_version_and_can_be_by_digest() -> None:
    bases = of("FROM")
    assert {base.partition(" AS ")[0] for base in bases} == {
        "python:${PYTHON}-slim-${DEBIAN}${DIGEST}"
    }
    python = arguments()["PYTHON"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", python)
    assert re.fullmatch(r"[a-z]+", arguments()["DEBIAN"])
    locked = re.search(r"--python-version (\S+)", (PROJECT / "deploy/requirements.txt").read_text())
    assert locked
    assert python.startswith(f"{locked[1]}.")
    assert project()["project"]["requires-python"] == f">={locked[1]}"


def test_whatever_is_installed_is_locked_by_hash_and_nothing_is_compiled() -> None:
    installs = [
        part for run in of("RUN") for part in re.split(r"&&|;", run) if " install " in f" {part} "
        and "pip" in part
    ]  # fmt: skip
    assert len(installs) == 2
    for install in installs:
        locked = "--require-hashes" in install and "--only-binary :all:" in install
        assert locked or ("--no-index" in install and "--no-deps" in install), install
    assert not re.search(r"apt-get|apk |curl|wget|gcc|build-essential", " ".join(of("RUN")))
    assert of("ADD") == []


def test_what_is_locked_is_what_the_tests_ran_with() -> None:
    image, tested = pins("deploy/requirements.txt"), pins("requirements.txt")
    assert len(image) > 100
    assert {name: found for name, found in image.items() if tested.get(name, found) != found} == {}
    text = (PROJECT / "deploy/requirements.txt").read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"\n(?=[a-z0-9])", text) if PIN.match(entry)]
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_it_has_what_the_project_needs_and_nothing_of_what_develops_it() -> None:
    found, image = project(), pins("deploy/requirements.txt")
    wanted = names(found["project"]["dependencies"])
    for extra in ("cluster", "redis", "s3"):
        wanted |= names(found["project"]["optional-dependencies"][extra])
    wanted |= {"dagster-k8s"}
    assert wanted <= image.keys()
    builds = names(found["build-system"]["requires"])
    removed = next(run for run in of("RUN") if " uninstall " in run).split()
    assert builds <= set(removed)
    develops = names(found["dependency-groups"]["dev"]) - builds
    assert develops & image.keys() <= wanted


def test_no_secret_can_be_in_a_layer() -> None:
    assert [
        line for line in recipe() if line.word in {"ARG", "ENV"} and SECRET.search(line.rest)
    ] == []
    assert all(copy.startswith("--from=build ") for copy in of("COPY", stage=last_stage()))


def test_the_context_has_what_is_copied_and_nothing_else() -> None:
    lines = (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {source for copy in of("COPY", stage=0) for source in copy.split()[:-1]}
    assert copied == allowed
    assert [source for source in copied if not (PROJECT / source).exists()] == []


@pytest.mark.parametrize("word", ["CMD", "HEALTHCHECK"])
def test_what_it_serves_is_what_is_asked_for_its_health(word: str) -> None:
    (port,) = of("EXPOSE", stage=last_stage())
    (said,) = of(word, stage=last_stage())
    assert f'"--port", "{port}"' in said
