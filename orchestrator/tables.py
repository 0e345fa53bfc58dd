"""Reading TOML tables strictly: types checked, unknown keys refused, errors with file and line."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from orchestrator.errors import WorkspaceError, unreadable
from orchestrator.positions import line_of
from orchestrator.printable import short
from orchestrator.quantities import MODE, PERCENT, SECONDS, SIZE, Number, Quantity
from orchestrator.texts import CONFLICT, conflict_line, read_text

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\(u0{4}|U0{8})")
_HOW_KINDS_ARE_WRITTEN = "texts stand in quotes, lists in [ ]; true, false and numbers in neither"


class Table:
    """One table of a TOML file; each `take_*` reads a key, `close` refuses what is left."""

    def __init__(
        self,
        raw: Mapping[str, Any],
        file: Path,
        text: str,
        path: tuple[str, ...] = (),
        index: int = 0,
    ) -> None:
        self._raw = dict(raw)
        self._known: list[str] = []
        self._file = file
        self._text = text
        self._path = path
        self._index = index

    @classmethod
    def read(cls, file: Path, path: tuple[str, ...] = ()) -> Table:
        """Read a TOML file; `path` names the table wanted within it.

        Raises:
            WorkspaceError: The file cannot be read or is no TOML.
        """
        try:
            text = read_text(file)
        except (OSError, UnicodeDecodeError) as error:
            raise unreadable(error, file) from error
        if nul := _NUL.search(text):
            number = text.count("\n", 0, nul.start()) + 1
            hint = "no path, name or variable can have it: take it out"
            raise WorkspaceError("holds the character NUL", file=file, line=number, hint=hint)
        try:
            raw: Any = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # beyond bad TOML: the parser's limits
            raise _not_toml(error, file, text) from error
        for key in path:
            raw = raw.get(key, {}) if isinstance(raw, dict) else {}
        return cls(raw if isinstance(raw, dict) else {}, file, text, path)

    def take_str(self, key: str, default: str = "") -> str:
        """Take a string."""
        return str(self._take(key, str, "a string", default))

    def take_strs(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Take a list of strings."""
        value = self._take(key, list, "a list of strings", list(default))
        if not all(isinstance(item, str) for item in value):
            message = f"{key} must be a list of strings, not {_quoted(value)}"
            self.fail(key, message, hint=f'write {key} = ["...", "..."]')
        return tuple(value)

    def take_command(self, key: str) -> tuple[str, ...] | None:
        """Take a command in exec form; None where the key is absent."""
        given = key in self._raw
        command = self.take_strs(key)
        return command if given else None

    def take_bool(self, key: str, *, default: bool) -> bool:
        """Take a boolean."""
        return bool(self._take(key, bool, "true or false", default))

    def take_int(self, key: str, default: int) -> int:
        """Take a whole number."""
        return int(self._take(key, int, "a whole number", default))

    def take_env(self, key: str) -> dict[str, str]:
        """Take a table of strings; whole numbers are taken too.

        Other numbers are not: 1.10 would become "1.1".
        """
        value = self._take(key, dict, "a table of strings", {})
        for name, item in value.items():
            if isinstance(item, bool) or not isinstance(item, str | int):
                self.fail(key, f"{key}.{name} must be a string", hint="write it in quotes")
        return {str(name): str(item) for name, item in value.items()}

    def take_seconds(self, key: str, default: float) -> float:
        """Take a duration, such as "30s" or 30, in seconds."""
        taken = self._take_quantity(key, SECONDS, default)
        return default if taken is None else taken

    def take_size(self, key: str) -> int | None:
        """Take a size, such as "200 MB", in bytes; None where the key is absent."""
        return self._take_quantity(key, SIZE)

    def take_percent(self, key: str) -> float | None:
        """Take a share, such as "10%" or 10, in percent; None where the key is absent."""
        return self._take_quantity(key, PERCENT)

    def take_mode(self, key: str) -> int | None:
        """Take permission bits, written as "0755"; None where the key is absent.

        A number is refused: 755 and 0o755 are both meant by people, and only one is octal.
        """
        return self._take_quantity(key, MODE)

    def take_table(self, key: str) -> Table:
        """Take a table; an empty one where the key is absent."""
        raw = self._take(key, dict, "a table", {})
        return Table(raw, self._file, self._text, (*self._path, key))

    def take_named_tables(self, key: str) -> dict[str, Table]:
        """Take the tables below a table, `[key.NAME]`, by name."""
        raw = self._take(key, dict, "a table of tables", {})
        if not all(isinstance(item, dict) for item in raw.values()):
            message = f"{key} must hold tables, written [{key}.NAME]"
            self.fail(key, message, hint="give each of them a name")
        return {
            name: Table(item, self._file, self._text, (*self._path, key, name))
            for name, item in raw.items()
        }

    def take_tables(self, key: str) -> tuple[Table, ...]:
        """Take an array of tables, written with double brackets."""
        raw = self._take(key, list, "an array of tables", [])
        if not all(isinstance(item, dict) for item in raw):
            message = f"{key} must be an array of tables, written [[{key}]]"
            self.fail(key, message, hint="double brackets begin each of them")
        path = (*self._path, key)
        return tuple(Table(item, self._file, self._text, path, n) for n, item in enumerate(raw))

    @property
    def sha256(self) -> str:
        """Return the digest of the file's text."""
        return hashlib.sha256(self._text.encode()).hexdigest()

    @property
    def line(self) -> int | None:
        """Return the line on which the table begins; of an array's, on which its own part does."""
        header = re.compile(rf"\s*\[\[\s*{re.escape('.'.join(self._path))}\s*\]\]")
        lines = enumerate(self._text.splitlines(), 1)
        begins = [number for number, text in lines if header.match(text)] if self._index else []
        return begins[self._index] if begins[self._index :] else line_of(self._text, self._path)

    def has(self, key: str) -> bool:
        """Tell whether the key was given."""
        return key in self._raw

    def close(self, also: Iterable[str] = ()) -> None:
        """Refuse what was given and nobody took.

        Raises:
            WorkspaceError: A key is unknown; the hint names the nearest known one.
        """
        known = [*self._known, *also]
        for key in self._raw:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                where = f"[{'.'.join(self._path)}] " if self._path else ""
                hint = (
                    f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
                )
                self.fail(key, f"{where}unknown key {_quoted(key)}", hint=hint)

    def fail(self, key: str, message: str, hint: str) -> NoReturn:
        """Raise an error that points at the key's line, or its table's where it is missing.

        Raises:
            WorkspaceError: Always.
        """
        line = self.line_of(key) if key in self._raw or not self._path else self.line
        raise WorkspaceError(message, hint=hint, file=self._file, line=line)

    def line_of(self, key: str) -> int | None:
        """Return the line on which the key is given, as far as a scan of the text can tell."""
        begin = (self.line or 1) if self._index else 1
        lines = self._text.splitlines()[begin - 1 :]  # of an array's tables each has such keys
        found = line_of("\n".join(lines), (*self._path, key))
        return found and found + begin - 1

    def _take(self, key: str, kinds: Any, wanted: str, default: Any) -> Any:
        self._known.append(key)
        if key not in self._raw:
            return default
        value = self._raw[key]
        allowed = kinds if isinstance(kinds, tuple) else (kinds,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            self.fail(key, f"{key} must be {wanted}, not {_quoted(value)}", _HOW_KINDS_ARE_WRITTEN)
        return value

    def _take_quantity(
        self, key: str, quantity: Quantity[Number], default: Number | None = None
    ) -> Number | None:
        value = self._take(key, quantity.kinds, quantity.title, default)
        if value is None:
            return None
        parsed = quantity.parse(value)
        if parsed is None:
            message = f"{key} must be {quantity.title}, not {_quoted(value)}"
            self.fail(key, message, quantity.hint)
        return parsed


def _not_toml(error: Exception, file: Path, text: str) -> WorkspaceError:
    if conflict := conflict_line(text):
        return WorkspaceError(CONFLICT, file=file, line=conflict, hint="settle it in the file")
    line = re.search(r"at line (\d+)", str(error))
    return WorkspaceError(
        f"is not valid TOML: {'nested too deeply' if isinstance(error, RecursionError) else error}",
        file=file,
        line=int(line.group(1)) if line else None,
        hint="texts stand in quotes, lists in [ ], and a key stands once in its table",
    )


def _quoted(value: object) -> str:
    return short(repr(value))
