package redis

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// What docs/storage.md says that a player costs.
func TestMemoryPerPlayer(t *testing.T) {
	const players, batch, dataLen = 10_000, 500, 200
	for name, tt := range map[string]struct {
		config []string
		most   int // bytes
	}{
		"default settings":        {nil, 2500},
		"long values kept packed": {[]string{"--hash-max-ziplist-value", "1024"}, 1300},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, append(tt.config, "--appendfsync", "no")...)
			s := openStore(t, Options{URLs: []string{server.URL()}})
			before := whole(t, server.Info("memory")["used_memory"])
			for first := rushgate.PlayerID(1); first <= players; first += batch {
				var batchOf []rushgate.Admission
				for id := first; id < first+batch; id++ {
					batchOf = append(batchOf, registration(id))
				}
				in := admit(t, s, nodeA, batchOf...)
				for i := range in {
					c := &in[i].Character
					c.Zone, c.X, c.Y, c.Numbers["xp"], c.Numbers["level"] = "northern-forest", 1234.5678, -987.654321,
						123456+int64(c.ID), 17
					c.Numbers["hp"], c.Numbers["deaths"], c.Playtime, c.Data = 85, 3, 36e12, bytes.Repeat([]byte{'x'}, dataLen)
				}
				leave(t, s, in)
			}
			perPlayer := (whole(t, server.Info("memory")["used_memory"]) - before) / players
			record, err := server.Do("MEMORY", "USAGE", s.playerKey("player5000")).AsInt64()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes a player, %d of them the record with %d bytes of data", perPlayer, record, dataLen)
			most := tt.most
			if !strings.HasPrefix(server.Info("memory")["mem_allocator"], "jemalloc") {
				most += most / 2 // it counts what it wastes as well
			}
			if perPlayer > most {
				t.Errorf("a player takes %d bytes, want at most %d", perPlayer, most)
			}
		})
	}
}
