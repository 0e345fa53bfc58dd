"""By which names Dockerfiles mean the images of a repository: prefixes and aliases, guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.discovery.definitions import tails
from orchestrator.discovery.drafts import Draft, Undecided, in_context
from orchestrator.siblings import without_tag

_PUBLIC = frozenset(
    {"cgr.dev", "docker.io", "gcr.io", "ghcr.io", "mcr.microsoft.com", "nvcr.io", "public.ecr.aws"}
    | {"quay.io", "registry.access.redhat.com", "registry.k8s.io"}
)
_UPSTREAM = ("library", "docker.io/library", "index.docker.io/library")


@dataclass(frozen=True, slots=True)
class Guess:
    """A setting that is proposed, and what speaks for it."""

    setting: str
    because: str


@dataclass(frozen=True, slots=True)
class Names:
    """Prefixes, the commonest first, drafts with their aliases, and what is left open."""

    prefixes: tuple[str, ...]
    drafts: tuple[Draft, ...]
    guesses: tuple[Guess, ...]
    undecided: tuple[Undecided, ...]


@dataclass(frozen=True, slots=True)
class _Use:
    """A reference in an image's Dockerfile."""

    by: Draft
    text: str
    line: int

    @property
    def repository(self) -> str:
        """Return the reference without its tag."""
        return without_tag(self.text)

    @property
    def place(self) -> str:
        """Return where it is written."""
        return f"{self.by.image.file}:{self.line}"


def guess_names(drafts: Sequence[Draft]) -> Names:
    """Guess prefixes of registries and aliases of images from FROM lines and Compose files.

    A prefix is believed if Compose names an image behind it, if its host is no public registry,
    or if two images are found behind it. One that is not believed is undecided.
    """
    names = {draft.name for draft in drafts}
    uses = [use for draft in drafts for use in _uses(draft) if "@" not in use.text]
    aliases = _Aliases(set(names))
    aliases.add_from_compose(drafts)
    aliases.add_from_uses(drafts, uses)
    open_questions = aliases.undecided
    behind: dict[str, list[str]] = {}
    found: dict[str, set[str]] = {}
    for use in uses:
        prefix, _, name = use.repository.rpartition("/")
        if prefix and name in names and name != use.by.name and prefix not in _UPSTREAM:
            behind.setdefault(prefix, []).append(use.place)
            found.setdefault(prefix, set()).add(name)
    for draft in drafts:
        for build in draft.builds:
            prefix, _, name = without_tag(build.image).rpartition("/")
            if prefix and name == draft.name:
                behind.setdefault(prefix, []).append(f"{build.file} (service {build.service})")
                found.setdefault(prefix, set()).update({name, ""})
    believed = []
    for prefix, places in sorted(behind.items(), key=lambda item: (-len(item[1]), item[0])):
        if _has_private_host(prefix) or len(found[prefix]) > 1:
            believed.append(prefix)
            continue
        file, _, line = places[0].rpartition(":")
        (name,) = found[prefix]
        message = f"{prefix}/{name} may be the image {name} of this workspace, or another's"
        hint = "if it is this one, add the prefix; else nothing is to be done"
        open_questions.append(Undecided(file, int(line), message, hint, f'aliases = ["{prefix}"]'))
    prefix_guesses = [_prefix_guess(believed, prefix, behind[prefix]) for prefix in believed]
    return Names(
        tuple(believed),
        tuple(_with_aliases(draft, aliases.found.get(draft.name, [])) for draft in drafts),
        (*prefix_guesses, *aliases.guesses),
        (*open_questions, *_twofold(uses, names)),
    )


def registry_and_aliases(prefixes: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Tell the registry, the commonest prefix that has a host, from other prefixes."""
    registry = next((prefix for prefix in prefixes if _has_host(prefix)), "")
    return registry, tuple(prefix for prefix in prefixes if prefix != registry)


def _prefix_guess(believed: Sequence[str], prefix: str, places: Sequence[str]) -> Guess:
    registry, _ = registry_and_aliases(believed)
    setting = f'registry = "{prefix}"' if prefix == registry else f'aliases = ["{prefix}"]'
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return Guess(setting, f"images of this workspace are named behind it: {places[0]}{more}")


def _uses(draft: Draft) -> Iterator[_Use]:
    references = draft.image.build.uses.references if draft.image.build else ()
    for reference in references:
        yield _Use(draft, reference.name, reference.line)


def _has_host(prefix: str) -> bool:
    host = prefix.partition("/")[0]
    return "." in host or ":" in host or host == "localhost"


def _has_private_host(prefix: str) -> bool:
    return _has_host(prefix) and prefix.partition("/")[0] not in _PUBLIC


@dataclass(slots=True)
class _Aliases:
    """Names of images that are not those of their folders; each names one image."""

    taken: set[str]
    found: dict[str, list[str]] = field(default_factory=dict)
    guesses: list[Guess] = field(default_factory=list)
    undecided: list[Undecided] = field(default_factory=list)

    def add(self, draft: Draft, alias: str, because: str) -> None:
        if alias and alias not in self.taken and draft.image.build:
            self.taken.add(alias)
            self.found.setdefault(draft.name, []).append(alias)
            setting = f'[image.{draft.name}] aliases = ["{alias}"]'
            self.guesses.append(Guess(setting, because))

    def add_from_compose(self, drafts: Sequence[Draft]) -> None:
        """Take names under which Compose tags what it builds; of a shared name the tag counts.

        A name that the image's own Dockerfile has is that of a public image, tagged over.
        """
        built = [(draft, build) for draft in drafts for build in draft.builds]
        sharing: dict[str, set[str]] = {}
        for draft, build in built:
            sharing.setdefault(without_tag(build.image), set()).add(draft.name)
        for draft, build in built:
            repository = without_tag(build.image)
            is_upstream = repository in {use.repository for use in _uses(draft)}
            if repository.rpartition("/")[2] != draft.name and not is_upstream:
                is_shared = len(sharing[repository]) > 1
                because = f"so named in {build.file}"
                self.add(draft, build.image if is_shared else repository, because)

    def add_from_uses(self, drafts: Sequence[Draft], uses: Sequence[_Use]) -> None:
        """Take references that read like a folder's path."""
        names = {draft.name for draft in drafts}
        for use in uses:
            known = {use.text, use.repository} & self.taken
            if known or use.repository.rpartition("/")[2] in names:
                continue
            meant = _meant(use, drafts)
            if len(meant) == 1:
                self.add(meant[0], use.text, f"{use.place} seems to mean it")
            elif meant:
                some = " or ".join(draft.name for draft in meant)
                setting = f'[image.{meant[0].name}]\naliases = ["{use.text}"]'
                hint = "give the one that is meant an alias; leave it if none is"
                message = f"{use.text} may be {some}"
                file = str(use.by.image.file)
                self.undecided.append(Undecided(file, use.line, message, hint, setting))


def _meant(use: _Use, drafts: Sequence[Draft]) -> list[Draft]:
    """Return the images whose folder's path ends like a reference, its tag included or not.

    None where an image's own Dockerfile says it too: then it is that image's upstream.
    """
    last = use.repository.rpartition("/")[2]
    tag = use.text[len(use.repository) + 1 :]
    keys = {_key(last, tag)} if tag not in {"", "latest"} else set()
    if "/" not in use.repository:
        keys.add(_key(last))
    found = [d for d in drafts if keys & {_key(d.name), *map(_key, tails(d.folder))}]
    return [] if any(draft.name == use.by.name for draft in found) else found


def _key(*words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower())


def _with_aliases(draft: Draft, aliases: Sequence[str]) -> Draft:
    if not aliases or draft.image.build is None:
        return draft
    table = replace(draft.image.build.settings, aliases=tuple(sorted(aliases)))
    return replace(draft, image=in_context(draft.image, table))


def _twofold(uses: Sequence[_Use], names: set[str]) -> list[Undecided]:
    """Find references that are both an image of the workspace and what that image stands on."""
    upstream = {use.text for use in uses if use.repository == use.by.name}
    found = []
    for use in uses:
        if use.text in upstream and use.repository != use.by.name and use.repository in names:
            message = f"{use.text} is taken for the image {use.repository} of this workspace"
            hint = f"if the public one is meant, write docker.io/library/{use.text}"
            found.append(Undecided(str(use.by.image.file), use.line, message, hint))
    return found
