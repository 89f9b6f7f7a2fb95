# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Modules joined into one script do what they did apart."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.script_bundle import NotJoinable, bundle, is_module
from tests.nodes import ROOT

NODE = shutil.which("node")
CONSOLE = ROOT / "console" / "static" / "console"

MODULES = {
    "a/page.js": """\
import { twice, LIMIT as limit } from "./numbers.js";
import * as words from "../words.js";
import "./side.js";
import {
  Later,
  plain,
} from "./later.js";

const value = limit; // the name is another module's too
console.log(twice(value), words.greeting, words.shout("x"), new Later().ask(), plain());
console.log(globalThis.sides);
""",
    "a/numbers.js": """\
import { value } from "../words.js";
export const LIMIT = 20;
export function twice(number) {
  return 2 * number + value;
}
""",
    "words.js": """\
globalThis.read = (globalThis.read ?? 0) + 1;
export const value = 1;
const hello = "hello";
const shout = (text) => text.toUpperCase() + globalThis.read;
export { hello as greeting, shout };
""",
    "a/side.js": "globalThis.sides = 'seen';\n",
    "a/later.js": """\
export class Later {
  ask() {
    return 7;
  }
}
export async function wait() {}
export function plain() {
  return 8;
}
""",
}


def joined(**changed: str) -> str:
    return bundle("a/page.js", {**MODULES, **{f"a/{name}.js": text for name, text in changed.items()}}.__getitem__)


def test_no_import_and_no_export_is_left_and_each_module_is_there_once() -> None:
    script = joined()
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)
    assert script.count("globalThis.read = ") == 1
    assert script.index('const hello = "hello"') < script.index("const LIMIT") < script.index("const value = limit")


@pytest.mark.skipif(NODE is None, reason="needs Node.js to run a script")
def test_the_joined_script_does_what_the_modules_do(tmp_path: Path) -> None:
    assert NODE is not None
    for name, text in {**MODULES, "joined.mjs": joined()}.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    apart, together = (
        subprocess.run([NODE, name], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True).stdout
        for name in ("a/page.js", "joined.mjs")
    )
    assert apart == together == "41 hello X1 7 8\nseen\n"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"side": 'import { nothing } from "./later.js";\n'}, "a/side.js: a/later.js does not export nothing"),
        ({"side": 'import "./page.js";\n'}, "a/page.js: imports itself, by a/page.js and a/side.js"),
        ({"side": "export default 7;\n"}, "not known here: export default"),
        ({"side": "export let moving = 7;\n"}, "not known here: export let"),
        ({"side": 'import some from "library";\n'}, "not known here: import some"),
    ],
)
def test_what_it_does_not_know_is_refused(changed: dict[str, str], words: str) -> None:
    with pytest.raises(NotJoinable, match=words):
        joined(**changed)


def test_an_import_at_run_time_is_left_as_it_is() -> None:
    assert 'import("./late.js")' in joined(side='import("./late.js");\n')


def test_comments_on_lines_of_their_own_are_left_out() -> None:
    source = '// A.\n/** B.\n * c */\nexport class D {\n  /** E. */\n  f() { return "// g"; } // h\n}\n'
    assert bundle("a.js", {"a.js": source}.__getitem__) == 'class D {\n  f() { return "// g"; } // h\n}\n'


def test_only_scripts_with_imports_are_modules_to_join() -> None:
    assert is_module(MODULES["a/page.js"])
    assert not is_module(MODULES["a/side.js"])


def test_every_script_of_the_console_can_be_joined() -> None:
    for file in CONSOLE.glob("*.js"):
        bundle(file.name, lambda name: (CONSOLE / name).read_text())
