-- Writes, as the other scripts do, so that a server which does not let them says so.
--
-- KEYS: a key of its own. ARGV: 1 how long it lives.
redis.call('HSET', KEYS[1], 'probed', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {'taken'}
