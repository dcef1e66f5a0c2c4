-- Stands before scripts about the counter of ids.
--
-- KEYS: 1 the counter, 2 its copy.

-- less compares ids as the decimal strings they are, because they go beyond what Lua's numbers can tell apart.
local function less(a, b)
  if #a ~= #b then
    return #a < #b
  end
  return a < b
end

local function greater_of(a, b)
  return less(a, b) and b or a
end

-- read_counter returns the greatest id given out, the greatest set aside for imports, and whether the counter itself
-- knows them: it may have been lost, or be older than its copy or than floor, an id known to be in use. The first is nil
-- where nothing knows of an id, and false where what there is makes no sense.
local function read_counter(floor)
  local last, imports = unpack(redis.call('HMGET', KEYS[1], 'last', 'imports'))
  local copy, copied_imports = unpack(redis.call('HMGET', KEYS[2], 'last', 'imports'))
  for _, value in ipairs({last or '0', imports or '0', copy or '0', copied_imports or '0'}) do
    if not is_count(value) then
      return false
    end
  end
  if not last and not copy and floor == '' then
    return nil
  end
  floor = greater_of(copy or '0', floor)
  return greater_of(last or '0', floor), greater_of(imports or '0', copied_imports or '0'),
    not less(last or '0', floor) and (last or floor == '0')
end

local function write_copy()
  local last, imports = unpack(redis.call('HMGET', KEYS[1], 'last', 'imports'))
  redis.call('HSET', KEYS[2], 'last', last, 'imports', imports or '0')
end

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

