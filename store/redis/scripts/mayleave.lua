-- Says whether an account can leave its name.
--
-- KEYS: the record. ARGV: 1 now, 2 id, 3 epoch.
return may_leave(KEYS[1], ARGV[1], ARGV[2], ARGV[3]) or {'may'}
