package validate_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

func TestSharedName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "line-keys": true, "-": true, "0": true, strings.Repeat("z", 64): true,
		"": false, strings.Repeat("z", 65): false, "A": false, "_": false, "a.b": false, "a/b": false, "\xff": false,
	} {
		if err := validate.SharedName(name); (err == nil) != ok {
			t.Errorf("SharedName(%q) = %v", name, err)
		}
	}
}

func TestSwap(t *testing.T) {
	long := []byte(strings.Repeat("5ecret", rushgate.MaxSharedLen))
	longest := long[:rushgate.MaxSharedLen]
	for _, tt := range []struct {
		oldValue, newValue []byte
		says               string // empty: accepted
	}{
		{nil, []byte("a"), ""},
		{[]byte{}, longest, ""},
		{longest, []byte{0}, ""},
		{longest, nil, "new value of keys has 0 bytes"},
		{nil, long[:rushgate.MaxSharedLen+1], "new value of keys has 262145 bytes"},
		{long[:rushgate.MaxSharedLen+1], []byte("a"), "old value of keys has 262145 bytes"},
	} {
		err := validate.Swap("keys", tt.oldValue, tt.newValue)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("Swap of %d for %d bytes = %v, want %q", len(tt.oldValue), len(tt.newValue), err, tt.says)
		}
		if err != nil && strings.Contains(err.Error(), "5ecret") {
			t.Errorf("the error shows a value: %.100v", err)
		}
	}
	if err := validate.Swap("KEYS", nil, []byte("a")); err == nil {
		t.Error("a swap of a name that cannot be one is accepted")
	}
}

func TestShared(t *testing.T) {
	for n, ok := range map[int]bool{0: false, 1: true, rushgate.MaxSharedLen: true, rushgate.MaxSharedLen + 1: false} {
		err := validate.Shared("keys", make([]byte, n))
		if (err == nil) != ok || err != nil && !errors.Is(err, rushgate.ErrDamagedRecord) {
			t.Errorf("Shared of %d bytes = %v", n, err)
		}
	}
}
