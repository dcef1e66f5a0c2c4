-- Replaces the password hash of a record that exists.
--
-- KEYS: the record. ARGV: 1 password hash, 2 version of the record.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'missing'}
end
redis.call('HSET', KEYS[1], 'password_hash', ARGV[1], 'account_version', ARGV[2])
return {'set'}
