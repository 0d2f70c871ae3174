"""The distributions that ptx and its plugins ask for: which are missing, which have another version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, entry_points

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ptx.cli.doctor.line import Line
from ptx.machine import installed_version

#: the libraries whose versions a bug report needs
SHOWN = ("torch", "transformers", "trl", "peft", "datasets", "llmcompressor", "lm-eval", "hydra-core")


def look() -> list[Line]:
    """The versions that matter, and everything in the closure of ptx that does not fit together."""
    versions = ", ".join(f"{name} {installed_version(name) or 'missing'}" for name in SHOWN)
    faults = [
        Line(
            of,
            f"needs {requirement}, installed is {found or 'none'}",
            "wrong",
            f"pip install '{requirement}'",
        )
        for of, requirement, found in conflicts(providers())
    ]
    return [Line("libraries", versions), *(faults or [Line("versions", "all fit together")])]


def providers() -> list[str]:
    """The distributions that bring plugins: ptx itself first."""
    found = {point.dist.name for point in entry_points(group="ptx") if point.dist}
    return sorted(found, key=lambda name: (name != "ptx", name))


def conflicts(names: Iterable[str]) -> list[tuple[str, str, str]]:
    """(distribution, what it requires, installed version or nothing) for each requirement that is not met.

    The requirements of ``names`` are followed to the end. An extra is followed where a requirement asks for
    it; what an extra adds that nobody asked for may be absent.
    """
    found, seen, left = [], set(), [Requirement(name) for name in names]
    while left:
        wanted = left.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        held = _installed(wanted.name)
        if key in seen or held is None:
            continue
        seen.add(key)
        for requirement in requirements(held, wanted.extras):
            version = installed_version(requirement.name)
            if not version or not requirement.specifier.contains(version, prereleases=True):
                found.append((f"{held.name} {held.version}", _plain(requirement), version))
            else:
                left.append(requirement)
    return list(dict.fromkeys(found))


def requirements(of: Distribution, extras: Iterable[str] = ()) -> Iterator[Requirement]:
    """What a distribution requires on this machine, with the given extras."""
    for text in of.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # of an old distribution; pip skips it too
            continue
        if requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
        ):
            yield requirement


def extra_with(name: str) -> str:
    """What to give to pip so that a distribution is installed: ``ptx[onnx]`` where an extra of ptx has it."""
    own = _installed("ptx")
    for extra in sorted(own.metadata.get_all("Provides-Extra", [])) if own else []:
        plain = {canonicalize_name(one.name) for one in requirements(own)} if own else set()
        added = {canonicalize_name(one.name) for one in requirements(own, [extra])} if own else set()
        if canonicalize_name(name) in added - plain:
            return f"ptx[{extra}]"
    return name


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _plain(requirement: Requirement) -> str:
    """The requirement without its marker: as it is given to pip."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"
