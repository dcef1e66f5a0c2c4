-- Counts the players whose lease is live.
--
-- KEYS: the set of players inside. ARGV: 1 now.
return redis.call('ZCOUNT', KEYS[1], '(' .. decimal(now_ms(ARGV[1])), '+inf')
