package admin

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/mail"
	"github.com/rushgate/rushgate/internal/strictjson"
	"github.com/rushgate/rushgate/store/memory"
)

// A search that has read as much as one request may is gone on with by its cursor, until each account was looked at
// once.
func TestFindGoesOnFromACursor(t *testing.T) {
	store := memory.New(memory.Options{})
	all := make([]rushgate.Account, 1, 1201)
	all[0] = rushgate.Account{ID: 1, Username: "zoe", PasswordHash: "h", Credentials: []rushgate.Credential{
		{Kind: account.Email, Subject: "zoe@example.org"},
	}}
	for i := range 1200 {
		name := "p" + strconv.Itoa(i)
		all = append(all, rushgate.Account{ID: rushgate.PlayerID(1000 + i), Username: name, PasswordHash: "h"})
	}
	for part := all; len(part) > 0; part = part[min(len(part), 500):] {
		if _, err := store.CreateAccounts(t.Context(), part[:min(len(part), 500)]); err != nil {
			t.Fatal(err)
		}
	}
	a := &accounts{acts: &acts{logger: slog.New(slog.DiscardHandler)}, ledger: account.New(store), book: store}
	f := &finder{accounts: a, pages: 1}
	var looked []int
	found := ""
	for cursor, more := "", true; more && len(looked) < 10; more = cursor != "" {
		r := httptest.NewRequest("POST", "/accounts/find", strings.NewReader(
			`{"email":"zoe@example.org","cursor":`+strconv.Quote(cursor)+`}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		f.find(w, r)
		var page tracePage
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 {
			t.Fatalf("from %q: %d %s", cursor, w.Code, w.Body)
		}
		for _, hit := range page.Accounts {
			found += hit.Name + " after " + strconv.Itoa(len(looked))
		}
		looked, cursor = append(looked, page.Looked), page.Cursor
	}
	sum := 0
	for _, n := range looked {
		sum += n
	}
	if found != "zoe after 2" || len(looked) != 3 || sum != len(all) {
		t.Errorf("found %q, looked at %v, want zoe in the third part, %d in all", found, looked, len(all))
	}
}

// What is read as a network is one that its own address is found by, and is read as the same again.
func FuzzParseNetwork(f *testing.F) {
	for _, s := range []string{
		"203.0.113.7", "203.0.113.0/24", "2001:db8::/32", "::ffff:203.0.113.7", "::ffff:203.0.113.0/120",
		"::ffff:0.0.0.0/95", "fe80::1%eth0", "fe80::1%eth0/64", "203.0.113.7/33", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		network, err := parseNetwork(s)
		if err != nil {
			if strings.ContainsFunc(s, func(c rune) bool { return c > '~' }) && strings.Contains(err.Error(), s) {
				t.Errorf("%q is repeated by %v", s, err)
			}
			return
		}
		addr, _, _ := strings.Cut(s, "/")
		if given, err := netip.ParseAddr(addr); err != nil || given.Unmap().Is4() == network.Addr().Is4() &&
			!network.Contains(given.Unmap()) {
			t.Errorf("%q is read as %v, where its own address is not (%v)", s, network, err)
		}
		if again, err := parseNetwork(network.String()); err != nil || again != network || network.Addr().Is4In6() {
			t.Errorf("%q is read as %v, and that as %v, %v", s, network, again, err)
		}
	})
}

// What is looked for is one of the three, within its bounds, and can be looked for in any account; a refusal repeats
// nothing of what was asked.
func FuzzReadTrace(f *testing.F) {
	for _, s := range []string{
		`{"email":"Mary@Example.org"}`, `{"address":"203.0.113.0/24","cursor":"x"}`, `{"device":" Mallory's Phone "}`,
		`{"email":"a@example.org","device":"x"}`, `{"address":"fe80::1%eth0"}`, `{"device":" "}`, "{}",
	} {
		f.Add([]byte(s))
	}
	fields := []strictjson.Field{{Name: "email"}, {Name: "address"}, {Name: "device"}, {Name: "cursor"}}
	a := &rushgate.Account{Credentials: []rushgate.Credential{{Kind: account.Email, Subject: "mary@example.org"}}}
	a.Devices.List = []rushgate.Device{{Label: "Mallory's Phone"}}
	past := []rushgate.AccountEvent{{At: time.Unix(0, 0), From: "203.0.113.7 Mallory's Phone"}, {From: "no address"}}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := strictjson.Object(body, fields...)
		if err != nil {
			return
		}
		sought, err := readTrace(in)
		if err != nil {
			for _, field := range fields {
				value := in.String(field.Name)
				if strings.ContainsFunc(value, func(c rune) bool { return c > '~' }) && strings.Contains(err.Error(), value) {
					t.Errorf("%s is refused with %v", body, err)
				}
			}
			return
		}
		kinds := 0
		for _, there := range []bool{sought.email != "", sought.network.IsValid(), sought.device != ""} {
			if there {
				kinds++
			}
		}
		if kinds != 1 || in.String(sought.kind) == "" || len(in.String("cursor")) > maxCursor ||
			len(sought.email) > mail.MaxAddress {
			t.Errorf("%s is read as %+v", body, sought)
		}
		sought.inAccount(a)
		sought.inHistory(past)
	})
}
