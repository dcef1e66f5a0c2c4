package netcode

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate/internal/memnet"
)

// The history against a model: a slice that is searched from end to end. The clock may go back.
func TestTokenHistoryModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type entry struct {
			id     tokenID
			client uint64
			addr   netip.AddrPort
			expire uint64
			spent  bool
		}
		const limit = MaxTokensPerClient + 2
		h, now, forgotten := newTokenHistory(limit), uint64(1000), uint64(0)
		var model []entry
		spent := map[tokenID]bool{}
		forget := func() {
			keep := model[:0]
			for _, e := range model {
				if e.expire > now {
					keep = append(keep, e)
				} else {
					forgotten = max(forgotten, e.expire)
				}
			}
			model = keep
		}
		present := func(t *rapid.T) {
			// What a token is of and when it expires is part of the token.
			client := rapid.Uint64Range(1, 2).Draw(t, "client")
			expire := now + rapid.Uint64Range(1, 50).Draw(t, "lifetime")
			id := tokenID{byte(client), byte(expire), byte(expire >> 8), rapid.Byte().Draw(t, "token") % 4}
			from := clientAddr(rapid.IntRange(1, 3).Draw(t, "address"))
			wantOK, wantWhy, known, ofClient := true, cause(0), false, 0
			for _, e := range model {
				if e.id == id {
					known = true
					wantOK = e.addr == from && !e.spent
					wantWhy = causeReusedToken
				}
				if e.client == client {
					ofClient++
				}
			}
			switch {
			case known:
			case expire <= forgotten:
				wantOK, wantWhy = false, causeExpired
			case ofClient >= MaxTokensPerClient:
				wantOK, wantWhy = false, causeTooManyTokens
			case len(model) >= limit:
				wantOK, wantWhy = false, causeHistoryFull
			default:
				model = append(model, entry{id: id, client: client, addr: from, expire: expire})
			}
			use, why, ok := h.use(id, client, from, expire)
			if ok != wantOK || !ok && why != wantWhy {
				t.Fatalf("ok %v why %v, want %v %v", ok, why, wantOK, wantWhy)
			}
			if ok && spent[id] {
				t.Fatal("a token that has led to a connection is good for another")
			}
			if ok && rapid.Bool().Draw(t, "connects") {
				use.spent, spent[id] = true, true
				for i := range model {
					if model[i].id == id {
						model[i].spent = true
					}
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"present": present,
			"expire":  func(*rapid.T) { h.expire(now); forget() },
			"wait":    func(t *rapid.T) { now += rapid.Uint64Range(1, 30).Draw(t, "seconds") },
			"set":     func(t *rapid.T) { now -= rapid.Uint64Range(1, min(60, now)).Draw(t, "seconds back") },
			"": func(t *rapid.T) {
				sum := 0
				for _, n := range h.perClient {
					sum += n
				}
				if len(h.byID) != len(model) || len(h.byExpiry) != len(model) || sum != len(model) {
					t.Fatalf("%d tokens, %d in the heap, %d of clients, want %d", len(h.byID), len(h.byExpiry), sum,
						len(model))
				}
				if len(h.perClient) > len(model) {
					t.Fatalf("%d clients remembered for %d tokens", len(h.perClient), len(model))
				}
			},
		})
	})
}

// The handshakes against a model: a slice in the order in which they were heard of.
func TestPendingTableModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 3
		table, clock := newPendingTable(limit), time.Duration(0)
		var model []*handshake
		without := func(drop func(*handshake) bool) {
			keep := []*handshake{}
			for _, h := range model {
				if !drop(h) {
					keep = append(keep, h)
				}
			}
			model = keep
		}
		find := func(addr netip.AddrPort) *handshake {
			for _, h := range model {
				if h.addr == addr && (h.timeout == 0 || h.ends > clock) {
					return h
				}
			}
			return nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				addr := clientAddr(rapid.IntRange(1, 5).Draw(t, "address"))
				h := find(addr)
				if h == nil || rapid.Bool().Draw(t, "another token") {
					h = &handshake{addr: addr, timeout: time.Duration(rapid.IntRange(0, 3).Draw(t, "timeout"))}
				}
				without(func(old *handshake) bool { return old.addr == addr })
				if len(model) == limit {
					model = model[1:]
				}
				table.put(h, clock)
				model = append(model, h)
			},
			"remove": func(t *rapid.T) {
				if h := find(clientAddr(rapid.IntRange(1, 5).Draw(t, "address"))); h != nil {
					table.remove(h)
					without(func(old *handshake) bool { return old == h })
				}
			},
			"wait": func(*rapid.T) { clock++ },
			"expire": func(*rapid.T) {
				table.expire(clock)
				for len(model) > 0 && model[0].timeout > 0 && model[0].ends <= clock {
					model = model[1:]
				}
			},
			"": func(t *rapid.T) {
				if table.len() != len(model) || table.order.Len() != len(model) {
					t.Fatalf("%d handshakes, %d in order, want %d", table.len(), table.order.Len(), len(model))
				}
				for n := range 6 {
					if got, want := table.find(clientAddr(n), clock), find(clientAddr(n)); got != want {
						t.Fatalf("address %d: %v, want %v", n, got, want)
					}
				}
			},
		})
	})
}

// Every counter of a cause must reach its own field.
func TestIgnoredStatsShowEveryCause(t *testing.T) {
	var c counters
	for why := range causes {
		for range why + 1 {
			c.ignore(why)
		}
	}
	v := reflect.ValueOf(c.ignoredStats())
	if v.NumField() != int(causes) {
		t.Fatalf("%d fields for %d causes", v.NumField(), causes)
	}
	for i := range v.NumField() {
		if got := v.Field(i).Uint(); got != uint64(i+1) {
			t.Errorf("%s shows %d, want %d", v.Type().Field(i).Name, got, i+1)
		}
	}
}

func TestStatsCountPacketsAndBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := serve(t, memnet.Options{}, 4, nil)
		c := f.connected(1)
		c.payload("hello")
		c.drain(time.Second)
		f.server.Stop()
		c.drain(time.Second)
		sent, received := 0, 0
		for _, p := range c.sent {
			sent += len(p)
		}
		for _, p := range c.received {
			received += p.size
		}
		got := f.server.Stats()
		if got.PacketsReceived != uint64(len(c.sent)) || got.BytesReceived != uint64(sent) {
			t.Errorf("received %d packets, %d bytes, want %d, %d", got.PacketsReceived, got.BytesReceived,
				len(c.sent), sent)
		}
		if got.PacketsSent != uint64(len(c.received)) || got.BytesSent != uint64(received) || got.PacketsNotSent != 0 {
			t.Errorf("sent %d packets, %d bytes, want %d, %d; %d not sent", got.PacketsSent, got.BytesSent,
				len(c.received), received, got.PacketsNotSent)
		}
	})
}

func TestStatsAsJSON(t *testing.T) {
	b, err := json.Marshal(ServerStats{Clients: 3, Ignored: IgnoredStats{ReusedToken: 2}})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	ignored, _ := got["ignored"].(map[string]any)
	if got["clients"] != 3.0 || ignored["reused_token"] != 2.0 {
		t.Errorf("%s", b)
	}
}
