package validate_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// toCome is a version of account records that is not known yet.
const toCome = rushgate.AccountVersion + 1

func TestAdmissions(t *testing.T) {
	const secret = "salt$1000$hash"
	valid := rushgate.Admission{
		Account: rushgate.Account{ID: 1, Username: "alice", PasswordHash: secret, Attempt: "a"},
		Create:  true,
		Attempt: "a",
	}
	const session = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	continued := rushgate.Admission{
		Attempt: "a", Session: session, Continue: true, Grace: rushgate.MaxResumable,
		Gone: rushgate.Instance{Node: "n", Run: "r"},
	}
	tests := []struct {
		name string
		edit func(*rushgate.Admission)
		want string // empty: accepted
	}{
		{"create", func(*rushgate.Admission) {}, ""},
		{"create without attempt_id", func(a *rushgate.Admission) { a.Account.Attempt = "" }, ""},
		{"longest attempt", func(a *rushgate.Admission) { a.Attempt = strings.Repeat("x", 64) }, ""},
		{"login", func(a *rushgate.Admission) { *a = rushgate.Admission{Attempt: "a", NewHash: secret} }, ""},
		{"no attempt", func(a *rushgate.Admission) { a.Attempt = "" }, "attempt is empty"},
		{"long attempt", func(a *rushgate.Admission) { a.Attempt = strings.Repeat("x", 65) }, "attempt has 65 bytes"},
		{"long account attempt", func(a *rushgate.Admission) { a.Account.Attempt = strings.Repeat("x", 65) },
			"account attempt has 65 bytes"},
		{"no id", func(a *rushgate.Admission) { a.Account.ID = 0 }, "account id 0"},
		{"id too great", func(a *rushgate.Admission) { a.Account.ID = math.MaxInt64 + 1 }, "account id"},
		{"no name", func(a *rushgate.Admission) { a.Account.Username = "" }, "no username"},
		{"no hash", func(a *rushgate.Admission) { a.Account.PasswordHash = "" }, "no password hash"},
		{"current version", func(a *rushgate.Admission) { a.Account.Version = rushgate.AccountVersion }, ""},
		{"oldest version", func(a *rushgate.Admission) { a.Account.Version = 1 }, ""},
		{"negative version", func(a *rushgate.Admission) { a.Account.Version = -1 }, "account version -1"},
		{"version to come", func(a *rushgate.Admission) { a.Account.Version = toCome },
			fmt.Sprint("account version ", toCome)},
		{"login to a version to come", func(a *rushgate.Admission) { a.Create, a.Account.Version = false, toCome }, ""},
		{"create disabled", func(a *rushgate.Admission) { a.Account.Disabled.Until = rushgate.Forever() }, "disabled cannot"},
		{"create with devices of before", func(a *rushgate.Admission) { a.Account.Devices.Revision = 1 }, "has devices"},
		{"create with devices", func(a *rushgate.Admission) { a.Devices = make([]rushgate.Device, 1) }, "device 1"},
		{"session", func(a *rushgate.Admission) { a.Session = session }, ""},
		{"session that is no hash", func(a *rushgate.Admission) { a.Session = secret }, "SHA-256"},
		{"continue", func(a *rushgate.Admission) { *a = continued }, ""},
		{"create to continue", func(a *rushgate.Admission) { a.Continue, a.Session = true, session }, "makes no account"},
		{"gone", func(a *rushgate.Admission) { a.Gone.Node = "n" }, "gone: instance has no run id"},
		{"negative grace", func(a *rushgate.Admission) { a.Grace = -1 }, "grace"},
		{"create with new hash", func(a *rushgate.Admission) { a.NewHash = secret }, "no hash to replace"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := valid
			tt.edit(&bad)
			err := validate.Admissions([]rushgate.Admission{valid, bad})
			if tt.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "admission 2 of 2") {
				t.Fatalf("error %v does not name %q of admission 2", err, tt.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("error %v shows a password hash", err)
			}
		})
	}
}

func TestRecords(t *testing.T) {
	const secret = "salt$1000$hash"
	valid := rushgate.Record{
		Account:   rushgate.Account{ID: 1, Username: "alice", PasswordHash: secret},
		Character: rushgate.Character{ID: 1, Name: "alice"},
	}
	rename := func(r *rushgate.Record, name string) { r.Account.Username, r.Character.Name = name, name }
	tests := []struct {
		name string
		edit func(*rushgate.Record)
		want string // empty: accepted
	}{
		{"as it is", func(*rushgate.Record) {}, ""},
		{"name of other rules", func(r *rushgate.Record) { rename(r, "X y\t!") }, ""},
		{"longest name", func(r *rushgate.Record) { rename(r, strings.Repeat("x", 128)) }, ""},
		{"with attempt", func(r *rushgate.Record) { r.Account.Attempt = "a" }, ""},
		{"longest data", func(r *rushgate.Record) { r.Character.Data = make([]byte, rushgate.MaxDataLen) }, ""},
		{"no name", func(r *rushgate.Record) { rename(r, "") }, "username has 0 bytes"},
		{"long name", func(r *rushgate.Record) { rename(r, strings.Repeat("x", 129)) }, "username has 129 bytes"},
		{"broken name", func(r *rushgate.Record) { rename(r, "a\xff") }, "username is not UTF-8"},
		{"another's character", func(r *rushgate.Record) { r.Character.ID = 2 }, "character of another"},
		{"another's name", func(r *rushgate.Record) { r.Character.Name = "bob" }, "character of another"},
		{"no hash", func(r *rushgate.Record) { r.Account.PasswordHash = "" }, "no password hash"},
		{"negative version", func(r *rushgate.Record) { r.Account.Version = -1 }, "account version -1"},
		{"version to come", func(r *rushgate.Record) { r.Account.Version = toCome }, fmt.Sprint("account version ", toCome)},
		{"long data", func(r *rushgate.Record) { r.Character.Data = make([]byte, rushgate.MaxDataLen+1) },
			"data of player 1"},
		{"long attempt", func(r *rushgate.Record) { r.Account.Attempt = strings.Repeat("x", 65) },
			"account attempt has 65 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := valid
			tt.edit(&bad)
			err := validate.Records([]rushgate.Record{valid, bad})
			if tt.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "record 2 of 2") {
				t.Fatalf("error %v does not name %q of record 2", err, tt.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("error %v shows a password hash", err)
			}
		})
	}
}

func TestSetAside(t *testing.T) {
	for id, ok := range map[rushgate.PlayerID]bool{0: false, 1: true, 10: true, 11: false, math.MaxUint64: false} {
		batch := []rushgate.Record{{Account: rushgate.Account{ID: 5}}, {Account: rushgate.Account{ID: id}}}
		if err := validate.SetAside(batch, 10); (err == nil) != ok || !ok && !strings.Contains(err.Error(), "record 2 of 2") {
			t.Errorf("SetAside of %d = %v", id, err)
		}
	}
}

func TestHighest(t *testing.T) {
	for id, ok := range map[rushgate.PlayerID]bool{0: false, 1: true, math.MaxInt64: true, math.MaxInt64 + 1: false} {
		if err := validate.Highest(id); (err == nil) != ok {
			t.Errorf("Highest(%d) = %v", id, err)
		}
	}
}

func TestInstance(t *testing.T) {
	tests := []struct {
		by rushgate.Instance
		ok bool
	}{
		{rushgate.Instance{Node: "n", Run: "r"}, true},
		{rushgate.Instance{Node: "n"}, false},
		{rushgate.Instance{Run: "r"}, false},
	}
	for _, tt := range tests {
		if err := validate.Instance(tt.by); (err == nil) != tt.ok {
			t.Errorf("Instance(%+v) = %v", tt.by, err)
		}
	}
}

func TestSaves(t *testing.T) {
	batch := []rushgate.Save{{}, {Character: rushgate.Character{ID: 7, Data: make([]byte, rushgate.MaxDataLen)}}}
	if err := validate.Saves(batch); err != nil {
		t.Errorf("the longest data was refused: %v", err)
	}
	batch[1].Character.Data = make([]byte, rushgate.MaxDataLen+1)
	if err := validate.Saves(batch); err == nil || !strings.Contains(err.Error(), "save 2 of 2: data of player 7") {
		t.Errorf("error %v does not name the data of player 7 in save 2", err)
	}
}

func TestParking(t *testing.T) {
	for resumable, ok := range map[time.Duration]bool{
		-1: false, 0: true, 1: true, rushgate.MaxResumable: true, rushgate.MaxResumable + 1: false,
	} {
		if err := validate.Saves([]rushgate.Save{{Release: true, Resumable: resumable}}); (err == nil) != ok {
			t.Errorf("a release that parks for %v: %v", resumable, err)
		}
	}
	if err := validate.Saves([]rushgate.Save{{Resumable: 1}}); err == nil {
		t.Error("a save parks and does not release")
	}
}

func TestCount(t *testing.T) {
	for n, ok := range map[int]bool{math.MinInt: false, -1: false, 0: false, 1: true, math.MaxInt: true} {
		if err := validate.Count("limit", n); (err == nil) != ok {
			t.Errorf("Count of %d = %v", n, err)
		}
	}
}
