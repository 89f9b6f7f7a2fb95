# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The scripts that the log server runs, where several steps must be one. Texts in Lua.

Each is sent once and then named by its digest. `allow-oom` marks those that must run where the memory is full: they
free some, or say how the log stands. Errors begin with a word that `fault.py` knows.
"""

from __future__ import annotations

import hashlib
from typing import Final


class Script:
    """A script.

    `text`: in Lua.
    `digest`: what the server calls it by.
    """

    def __init__(self, text: str, *, when_full: bool = False) -> None:
        self.text = ("#!lua flags=allow-oom\n" if when_full else "#!lua\n") + text.strip() + "\n"
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


_CLOCK: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# KEYS nodes, generation, stream, snapshot, writer. ARGV origin, body, own position or ''.
ANNOUNCE: Final = Script(
    _CLOCK
    + """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local first, last, length, own = false, false, 0, 0
if redis.call('EXISTS', KEYS[3]) == 1 then
  length = redis.call('XLEN', KEYS[3])
  local info = redis.call('XINFO', 'STREAM', KEYS[3])
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then last = info[at + 1] end
    if info[at] == 'first-entry' and info[at + 1] then first = info[at + 1][1] end
  end
  if ARGV[3] ~= '' then own = #redis.call('XRANGE', KEYS[3], ARGV[3], ARGV[3]) end
end
return {now, redis.call('GET', KEYS[2]), first, last, length, own, redis.call('HGETALL', KEYS[1]),
  redis.call('HGETALL', KEYS[4]), redis.call('GET', KEYS[5])}
""",
    when_full=True,
)

# KEYS nodes. ARGV origin, body.
FORGET: Final = Script(
    """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return 1
""",
    when_full=True,
)

# KEYS generation, stream. ARGV expected, generation.
BEGIN: Final = Script(
    """
local found = redis.call('GET', KEYS[1]) or ''
if found ~= ARGV[1] and found ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('XADD', KEYS[2], '*', 'b', '') end
return 1
"""
)

# KEYS writer. ARGV token, milliseconds.
TAKE_LEASE: Final = Script(
    """
local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
)

# KEYS writer, slices. ARGV token, milliseconds, slices.
WRITE_SLICES: Final = Script(
    """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('LEASELOST the lease to write snapshots is another node\\'s')
end
for at = 3, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[at]) end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
)

# KEYS writer, generation, snapshot, stream, slices. ARGV token, generation, id, position, number of slices, bytes,
# cold, what the keys of slices begin with.
COMMIT: Final = Script(
    _CLOCK
    + """
local function parsed(position)
  local ms, number = string.match(position, '^(%d+)-(%d+)$')
  return {tonumber(ms), tonumber(number)}
end
local function before(one, other)
  return one[1] < other[1] or (one[1] == other[1] and one[2] < other[2])
end
local old = {}
local flat = redis.call('HGETALL', KEYS[3])
for at = 1, #flat, 2 do old[flat[at]] = flat[at + 1] end
if old.id == ARGV[3] then return 1 end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('LEASELOST the lease to write snapshots is another node\\'s')
end
if redis.call('GET', KEYS[2]) ~= ARGV[2] then
  return redis.error_reply('REFUSED the log has begun another generation meanwhile')
end
if redis.call('LLEN', KEYS[5]) ~= tonumber(ARGV[5]) then
  return redis.error_reply('REFUSED slices of the snapshot are missing or there twice')
end
if old.generation == ARGV[2] and before(parsed(ARGV[4]), parsed(old.position)) then
  return redis.error_reply('REFUSED a newer snapshot is there')
end
redis.call('PERSIST', KEYS[5])
if old.before_id then redis.call('UNLINK', ARGV[8] .. old.before_id) end
local fields = {'generation', ARGV[2], 'id', ARGV[3], 'position', ARGV[4], 'slices', ARGV[5], 'bytes', ARGV[6],
  'cold', ARGV[7], 'written_ms', tostring(now)}
redis.call('DEL', KEYS[3])
redis.call('HSET', KEYS[3], unpack(fields))
if old.id then
  redis.call('HSET', KEYS[3], 'before_id', old.id)
  if old.generation == ARGV[2] then
    redis.call('XTRIM', KEYS[4], 'MINID', '~', old.position, 'LIMIT', 1000000)
  end
end
redis.call('DEL', KEYS[1])
return 1
""",
    when_full=True,
)

# KEYS writer, slices. ARGV token.
RELEASE: Final = Script(
    """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
if redis.call('PTTL', KEYS[2]) >= 0 then redis.call('UNLINK', KEYS[2]) end
return 1
""",
    when_full=True,
)
