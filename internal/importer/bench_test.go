package importer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/rushgate/rushgate"
)

// writePlayers makes a file of n accounts followed by their n characters.
func writePlayers(tb testing.TB, n int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "records.jsonl")
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriter(f)
	encode := json.NewEncoder(w)
	for i := range n {
		if err := encode.Encode(accountRecord(fmt.Sprintf("player-%07d", i), i+1)); err != nil {
			tb.Fatal(err)
		}
	}
	for i := range n {
		if err := encode.Encode(playerRecord(i + 1)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// BenchmarkImport imports 10,000 players an iteration.
func BenchmarkImport(b *testing.B) {
	const players = 10_000
	path := writePlayers(b, players)
	for name, newStore := range map[string]func(testing.TB) rushgate.Store{
		"check":  func(testing.TB) rushgate.Store { return nil },
		"memory": newMemory,
		"sqlite": newSQLite,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				store := newStore(b)
				b.StartTimer()
				r := mustImport(b, open(b, path), store, Options{DryRun: store == nil})
				if r.Imported != players {
					b.Fatalf("%+v", r)
				}
			}
			b.ReportMetric(float64(b.N*players)/b.Elapsed().Seconds(), "players/s")
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for name, value := range map[string]string{"account": accountRecord("bob", 12).Value, "player": samplePlayer} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// heap is how much memory is in use.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// What the first pass keeps of a player is small enough for millions.
func TestIndexIsCompact(t *testing.T) {
	var x index
	var r Report
	const n = 20_000
	before := heap()
	for i := range n {
		for _, rec := range pair(fmt.Sprintf("player-%07d", i), i+1) {
			x.add(item{ref: ref{key: rec.Key}, value: rec.Value}, &r)
		}
	}
	x.settle(false, &r)
	if perPlayer := (heap() - before) / n; perPlayer > 200 || r.Refused != 0 {
		t.Errorf("%d bytes for each player, %d refused", perPlayer, r.Refused)
	}
	if x.highest != n {
		t.Errorf("highest id %d", x.highest)
	}
}
