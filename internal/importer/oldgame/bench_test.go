package oldgame

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/importer"
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
				r := mustImport(b, open(b, path), store, importer.Options{DryRun: store == nil})
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
