#!lua name=scrip
--
-- The stock protocol's volatile half, and the second level of the template cache.
--
-- RUN, the nonce of this life of the library, lives in a variable of the library and never in a key: a key would roll
-- back with the data. A restart, a promotion or a full resynchronisation loads the library anew, and so does
-- FUNCTION LOAD REPLACE: RUN is gone, and with it every key is stale, whatever data came back.
--
-- Rules for whoever changes this file:
--   * VERSION goes up with every change. A proxy replaces an older library and refuses a newer one.
--   * scrip_run keeps its name, arguments and answer for ever. Any other function whose arguments or answer change gets
--     a new name: proxies of two releases then work side by side.
--   * A function on stock checks everything, then reads everything, then writes with one command, so that an error
--     leaves nothing behind.
--   * Counts and epochs are whole numbers below 2^53, exact in Lua's doubles. They are written with '%d': the default
--     '%.14g' would round from 10^14 on.

local VERSION = 1
local WHOLE_MAX = 9007199254740991
-- Below the limit of unpack(), with room.
local KEY_COUNT_MAX = 1000

local RUN = nil
-- RUN and a space: what the value of a living key begins with.
local PREFIX = nil

local DONE, OTHER_RUN, NOT_NEWER = 0, 1, 2

local function refuse(what)
  return redis.error_reply('ERR scrip: ' .. what)
end

local function whole(text)
  if #text == 0 or #text > 16 or string.find(text, '%D') then
    return nil
  end
  local number = tonumber(text)
  if number > WHOLE_MAX then
    return nil
  end
  return number
end

-- The arguments from `first` on as numbers, `per_key` for each key; or nil and an error reply.
local function numbers(keys, args, first, per_key)
  local expected = first - 1 + #keys * per_key
  if #keys == 0 or #keys > KEY_COUNT_MAX then
    return nil, refuse('1 to ' .. KEY_COUNT_MAX .. ' keys, not ' .. #keys)
  end
  if #args ~= expected then
    return nil, refuse(expected .. ' arguments for ' .. #keys .. ' keys, not ' .. #args)
  end
  local out = {}
  for index = first, #args do
    local number = whole(args[index])
    if not number then
      return nil, refuse('argument ' .. index .. ' is not a whole number below 2^53')
    end
    out[#out + 1] = number
  end
  return out
end

-- Epochs and counts by key; a key that is missing, of another run or not a stock has neither.
local function read(keys)
  local epochs, counts = {}, {}
  if not RUN then
    return epochs, counts
  end
  local values = redis.call('MGET', unpack(keys))
  for index = 1, #keys do
    local value = values[index]
    if value and string.sub(value, 1, #PREFIX) == PREFIX then
      local epoch, count = string.match(value, '^(%d+) (%d+)$', #PREFIX + 1)
      epochs[keys[index]], counts[keys[index]] = tonumber(epoch), tonumber(count)
    end
  end
  return epochs, counts
end

-- One command for all keys whose count changed.
local function write(changed, epochs, counts)
  local command = {}
  for key in pairs(changed) do
    command[#command + 1] = key
    command[#command + 1] = string.format('%s%d %d', PREFIX, epochs[key], counts[key])
  end
  if #command > 0 then
    redis.call('MSET', unpack(command))
  end
end

-- args: a salt that the caller drew at random. Answers the nonce and VERSION.
--
-- run_id and TIME tell two lives apart; the salt does so even where both are copied (a cloned machine, a clock set
-- back). Without the flag 'no-writes' a read-only replica refuses, so no settle takes its nonce from one.
local function run(keys, args)
  if #keys ~= 0 or #args ~= 1 or not string.find(args[1], '^%x+$') then
    return refuse('scrip_run takes no key and one salt in hexadecimal')
  end
  if not RUN then
    local id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
    local now = redis.call('TIME')
    RUN = string.format('%s-%s.%s-%s', id, now[1], now[2], args[1])
    PREFIX = RUN .. ' '
  end
  return { RUN, VERSION }
end

-- args: per key the units wanted. Answers per key the epoch and the units granted, or -1 and 0: stale.
local function deduct(keys, args)
  local wants, wrong = numbers(keys, args, 1, 1)
  if not wants then
    return wrong
  end
  local epochs, counts = read(keys)
  local answer, changed = {}, {}
  for index = 1, #keys do
    local key = keys[index]
    local count, granted = counts[key], 0
    if count then
      granted = math.min(wants[index], count)
    end
    if granted > 0 then
      counts[key], changed[key] = count - granted, true
    end
    answer[2 * index - 1], answer[2 * index] = epochs[key] or -1, granted
  end
  write(changed, epochs, counts)
  return answer
end

-- args: per key the epoch of the grant and the units. Answers how many of the keys took them.
local function release(keys, args)
  local units, wrong = numbers(keys, args, 1, 2)
  if not units then
    return wrong
  end
  local epochs, counts = read(keys)
  local taken, changed = 0, {}
  for index = 1, #keys do
    local key = keys[index]
    local epoch, count = units[2 * index - 1], units[2 * index]
    if epochs[key] == epoch then
      if counts[key] + count > WHOLE_MAX then
        return refuse('more than 2^53 units in ' .. key)
      end
      counts[key], changed[key], taken = counts[key] + count, true, taken + 1
    end
  end
  write(changed, epochs, counts)
  return taken
end

-- args: the nonce of the settle's step 0, then per key the new epoch and count. Answers a number per key.
local function install(keys, args)
  local units, wrong = numbers(keys, args, 2, 2)
  if not units then
    return wrong
  end
  local mine = args[1] == RUN
  local epochs, counts = read(keys)
  local answer, changed = {}, {}
  for index = 1, #keys do
    local key = keys[index]
    local epoch, count = units[2 * index - 1], units[2 * index]
    if not mine then
      answer[index] = OTHER_RUN
    elseif epochs[key] and epochs[key] >= epoch then
      answer[index] = NOT_NEWER
    else
      epochs[key], counts[key], changed[key], answer[index] = epoch, count, true, DONE
    end
  end
  write(changed, epochs, counts)
  return answer
end

-- Answers per key the units left, or nil: stale.
local function remaining(keys, args)
  local _, wrong = numbers(keys, args, 1, 0)
  if wrong then
    return wrong
  end
  local _, counts = read(keys)
  local answer = {}
  for index = 1, #keys do
    answer[index] = counts[keys[index]] or false
  end
  return answer
end

-- The template cache: a hash of blobs, a sorted set of their revisions, and a head, "nonce revision": the cache holds
-- every template that changed up to that revision. A cache of another run is empty, whatever data came back.
local function head_of(key)
  local value = RUN and redis.call('GET', key)
  if value and string.sub(value, 1, #PREFIX) == PREFIX then
    return tonumber(string.sub(value, #PREFIX + 1))
  end
  return nil
end

-- args: `since`, then per template its id, revision and blob: all that changed above `since`, by revision. A blob never
-- gives way to an older one. Answers the head, which moves only if it had reached `since`.
local function templates_put(keys, args)
  if #keys ~= 3 or #args % 3 ~= 1 or #args > 3 * KEY_COUNT_MAX + 1 then
    return refuse('scrip_templates_put takes 3 keys, a revision, and id, revision and blob of each template')
  end
  if not RUN then
    return refuse('no run yet: call scrip_run first')
  end
  local since = whole(args[1])
  for index = 2, #args, 3 do
    if not since or not whole(args[index]) or not whole(args[index + 1]) then
      return refuse('an id or a revision is not a whole number below 2^53')
    end
  end
  local blobs, revisions, head_key = keys[1], keys[2], keys[3]
  local head = head_of(head_key)
  if not head then
    redis.call('UNLINK', blobs, revisions, head_key)
    head = 0
  end
  local reached = since
  for index = 2, #args, 3 do
    local id, revision = args[index], whole(args[index + 1])
    local old = redis.call('ZSCORE', revisions, id)
    if not old or tonumber(old) < revision then
      redis.call('HSET', blobs, id, args[index + 2])
      redis.call('ZADD', revisions, args[index + 1], id)
    end
    reached = math.max(reached, revision)
  end
  if since <= head and reached >= head then
    head = reached
    redis.call('SET', head_key, string.format('%s%d', PREFIX, head))
  end
  return head
end

-- args: a revision, and how many templates at most. Answers the head (0: the cache is empty), then per template that
-- changed above the revision its id, revision and blob, by revision.
local function templates_changed(keys, args)
  local above, count_max = whole(args[1] or ''), whole(args[2] or '')
  if #keys ~= 3 or #args ~= 2 or not above or not count_max then
    return refuse('scrip_templates_changed takes 3 keys, a revision and a count')
  end
  local head = head_of(keys[3])
  if not head then
    return { 0 }
  end
  local bound = string.format('(%d', above)
  local found = redis.call('ZRANGEBYSCORE', keys[2], bound, '+inf', 'WITHSCORES', 'LIMIT', 0, count_max)
  local answer = { head }
  for index = 1, #found, 2 do
    answer[#answer + 1] = found[index]
    answer[#answer + 1] = found[index + 1]
    answer[#answer + 1] = redis.call('HGET', keys[1], found[index])
  end
  return answer
end

-- args: a template id. Answers its revision and blob, or nil.
local function templates_get(keys, args)
  if #keys ~= 3 or #args ~= 1 then
    return refuse('scrip_templates_get takes 3 keys and a template id')
  end
  local blob = head_of(keys[3]) and redis.call('HGET', keys[1], args[1])
  if not blob then
    return false
  end
  return { redis.call('ZSCORE', keys[2], args[1]), blob }
end

-- Deduct and release only rewrite keys of the size that they have: a full shard goes on handing out what it holds.
redis.register_function { function_name = 'scrip_run', callback = run, flags = { 'allow-oom' } }
redis.register_function { function_name = 'scrip_deduct', callback = deduct, flags = { 'allow-oom' } }
redis.register_function { function_name = 'scrip_release', callback = release, flags = { 'allow-oom' } }
redis.register_function { function_name = 'scrip_install', callback = install }
redis.register_function { function_name = 'scrip_remaining', callback = remaining, flags = { 'no-writes' } }
redis.register_function { function_name = 'scrip_templates_put', callback = templates_put }
redis.register_function { function_name = 'scrip_templates_changed', callback = templates_changed, flags = { 'no-writes' } }
redis.register_function { function_name = 'scrip_templates_get', callback = templates_get, flags = { 'no-writes' } }
