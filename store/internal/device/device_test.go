package device_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/device"
)

const (
	token    = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	previous = "ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs"
	salt     = "AAECAwQFBgcICQoLDA0ODw"
)

// phone returns a device as it is written, and as it is read.
func phone() (string, rushgate.Device) {
	return `{"id":"ABC","label":"Zoës phone","epoch":3,"token":"` + token + `","prev":"` + previous +
			`","attempt":"a-1","salt":"` + salt + `","created":1700000000001,"used":1700000000002,"expires":1700000000003}`,
		rushgate.Device{
			ID: "ABC", Label: "Zoës phone", Epoch: 3, Token: token, Previous: previous, Attempt: "a-1", Salt: salt,
			CreatedAt: time.UnixMilli(1700000000001).UTC(), UsedAt: time.UnixMilli(1700000000002).UTC(),
			ExpiresAt: time.UnixMilli(1700000000003).UTC(),
		}
}

// fresh returns a device that has been remembered just now.
func fresh() (string, rushgate.Device) {
	at := time.UnixMilli(1).UTC()
	return `{"id":"DEF","label":"x","token":"` + token + `","attempt":"a","created":1,"used":1,"expires":253402300799999}`,
		rushgate.Device{
			ID: "DEF", Label: "x", Token: token, Attempt: "a", CreatedAt: at, UsedAt: at,
			ExpiresAt: time.UnixMilli(253402300799999).UTC(),
		}
}

// What is stored is read again by every later version: these values must never need to change.
func TestStoredForm(t *testing.T) {
	one, phone := phone()
	two, fresh := fresh()
	fresh.ExpiresAt = rushgate.Forever()
	two = strings.Replace(two, "253402300799999", fmt.Sprint(fresh.ExpiresAt.UnixMilli()), 1)
	for want, devices := range map[string][]rushgate.Device{
		"":                          nil,
		"[" + one + "]":             {phone},
		"[" + two + "," + one + "]": {fresh, phone},
	} {
		got, err := device.Marshal(devices)
		if err != nil || got != want {
			t.Errorf("%+v is stored as %s, %v; want %s", devices, got, err, want)
		}
		if back, err := device.Unmarshal(want); err != nil || !slices.Equal(back, devices) {
			t.Errorf("%s is read as %+v, %v", want, back, err)
		}
	}
}

// What a later version adds is passed over.
func TestUnknownField(t *testing.T) {
	text, want := phone()
	got, err := device.Unmarshal("[" + strings.TrimSuffix(text, "}") + `,"new":[1]}]`)
	if err != nil || !slices.Equal(got, []rushgate.Device{want}) {
		t.Errorf("read as %+v, %v", got, err)
	}
}

func TestUnreadable(t *testing.T) {
	text, _ := phone()
	const secret = "hunter22"
	other := func(old, changed string) string { return "[" + strings.Replace(text, old, changed, 1) + "]" }
	for _, s := range []string{
		secret, `"` + secret + `"`, "[", "[]", "{}", "null", "[null]", "[{}]", text, "[" + text + "] " + secret,
		"[" + text + "," + text + "]", other(token, secret), other(`"epoch":3`, `"epoch":-1`),
		other(`"epoch":3`, `"epoch":"`+secret+`"`), other(`"used":1700000000002`, `"used":0`),
		other(`"created":1700000000001`, `"created":1e99`),
	} {
		got, err := device.Unmarshal(s)
		if err == nil || got != nil {
			t.Errorf("%s is read as %+v", s, got)
		} else if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), token) {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
}

func TestCheck(t *testing.T) {
	const longest = 64
	many := func(n int) (devices []rushgate.Device) {
		for i := range n {
			_, d := phone()
			d.ID = fmt.Sprint(i)
			devices = append(devices, d)
		}
		return devices
	}
	if err := device.Check(many(rushgate.MaxDevices)); err != nil {
		t.Errorf("%d devices are refused: %v", rushgate.MaxDevices, err)
	}
	if err := device.Check(many(rushgate.MaxDevices + 1)); err == nil || !strings.Contains(err.Error(), "9 devices") {
		t.Errorf("%d devices: %v", rushgate.MaxDevices+1, err)
	}
	for _, tt := range []struct {
		name string
		edit func(*rushgate.Device)
		want string // empty: accepted
	}{
		{"as it is", func(*rushgate.Device) {}, ""},
		{"never rotated", func(d *rushgate.Device) { d.Previous, d.Salt = "", "" }, ""},
		{"longest label", func(d *rushgate.Device) { d.Label = strings.Repeat("é", longest/2) }, ""},
		{"long label", func(d *rushgate.Device) { d.Label = strings.Repeat("x", longest+1) }, "label of 65 bytes"},
		{"no label", func(d *rushgate.Device) { d.Label = "" }, "label"},
		{"label of two lines", func(d *rushgate.Device) { d.Label = "a\nb" }, "label"},
		{"label with C1 control", func(d *rushgate.Device) { d.Label = "a\u0085b" }, "label"},
		{"broken label", func(d *rushgate.Device) { d.Label = "\xff" }, "label"},
		{"no id", func(d *rushgate.Device) { d.ID = "" }, "id"},
		{"long id", func(d *rushgate.Device) { d.ID = strings.Repeat("x", longest+1) }, "id of 65 bytes"},
		{"id with a dot", func(d *rushgate.Device) { d.ID = "a.b" }, "id"},
		{"same id", func(d *rushgate.Device) { d.ID = "DEF" }, "id of another"},
		{"greatest epoch", func(d *rushgate.Device) { d.Epoch = rushgate.MaxEpoch }, ""},
		{"epoch too great", func(d *rushgate.Device) { d.Epoch = rushgate.MaxEpoch + 1 }, "epoch"},
		{"no token", func(d *rushgate.Device) { d.Token = "" }, "token"},
		{"short token", func(d *rushgate.Device) { d.Token = token[1:] }, "token"},
		{"padded token", func(d *rushgate.Device) { d.Token += "=" }, "token"},
		{"token of the other base64", func(d *rushgate.Device) { d.Token = "+" + token[1:] }, "token"},
		{"token with an end of line", func(d *rushgate.Device) { d.Token = token[:42] + "\n" }, "token"},
		{"token written otherwise", func(d *rushgate.Device) { d.Token = token[:42] + "V" }, "token"},
		{"bad previous token", func(d *rushgate.Device) { d.Previous = "x" }, "previous token"},
		{"no attempt", func(d *rushgate.Device) { d.Attempt = "" }, "attempt"},
		{"bad attempt", func(d *rushgate.Device) { d.Attempt = "a b" }, "attempt"},
		{"bad salt", func(d *rushgate.Device) { d.Salt = token }, "salt"},
		{"never created", func(d *rushgate.Device) { d.CreatedAt = time.Time{} }, "time"},
		{"used in 1970", func(d *rushgate.Device) { d.UsedAt = time.UnixMilli(0) }, "time"},
		{"expires in 10000", func(d *rushgate.Device) { d.ExpiresAt = rushgate.Forever().Add(time.Second) }, "time"},
	} {
		_, other := fresh()
		other.ExpiresAt = rushgate.Forever()
		_, d := phone()
		tt.edit(&d)
		err := device.Check([]rushgate.Device{other, d})
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "device 2") {
			t.Errorf("%s: error %v does not name the %s of device 2", tt.name, err, tt.want)
		} else if d.Token != "" && strings.Contains(err.Error(), d.Token) {
			t.Errorf("%s: error %v shows the token", tt.name, err)
		}
	}
}

// What can be read is written so that it reads the same.
func FuzzUnmarshal(f *testing.F) {
	one, _ := phone()
	two, _ := fresh()
	for _, s := range []string{"", "[]", "[null]", "[" + one + "]", "[" + two + "," + one + "]", `[{"ID":"x"}]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		devices, err := device.Unmarshal(s)
		if err != nil {
			return
		}
		if !slices.Equal(devices, device.Normal(devices)) {
			t.Errorf("%q is read as %+v, which no store returns", s, devices)
		}
		written, err := device.Marshal(devices)
		if err != nil {
			t.Fatal(err)
		}
		again, err := device.Unmarshal(written)
		if err != nil || !slices.Equal(devices, again) {
			t.Errorf("%q is read as %+v, written as %q, and read as %+v, %v", s, devices, written, again, err)
		}
	})
}
