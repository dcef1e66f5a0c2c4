package validate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// wantSays compares an error with what it has to say; nothing is no error. No error says what is secret.
func wantSays(t *testing.T, what string, err error, says string) {
	t.Helper()
	if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
		t.Errorf("%s: error %v, want %q", what, err, says)
	}
	if err != nil && strings.Contains(err.Error(), "5ecret") {
		t.Errorf("%s: the error shows a secret: %v", what, err)
	}
}

func TestRename(t *testing.T) {
	valid := rushgate.Rename{Player: 1, Name: "alice", NewName: "bob", Hold: rushgate.Forever()}
	for says, edit := range map[string]func(*rushgate.Rename){
		"":                       func(*rushgate.Rename) {},
		"cannot be raised":       func(r *rushgate.Rename) { r.Epoch = rushgate.MaxEpoch },
		"new name has 0 bytes":   func(r *rushgate.Rename) { r.NewName = "" },
		"new name has 129 bytes": func(r *rushgate.Rename) { r.NewName = strings.Repeat("x", 129) },
		"not UTF-8":              func(r *rushgate.Rename) { r.NewName = "\xff" },
		"new name is the old":    func(r *rushgate.Rename) { r.NewName = r.Name },
		"held until 9999":        func(r *rushgate.Rename) { r.Hold = r.Hold.Add(1) },
	} {
		r := valid
		edit(&r)
		wantSays(t, "rename", validate.Rename(&r), says)
	}
	for _, hold := range []time.Time{{}, time.UnixMilli(-1), time.UnixMilli(0)} {
		r := valid
		r.Hold, r.Epoch, r.NewName = hold, rushgate.MaxEpoch-1, strings.Repeat("x", rushgate.MaxRecordNameLen)
		wantSays(t, fmt.Sprint("hold until ", hold), validate.Rename(&r), "")
	}
}

func TestNoted(t *testing.T) {
	valid := rushgate.AccountEvent{ID: "a", At: time.UnixMilli(1), Kind: "k", Text: "one\ntwo"}
	for _, tt := range []struct {
		edit func(*rushgate.AccountEvent)
		says string
	}{
		{func(*rushgate.AccountEvent) {}, ""},
		{func(e *rushgate.AccountEvent) { e.At, e.By, e.From = rushgate.Forever(), "é", `"` }, ""},
		{func(e *rushgate.AccountEvent) { e.Text = strings.Repeat("t", rushgate.MaxEventText) }, ""},
		{func(e *rushgate.AccountEvent) { e.ID = "" }, "id of 0 bytes"},
		{func(e *rushgate.AccountEvent) { e.ID = "5ecret!" }, "id of 7 bytes"},
		{func(e *rushgate.AccountEvent) { e.At = time.UnixMilli(0) }, "1970"},
		{func(e *rushgate.AccountEvent) { e.At = rushgate.Forever().Add(1) }, "9999"},
		{func(e *rushgate.AccountEvent) { e.Kind = "" }, "no kind"},
		{func(e *rushgate.AccountEvent) { e.Kind = strings.Repeat("5ecret", 22) }, "kind has 132 bytes"},
		{func(e *rushgate.AccountEvent) { e.By = strings.Repeat("5ecret", 22) }, "by has 132 bytes"},
		{func(e *rushgate.AccountEvent) { e.From = "5ecret\n" }, "from is not UTF-8 without control"},
		{func(e *rushgate.AccountEvent) { e.Text = "5ecret\r\n" }, "text is not UTF-8 without control"},
		{func(e *rushgate.AccountEvent) { e.Text = "5ecret\xff" }, "text is not UTF-8"},
		{func(e *rushgate.AccountEvent) { e.Text = strings.Repeat("5ecret", 200) }, "text has 1200 bytes"},
	} {
		e := valid
		tt.edit(&e)
		err := validate.Noted([]rushgate.Noted{{AccountEvent: valid}, {AccountEvent: e}})
		wantSays(t, fmt.Sprintf("%.40q", e.Text), err, tt.says)
		if err != nil {
			wantSays(t, "the item", err, "event 2 of 2")
		}
	}
}

func TestTasks(t *testing.T) {
	valid := rushgate.Task{Kind: "mail-1", ID: "a", Due: time.UnixMilli(1)}
	for _, tt := range []struct {
		edit func(*rushgate.Task)
		says string
	}{
		{func(*rushgate.Task) {}, ""},
		{func(a *rushgate.Task) { a.Due, a.Data = rushgate.Forever(), make([]byte, rushgate.MaxTaskData) }, ""},
		{func(a *rushgate.Task) { a.Kind = "" }, "kind of a task has 0 bytes"},
		{func(a *rushgate.Task) { a.Kind = strings.Repeat("k", 33) }, "kind of a task has 33 bytes"},
		{func(a *rushgate.Task) { a.Kind = "a b" }, "other characters"},
		{func(a *rushgate.Task) { a.ID = "5ecret é" }, "id of 9 bytes"},
		{func(a *rushgate.Task) { a.Due = time.Time{} }, "due"},
		{func(a *rushgate.Task) { a.Data = []byte(strings.Repeat("5ecret", 683)) }, "data has 4098 bytes"},
	} {
		task := valid
		tt.edit(&task)
		err := validate.Tasks([]rushgate.Task{valid, task})
		wantSays(t, task.Kind, err, tt.says)
		if err != nil {
			wantSays(t, "the item", err, "task 2 of 2")
		}
	}
	wantSays(t, "ids", validate.TaskIDs([]rushgate.TaskID{{Kind: "a", ID: "a"}, {Kind: "a", ID: ""}}), "task 2 of 2")
	wantSays(t, "no ids", validate.TaskIDs(nil), "")
}

func TestTake(t *testing.T) {
	for _, tt := range []struct {
		kind  string
		limit int
		hold  time.Duration
		says  string
	}{
		{"a", 1, 1, ""}, {"a", rushgate.MaxPage, rushgate.MaxHold, ""}, {"", 1, 1, "0 bytes"}, {"a", 0, 1, "limit of 0"},
		{"a", rushgate.MaxPage + 1, 1, "limit of 1001"}, {"a", 1, 0, "for 0s"},
		{"a", 1, rushgate.MaxHold + 1, "24h0m0s at most"},
	} {
		wantSays(t, fmt.Sprint(tt), validate.Take(tt.kind, tt.limit, tt.hold), tt.says)
	}
}

func TestAudit(t *testing.T) {
	longest := make([]byte, rushgate.MaxAuditData)
	wantSays(t, "longest", validate.Audit([][]byte{{0}, longest}), "")
	wantSays(t, "none", validate.Audit(nil), "0 audit records")
	wantSays(t, "empty", validate.Audit([][]byte{longest, {}}), "record 2 of 2 has 0 bytes")
	wantSays(t, "long", validate.Audit([][]byte{append(longest, 0)}), "record 1 of 1 has 4097 bytes")
	most := make([][]byte, rushgate.MaxAuditAppend)
	for i := range most {
		most[i] = []byte("5ecret")
	}
	wantSays(t, "most", validate.Audit(most), "")
	wantSays(t, "many", validate.Audit(append(most, most[0])), "101 audit records")
}

func TestReplacedCredentials(t *testing.T) {
	good, bad := []rushgate.Credential{{Kind: "k"}}, []rushgate.Credential{{Secret: "5ecret"}}
	for _, tt := range []struct {
		credentials, replaces []rushgate.Credential
		says                  string
	}{
		{nil, nil, ""}, {good, nil, ""}, {[]rushgate.Credential{}, good, ""}, {nil, bad, ""}, // which says nothing
		{good, bad, "replaced: credential 1"}, {bad, good, "credential 1"},
	} {
		change := rushgate.AccountChange{Credentials: tt.credentials, Replaces: tt.replaces}
		wantSays(t, "change", validate.Changes([]rushgate.AccountChange{change}), tt.says)
		a := rushgate.Admission{Attempt: "a", Credentials: tt.credentials}
		a.Account.Credentials = tt.replaces
		wantSays(t, "admission", validate.Admissions([]rushgate.Admission{a}), tt.says)
	}
}
