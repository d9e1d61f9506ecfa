#!lua name=scrip_events
--
-- The streams that events leave through. Apart from the stock's library: loading this one makes no stock stale.
--
-- RUN is the nonce of this life of the library, as in the stock's: after a restart, a promotion or a full
-- resynchronisation it is another, and the proxies then let everything leave again that their primaries still hold.
--
-- VERSION goes up with every change. scrip_events_run keeps its name, arguments and answer for ever; any other function
-- whose arguments or answer change gets a new name.

local VERSION = 1
local RUN = nil

local DONE, OTHER_RUN, SUPERSEDED = 0, 1, 2

local function refuse(what)
  return redis.error_reply('ERR scrip: ' .. what)
end

-- args: a salt in hexadecimal. Answers the run and the version.
local function run(keys, args)
  if #keys ~= 0 or #args ~= 1 or not string.find(args[1], '^%x+$') then
    return refuse('scrip_events_run takes no key and one salt in hexadecimal')
  end
  if not RUN then
    local id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
    local now = redis.call('TIME')
    RUN = string.format('%s-%s.%s-%s', id, now[1], now[2], args[1])
  end
  return { RUN, VERSION }
end

-- keys: the terms of the publishers, then the streams. args: run, primary, term, retention in milliseconds, entries that a
-- stream keeps, then for each entry the index of its stream (1 is the first), its id and its event. All or nothing, as
-- far as Redis lets it: an entry that does not fit into the memory ends the call, and all of it comes again.
local function publish(keys, args)
  local term, retention_ms = tonumber(args[3]), tonumber(args[4])
  if #keys < 2 or #args < 8 or (#args - 5) % 3 ~= 0 or not term or not retention_ms then
    return refuse('scrip_events_publish takes terms and streams, and run, primary, term, retention, length, entries')
  end
  if args[1] ~= RUN then
    return OTHER_RUN
  end
  local before = tonumber(redis.call('HGET', keys[1], args[2]) or '0')
  if before > term then
    return SUPERSEDED
  end
  if before < term then
    redis.call('HSET', keys[1], args[2], args[3])
  end
  for index = 6, #args, 3 do
    redis.call('XADD', keys[1 + tonumber(args[index])], '*', 'id', args[index + 1], 'event', args[index + 2])
  end
  local now = redis.call('TIME')
  local oldest_ms = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000) - retention_ms
  for index = 2, #keys do
    if oldest_ms > 0 then
      redis.call('XTRIM', keys[index], 'MINID', '~', string.format('%d', oldest_ms))
    end
    redis.call('XTRIM', keys[index], 'MAXLEN', '~', args[5])
  end
  return DONE
end

redis.register_function { function_name = 'scrip_events_run', callback = run, flags = { 'allow-oom' } }
redis.register_function { function_name = 'scrip_events_publish', callback = publish }
