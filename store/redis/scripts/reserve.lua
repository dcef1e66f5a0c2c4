-- Sets ids aside, and answers with the last of them.
--
-- KEYS: the counter. ARGV: 1 how many, 2 how many to skip if some may have been forgotten.

-- history names what this server's data have come from: one start of the server, and one time of its being a master. A
-- failover, a crash or a restored backup, each of which may forget ids that were given out, shows in another name. It is
-- nil where INFO is refused or says less.
local function history()
  local server, replication = redis.pcall('INFO', 'server'), redis.pcall('INFO', 'replication')
  if type(server) ~= 'string' or type(replication) ~= 'string' then
    return nil
  end
  local run, master = string.match(server, 'run_id:(%w+)'), string.match(replication, 'master_replid:(%w+)')
  return run and master and run .. ':' .. master
end

local last, seen = unpack(redis.call('HMGET', KEYS[1], 'last', 'history'))
local now = history()
if last and (not now or now ~= seen) then
  redis.call('HINCRBY', KEYS[1], 'last', ARGV[2])
end
redis.call('HINCRBY', KEYS[1], 'last', ARGV[1])
if now and now ~= seen then
  redis.call('HSET', KEYS[1], 'history', now)
end
-- Read, because the answer of HINCRBY may be more than Lua's numbers can tell apart.
return {'reserved', redis.call('HGET', KEYS[1], 'last')}
