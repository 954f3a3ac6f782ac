"""yaml-language-server, which VS Code, neovim and other editors ask, as a child that speaks LSP over its pipes."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_ANSWER_SECONDS = 60.0
"""The first answer waits for node to load everything, on a machine that does other things, too."""

CURSOR = "‸"
"""Stands in a text where the user's cursor is."""


@dataclass(frozen=True)
class Diagnostic:
    """What an editor underlines."""

    line: int
    column: int
    """Of the first character that is underlined; both count from 1."""
    text: str
    """What is underlined, as far as the end of its line."""
    message: str


@dataclass(frozen=True)
class Completion:
    """What an editor proposes."""

    label: str
    inserted: str
    """What is typed for the user, with `$1` or `${1:…}` where they go on."""
    manual: str
    """What is shown beside it."""


class LanguageServer:
    """A running server."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path, settings: Mapping[str, object]) -> None:
        """Speak with a process that has just started.

        directory: where the files lie that are opened; nothing is written.
        settings: what an editor has under `yaml`.
        """
        assert process.stdin is not None
        assert process.stdout is not None
        self._into: IO[bytes] = process.stdin
        self._directory = directory
        self._settings = {"yaml": settings}
        self._messages: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
        self._diagnostics: dict[str, Sequence[Any]] = {}
        self._number = 0
        self._configured = False
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()
        documentation = {"completionItem": {"documentationFormat": ["markdown"], "snippetSupport": True}}
        capabilities = {"textDocument": {"completion": documentation}, "workspace": {"configuration": True}}
        self._ask("initialize", {"processId": None, "rootUri": directory.as_uri(), "capabilities": capabilities})
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": self._settings})
        while not self._configured:  # before it has asked for the settings, it would look at files without them
            self._take()

    def diagnose(self, text: str, directory: Path | None = None) -> list[Diagnostic]:
        """Open a file with *text* as an editor does, and give what is underlined.

        directory: where the file lies; None for the editor's own.
        """
        uri = self._open(text, directory or self._directory)
        while uri not in self._diagnostics:
            self._take()
        lines = text.splitlines()
        return [_diagnostic(found, lines) for found in self._diagnostics[uri]]

    def complete(self, text: str) -> list[Completion]:
        """Give what is proposed where the cursor stands in *text*."""
        answer = self._ask("textDocument/completion", self._at_cursor(text))
        items = answer["items"] if isinstance(answer, dict) else answer
        return [_completion(item) for item in items or ()]

    def hover(self, text: str) -> str:
        """Give what is shown when the mouse rests where the cursor stands in *text*."""
        answer = self._ask("textDocument/hover", self._at_cursor(text))
        return str(answer["contents"]["value"]) if answer else ""

    def stop(self) -> None:
        """Say goodbye."""
        self._ask("shutdown", None)
        self._tell("exit", None)

    def _at_cursor(self, text: str) -> Mapping[str, object]:
        before, _, after = text.partition(CURSOR)
        place = {"line": before.count("\n"), "character": len(before) - (before.rfind("\n") + 1)}
        return {"textDocument": {"uri": self._open(before + after, self._directory)}, "position": place}

    def _open(self, text: str, directory: Path) -> str:
        """Open a file that was never opened before: the server remembers what it read of others."""
        self._number += 1
        uri = (directory / f"shopbot-{self._number}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def _ask(self, method: str, params: object) -> Any:  # noqa: ANN401 - JSON of each method's own shape
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._take()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]

    def _tell(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: Mapping[str, object]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._into.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._into.flush()

    def _take(self) -> Mapping[str, Any]:
        """Take the server's next message, and answer it where it asks."""
        message = self._messages.get(timeout=_ANSWER_SECONDS)
        assert message is not None, "the language server has ended"
        if message.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif message.get("method") == "workspace/configuration":
            sections = [item.get("section", "") for item in message["params"]["items"]]
            self._send({"id": message["id"], "result": [self._settings.get(section) for section in sections]})
            self._configured = True
        elif "method" in message and "id" in message:
            self._send({"id": message["id"], "result": None})
        return message

    def _read(self, pipe: IO[bytes]) -> None:
        while header := pipe.readline():
            length = int(header.partition(b":")[2])
            while pipe.readline().strip():
                pass
            self._messages.put(json.loads(pipe.read(length)))
        self._messages.put(None)


@contextmanager
def language_server(
    command: Sequence[str], directory: Path, settings: Mapping[str, object]
) -> Iterator[LanguageServer]:
    """Run a server, with the files of *directory* open in it and with what an editor has under `yaml`."""
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing) as process:  # noqa: S603 - the tests' own
        try:
            server = LanguageServer(process, directory, settings)
            yield server
            server.stop()
        finally:
            process.kill()


def _diagnostic(found: Mapping[str, Any], lines: Sequence[str]) -> Diagnostic:
    start, end = found["range"]["start"], found["range"]["end"]
    line = lines[start["line"]] if start["line"] < len(lines) else ""
    until = end["character"] if end["line"] == start["line"] else len(line)
    text = line[start["character"] : until]
    return Diagnostic(start["line"] + 1, start["character"] + 1, text, found["message"])


def _completion(item: Mapping[str, Any]) -> Completion:
    manual = item.get("documentation") or ""
    inserted = item.get("textEdit", {}).get("newText") or item.get("insertText") or item["label"]
    return Completion(item["label"], inserted, manual["value"] if isinstance(manual, dict) else manual)
