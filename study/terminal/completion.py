"""What a shell offers at Tab: scripts for bash, zsh and fish, that ask no program while somebody types."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from string import Template
from typing import Any

from study.definition import PRESETS
from study.definition.keys import keys

SHELLS = ("bash", "zsh", "fish")
_FOLDERS = ("OUT", "FOLDER", "PATH")
_FILES = ("FILE", "RESULTS", "IMAGES")


def completion(parser: argparse.ArgumentParser, shell: str) -> str:
    """A script for one of SHELLS that completes a program's commands, options and their values."""
    import shtab  # by this command alone

    for action in _actions(parser):
        if offered := _offered(action):
            action.complete = offered  # type: ignore[attr-defined]
    script = shtab.complete(parser, shell)
    return f"{script}\n{_JOINING.substitute(prog=parser.prog)}" if shell == "bash" else script


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)


def _offered(action: argparse.Action) -> Any:
    """By what an argument is called in the help; None where nothing is known of it but its `choices`."""
    match action.metavar:
        case "DEFINITION":
            return _DEFINITIONS
        case "KEY=VALUE":
            return _words("study_keys", [f"{key.name}=" for section in keys() for key in section.keys])
        case "SECTION":
            return _words("study_sections", [section.name for section in keys() if section.name])
        case str(name) if name in _FOLDERS:
            return "directory"
        case str(name) if name in _FILES:
            return "file"
    return None


def _words(name: str, words: list[str]) -> dict[str, Any]:
    """Some of these, in the terms of every shell: no blank follows one that ends in =."""
    listed, blank = " ".join(words), "-S ''" if words[0].endswith("=") else ""
    functions = {
        "bash": f'_{name}() {{ compgen -W "{listed}" -- "$1"; }}',
        "zsh": f"_{name}() {{ compadd {blank} -- {listed}; }}",
    }
    return {"bash": f"_{name}", "zsh": f"_{name}", "fish": listed, "preamble": functions}


_PRESETS = " ".join(PRESETS)
_DEFINITIONS = {
    "bash": "_study_definition_files",  # `files` in its name: shtab then has folders end in a slash
    "zsh": "_study_definitions",
    "fish": f"{_PRESETS} (_study_definitions)",
    "preamble": {
        "bash": "_study_definition_files() {\n"
        f'  compgen -W "{_PRESETS}" -- "$1"; compgen -f -X "!*.toml" -- "$1"; compgen -d -- "$1"\n'
        "}",
        "zsh": "_study_definitions() {\n"
        f"""  _alternative "presets:preset:({_PRESETS})" "files:definition:_files -g '*.toml'"\n"""
        "}",
        "fish": "function _study_definitions\n"
        "  __fish_complete_path (commandline -ct) | string match -r '^[^\\t]*(?:\\.toml|/)(?:\\t|$).*'\n"
        "end",
    },
}
"""A preset, or a TOML file in some folder."""

_JOINING = Template("""\
# bash takes KEY, = and VALUE for three words: they are one here; and no blank follows a key.
_${prog}_completion() {
  local -a joined=()
  local number current=0
  for number in "$${!COMP_WORDS[@]}"; do
    if (( number > 1 )) && [[ $${COMP_WORDS[number]} == "="* || $${COMP_WORDS[number - 1]} == "=" ]]; then
      joined[-1]+=$${COMP_WORDS[number]}
    else
      joined+=("$${COMP_WORDS[number]}")
    fi
    (( number == COMP_CWORD )) && current=$$(( $${#joined[@]} - 1 ))
  done
  COMPREPLY=()
  [[ $${joined[current]} == *=* ]] && return  # a value: files, by readline itself
  local -a COMP_WORDS=("$${joined[@]}")
  local COMP_CWORD=$$current
  _shtab_${prog}
  [[ $${COMPREPLY[0]-} == *= ]] && compopt -o nospace
  return 0
}
complete -o bashdefault -o default -F _${prog}_completion ${prog}
""")
