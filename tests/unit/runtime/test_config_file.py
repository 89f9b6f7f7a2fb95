# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The configuration file in its three formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config import Config, ConfigError, Loaded, load
from runtime.config.schema import PickSettings


def loaded(folder: Path, text: str | bytes, suffix: str = ".toml") -> Loaded:
    file = folder / f"config{suffix}"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(str(file), {}, choices={"Pick.Policy": ("least_load", "power_of_two", "score")})


def refusal(folder: Path, text: str | bytes, suffix: str = ".toml") -> str:
    """What the error says behind the file's name."""
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, suffix)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{folder / 'config'}{suffix}: ")


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".toml", '[HTTP]\nPort = 9\nReadTimeout = "1m30s"\n[Web]\nAllowedHosts = ["a", "b"]\nDebug = true'),
        (".yaml", "HTTP:\n  Port: 9\n  ReadTimeout: 1m30s\nWeb:\n  AllowedHosts: [a, b]\n  Debug: true"),
        (".yml", "HTTP: {Port: 9, ReadTimeout: 90}\nWeb: {AllowedHosts: [a, b], Debug: yes}\nLog:\n"),
        (".json", '{"HTTP": {"Port": 9, "ReadTimeout": 90.0}, "Web": {"AllowedHosts": ["a", "b"], "Debug": true}}'),
        (
            ".JSON",
            '\ufeff{"HTTP": {"Port": 9, "ReadTimeout": "90s"}, "Web": {"AllowedHosts": ["a", "b"], "Debug": true}}',
        ),
    ],
)
def test_it_reads_each_format_by_its_suffix(tmp_path: Path, suffix: str, text: str) -> None:
    config = loaded(tmp_path, text, suffix).config
    assert (config.http.port, config.http.read_timeout_seconds) == (9, 90.0)
    assert (config.web.allowed_hosts, config.web.debug) == (("a", "b"), True)


@pytest.mark.parametrize(("suffix", "text"), [(".toml", ""), (".yaml", ""), (".yaml", "# nothing"), (".json", "{}")])
def test_an_empty_file_leaves_the_defaults(tmp_path: Path, suffix: str, text: str) -> None:
    assert loaded(tmp_path, text, suffix).config == Config()


@pytest.mark.parametrize(
    ("suffix", "text", "problem"),
    [
        (".ini", "", "expected a name that ends in .toml, .yaml, .yml or .json"),
        ("", "", "expected a name that ends in .toml, .yaml, .yml or .json"),
        (".toml", "[HTTP]\nPort =\n", "Invalid value (at line 2, column 7)"),
        (".toml", "[HTTP]\nPort = 1\nPort = 2\n", "Cannot overwrite a value (at line 3, column 9)"),
        (".toml", "a = " + "1" * 5000, "Exceeds the limit (4300 digits) for integer string conversion"),
        (".toml", b"\xff", "not UTF-8 text (at byte 0)"),
        (".json", '{"HTTP": {"Port": }}', "Expecting value (at line 1, column 19)"),
        (".json", '{"HTTP": {"Port": 1, "Port": 2}}', 'the key "Port" is given twice'),
        (".json", "[" * 100_000, "nested too deeply"),
        (".json", "[]", "expected sections of keys and values, got []"),
        (".yaml", "HTTP: [", "expected the node content, but found '<stream end>' (at line 1, column 8)"),
        (".yaml", "HTTP:\n  Port: 1\n  Port: 2", 'the key "Port" is given twice (at line 3, column 3)'),
        (".yaml", "HTTP: {}\nHTTP: {}", 'the key "HTTP" is given twice (at line 2, column 1)'),
        (".yaml", "? [a]\n: 1", "found unhashable key (at line 1, column 3)"),
        (".yaml", "HTTP: \x01", "unacceptable character #x0001: special characters are not allowed"),
        (".yaml", "hello", 'expected sections of keys and values, got "hello"'),
    ],
)
def test_it_says_in_one_line_why_a_file_is_unreadable(tmp_path: Path, suffix: str, text: str, problem: str) -> None:
    assert refusal(tmp_path, text, suffix).startswith(problem)


def test_it_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"/none\.toml: No such file or directory$"):
        load(str(tmp_path / "none.toml"), {})


def test_it_names_a_folder_given_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"/folder\.yaml: Is a directory$"):
        load(str(tmp_path / "folder.yaml"), {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[Http]", 'unknown section "Http", did you mean HTTP?'),
        ("[http]", 'unknown section "http", did you mean HTTP?'),
        ("[Database]", 'unknown section "Database"'),
        ("Port = 80", 'unknown section "Port"'),
        ("HTTP = 80", "[HTTP]: expected keys and values, got 80"),
        ("[HTTP]\nport = 80", '[HTTP]: unknown key "port", did you mean Port?'),
        ("[Log]\nGinOutputs = 80", '[Log]: unknown key "GinOutputs", did you mean GinOutput?'),
        ('[HTTP]\n"a\\nb" = 80', '[HTTP]: unknown key "a\\nb"'),
    ],
)
def test_it_rejects_an_unknown_name_and_suggests_the_right_one(tmp_path: Path, text: str, problem: str) -> None:
    assert refusal(tmp_path, text) == problem


def test_it_rejects_a_name_that_is_no_text(tmp_path: Path) -> None:
    assert refusal(tmp_path, "HTTP: {2020-01-01: 1}", ".yaml") == "[HTTP]: unknown key 2020-01-01"
    assert refusal(tmp_path, "8080: 1", ".yaml") == "unknown section 8080"


@pytest.mark.parametrize(
    ("section", "key", "value", "problem"),
    [
        ("HTTP", "Port", '"http"', 'expected an integer from 0 to 65535, got "http"'),
        ("HTTP", "Port", "65536", "expected an integer from 0 to 65535, got 65536"),
        ("HTTP", "Port", "true", "expected an integer from 0 to 65535, got true"),
        ("HTTP", "Port", "80.0", "expected an integer from 0 to 65535, got 80.0"),
        ("HTTP", "Port", "2020-01-01", "expected an integer from 0 to 65535, got 2020-01-01"),
        ("HTTP", "MaxBodyBytes", "0", "expected an integer of at least 1, got 0"),
        ("HTTP", "Host", "8", "expected a string, got 8"),
        ("HTTP", "Host", '"a\\u0000b"', 'expected printable text, got "a\\u0000b"'),
        ("PProf", "Enable", '"yes"', 'expected true or false, got "yes"'),
        ("PProf", "Enable", "1", "expected true or false, got 1"),
        ("Log", "Format", '"xml"', 'expected one of "json", "text", got "xml"'),
        ("Log", "Output", f'"{"x" * 100}"', f'expected one of "file", "stderr", "stdout", got "{"x" * 76}...'),
        ("Pick", "Share", "1.01", "expected a number from 0 to 1, got 1.01"),
        ("Pick", "Share", '"5%"', 'expected a number from 0 to 1, got "5%"'),
        ("Pick", "CacheRatio", "-1", "expected a number from 0 to 1,000,000, got -1"),
        ("Pick", "RequestLoad", "nan", "expected a number from 0 to 1,000,000, got NaN"),
        ("Pick", "PrefillLoad", "inf", "expected a number from 0 to 1,000,000, got Infinity"),
        ("Pick", "CacheRatio", '"2s"', 'expected a number from 0 to 1,000,000, got "2s"'),
        ("Pick", "Policy", '"random"', 'expected one of "least_load", "power_of_two", "score", got "random"'),
        ("Web", "AllowedHosts", '"a"', 'expected a list of strings, got "a"'),
        ("Web", "AllowedHosts", '["a", 1, [], {}]', 'expected a list of strings, got ["a", 1, a list, a table]'),
        ("Web", "AllowedHosts", '["a", "b\\n"]', 'expected printable text, got ["a", "b\\n"]'),
    ],
)
def test_it_says_what_a_key_takes(tmp_path: Path, section: str, key: str, value: str, problem: str) -> None:
    assert refusal(tmp_path, f"[{section}]\n{key} = {value}") == f"[{section}] {key}: {problem}"


def test_it_rejects_a_key_without_a_value(tmp_path: Path) -> None:
    problem = "[HTTP] Port: expected an integer from 0 to 65535, got null"
    assert refusal(tmp_path, "HTTP: {Port: }", ".yaml") == problem


@pytest.mark.parametrize(
    "value", ['"0"', '"-1s"', "0", "-1", "nan", "inf", "1e10", '"5"', '"5 s"', "true", "[]", f"0x{'f' * 99}"]
)
def test_it_rejects_what_is_no_duration_above_zero(tmp_path: Path, value: str) -> None:
    expected = '[HTTP] ReadTimeout: expected a duration with its unit, such as "500ms" or "1m30s", above 0, got '
    assert refusal(tmp_path, f"[HTTP]\nReadTimeout = {value}").startswith(expected)


@pytest.mark.parametrize("value", ["2", "2.0"])
def test_a_number_without_a_fraction_is_one_too(tmp_path: Path, value: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[Pick]\nRequestLoad = {value}")
    assert load(str(file), {"METADATA_CENTER_PICK_SHARE": "0.1"}).config.pick == PickSettings(
        request_load=2.0, share=0.1
    )


@pytest.mark.parametrize("value", ['"0"', "0", "0.0", '"0s"'])
def test_a_drain_may_take_no_time(tmp_path: Path, value: str) -> None:
    assert loaded(tmp_path, f"[HTTP]\nDrainTimeout = {value}").config.http.drain_timeout_seconds == 0


def test_it_never_shows_a_secret(tmp_path: Path) -> None:
    assert refusal(tmp_path, "[Web]\nSecretKey = 12345") == "[Web] SecretKey: expected a string"
    assert refusal(tmp_path, '[Web]\nSecretKey = "hunter2\\n"') == "[Web] SecretKey: expected printable text"
    assert refusal(tmp_path, '[Celery]\nBroker = ["u:hunter2@h"]') == "[Celery] Broker: expected a string"


def test_it_takes_the_original_names_of_the_access_log(tmp_path: Path) -> None:
    log = loaded(tmp_path, f'[Log]\nGinOutput = "file"\nGinOutputFile = "{tmp_path}/access.log"').config.log
    assert (log.access_output, log.access_output_file) == ("file", f"{tmp_path}/access.log")


def test_both_names_of_the_access_log_may_agree(tmp_path: Path) -> None:
    assert loaded(tmp_path, '[Log]\nAccessOutput = "off"\nGinOutput = "off"').config.log.access_output == "off"


def test_both_names_of_the_access_log_must_agree(tmp_path: Path) -> None:
    problem = "[Log] GinOutput: differs from AccessOutput, which means the same; keep one"
    assert refusal(tmp_path, '[Log]\nAccessOutput = "off"\nGinOutput = "stderr"') == problem


def test_an_error_names_the_key_as_it_was_written(tmp_path: Path) -> None:
    assert refusal(tmp_path, '[Log]\nGinOutput = "x"').startswith("[Log] GinOutput: expected one of")
