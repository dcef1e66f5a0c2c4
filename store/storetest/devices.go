package storetest

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
)

var deviceCases = []testCase{
	{"ReplacedUnderTheirRevision", devicesReplaced},
	{"EachFieldIsKept", devicesKept},
	{"ARegistrationRemembersItsDevice", devicesRegistered},
	{"ARepeatIsRecognised", devicesRepeated},
	{"AnotherRevisionChangesNothing", devicesOfAnotherRevision},
	{"ARefusedLoginChangesNone", devicesOfRefused},
	{"OfManyUnderOneRevisionOneWins", devicesConcurrent},
	{"OfTwoInABatchOneWins", devicesInBatch},
	{"OtherChangesLeaveThem", devicesLeft},
	{"BoundsAreNamed", badDevices},
	{"NewAccountsHaveNone", devicesOfNewAccounts},
	{"GoneWithTheAccount", devicesDeleted},
	{"DurableAcrossReopen", devicesDurable},
}

// hashOf returns what stands for the hash of a token.
func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// device returns one whose fields all follow from its id and the attempt.
func device(id, attempt string) rushgate.Device {
	return rushgate.Device{
		ID: id, Label: "phone " + id, Epoch: 1, Token: hashOf(id + attempt), Previous: hashOf(attempt), Attempt: attempt,
		Salt: hashOf(id)[:21] + "A", CreatedAt: epoch, UsedAt: epoch.Add(time.Hour), ExpiresAt: rushgate.Forever(),
	}
}

// manyDevices returns as many as an account can have.
func manyDevices(attempt string) (devices []rushgate.Device) {
	for i := range rushgate.MaxDevices {
		devices = append(devices, device(fmt.Sprint(i), attempt))
	}
	return devices
}

// withDevices has an admission replace the devices of a revision.
func withDevices(a rushgate.Admission, revision uint64, devices ...rushgate.Device) rushgate.Admission {
	a.Account.Devices.Revision = revision
	a.Devices = append([]rushgate.Device{}, devices...)
	return a
}

// rememberAlice is a change of the devices of player 1.
func rememberAlice(revision uint64, devices ...rushgate.Device) rushgate.AccountChange {
	c := alice(0)
	c.DevicesRevision, c.Devices = revision, append([]rushgate.Device{}, devices...)
	return c
}

func wantDevices(t *testing.T, s rushgate.Store, revision uint64, devices ...rushgate.Device) {
	t.Helper()
	got := load(t, s, "alice")[0].Devices
	if want := (rushgate.Devices{Revision: revision, List: devices}); !sameDevices(got, want) {
		t.Fatalf("devices are\n%+v, want\n%+v", got, want)
	}
	if len(devices) == 0 && got.List != nil {
		t.Errorf("no devices are not nil: %+v", got)
	}
}

func devicesReplaced(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "first")
	a.Account.Version = 1
	admit(t, s, nodeA, a)
	one, two := device("one", "a"), device("two", "b")
	wantDevices(t, s, 0)
	admit(t, s, nodeA, login(1, "alice", "first"))
	wantDevices(t, s, 0)
	if got := load(t, s, "alice")[0].Version; got != 1 {
		t.Errorf("without a device the record has version %d, want 1 as before", got)
	}
	admit(t, s, nodeA, withDevices(login(1, "alice", "first"), 0, one))
	wantDevices(t, s, 1, one)
	if got := load(t, s, "alice")[0].Version; got != rushgate.AccountVersion {
		t.Errorf("with a device the record has version %d, want %d", got, rushgate.AccountVersion)
	}
	wantChanged(t, s, rememberAlice(1, two, one), nil)
	wantDevices(t, s, 2, two, one)
	admit(t, s, nodeA, withDevices(login(1, "alice", "first"), 2))
	wantDevices(t, s, 3)
	wantChanged(t, s, rememberAlice(3, one), nil)
	wantChanged(t, s, rememberAlice(4), nil)
	wantDevices(t, s, 5)
}

func devicesKept(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	full, bare := device("x", "a"), device("y", "b")
	full.ID, full.Attempt = strings.Repeat("i", rushgate.MaxAttemptLen), strings.Repeat("a", rushgate.MaxAttemptLen)
	full.Label, full.Epoch = strings.Repeat("é", rushgate.MaxDeviceLabel/2), rushgate.MaxEpoch
	bare.Label, bare.Epoch, bare.Previous, bare.Salt = `"<\&'`, 0, "", ""
	bare.CreatedAt = time.UnixMilli(1)
	bare.UsedAt = epoch.Add(999 * time.Microsecond).In(time.FixedZone("somewhere", 3600))
	devices := append(manyDevices("a")[2:], full, bare)
	given := append([]rushgate.Device{}, devices...)
	admit(t, s, nodeA, withDevices(login(1, "alice", "first"), 0, given...))
	devices[7].UsedAt = epoch // times are kept to the millisecond
	given[0].Label = "the caller's to change"
	for range 2 {
		got := load(t, s, "alice", "alice")
		for i := range got {
			if !sameDevices(got[i].Devices, rushgate.Devices{Revision: 1, List: devices}) {
				t.Fatalf("devices are\n%+v, want\n%+v", got[i].Devices, devices)
			}
			got[0].Devices.List[0].Label = "the caller's to change"
		}
	}
}

func devicesRegistered(t *testing.T, h Harness) {
	s := h.open(t)
	a := withDevices(registration(1, "alice", "first"), 0, device("one", "a"))
	in := admit(t, s, nodeA, a)
	wantDevices(t, s, 1, device("one", "a"))
	if got := admit(t, s, nodeA, a); !got.Resumed || got.Lease != in.Lease {
		t.Errorf("repeated it is admitted as %+v", got)
	}
	wantDevices(t, s, 1, device("one", "a"))
	a.Account.ID, a.Account.PasswordHash = 2, "another"
	if got := admitAll(t, s, nodeA, a)[0]; got.Err == nil {
		t.Errorf("another registration of the name is admitted as %+v", got)
	}
	wantDevices(t, s, 1, device("one", "a"))
}

func devicesRepeated(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	one, two := device("one", "a"), device("two", "b")
	admission, c := withDevices(login(1, "alice", "first"), 0, one), rememberAlice(1, two)
	for range 3 {
		admit(t, s, nodeA, admission)
		wantDevices(t, s, 1, one)
	}
	for range 3 {
		wantChanged(t, s, c, nil)
		wantDevices(t, s, 2, two)
	}
	if got := admitAll(t, s, nodeA, admission)[0]; !errors.Is(got.Err, rushgate.ErrAccountChanged) {
		t.Errorf("an older admission is admitted as %+v, want %v", got, rushgate.ErrAccountChanged)
	}
	wantChanged(t, s, rememberAlice(2), nil) // to have none is a change, too, and can be repeated
	wantChanged(t, s, rememberAlice(2), nil)
	wantDevices(t, s, 3)
	wantChanged(t, s, c, rushgate.ErrAccountChanged)
	wantDevices(t, s, 3)
}

func devicesOfAnotherRevision(t *testing.T, h Harness) {
	s := h.open(t)
	a := registration(1, "alice", "first")
	in := admit(t, s, nodeA, a)
	one, two := device("one", "a"), device("two", "b")
	wantChanged(t, s, rememberAlice(0, one), nil)
	wantChanged(t, s, rememberAlice(1, two), nil)
	before := load(t, s, "alice")[0]
	for revision, devices := range map[uint64][]rushgate.Device{
		0: {one}, 1: {one}, 3: {one}, 1<<53 + 2: {one}, 1<<63 - 2: nil, 4: {two},
	} {
		stale := withDevices(withHash(takeover(1, "alice", "b"), a.Account.PasswordHash, "new"), revision, devices...)
		for _, by := range []rushgate.Instance{nodeA, nodeA2, nodeB} {
			if got := admitAll(t, s, by, stale)[0]; !errors.Is(got.Err, rushgate.ErrAccountChanged) {
				t.Errorf("revision %d by %v is admitted as %+v, want %v", revision, by, got, rushgate.ErrAccountChanged)
			}
		}
		c := rememberAlice(revision, devices...)
		c.PasswordHash, c.RaiseEpoch, c.EndAttempt = "new", true, "first"
		wantChanged(t, s, c, rushgate.ErrAccountChanged)
	}
	wantAccount(t, load(t, s, "alice")[0], before)
	wantWanted(t, s, nodeA)
	if err := refresh(t, s, nodeA, in.Lease)[0]; err != nil {
		t.Errorf("refresh by the holder: %v", err)
	}
}

// Whatever an admission is refused for comes with no change of the devices, and where the account may not come in at
// all, not with the news that they have changed.
func devicesOfRefused(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	one := device("one", "a")
	wantChanged(t, s, rememberAlice(0, one), nil)
	for revision, want := range map[uint64]error{1: rushgate.AlreadyLoggedIn, 7: rushgate.ErrAccountChanged} {
		got := admitAll(t, s, nodeB, withDevices(login(1, "alice", "b"), revision))[0]
		if !errors.Is(got.Err, want) {
			t.Errorf("revision %d elsewhere: %v, want %v", revision, got.Err, want)
		}
		other := withDevices(loginUnder(1, "first"), revision)
		if got := admitAll(t, s, nodeA, other)[0]; !errors.Is(got.Err, rushgate.BadCredentials) {
			t.Errorf("revision %d under another epoch: %v, want %v", revision, got.Err, rushgate.BadCredentials)
		}
	}
	c := alice(0)
	c.Disabled = &rushgate.Disabled{Until: rushgate.Forever()}
	wantChanged(t, s, c, nil)
	for _, revision := range []uint64{1, 7} {
		got := admitAll(t, s, nodeA, withDevices(login(1, "alice", "first"), revision))[0]
		if !errors.Is(got.Err, rushgate.AccountDisabled) {
			t.Errorf("revision %d of a disabled account: %v, want %v", revision, got.Err, rushgate.AccountDisabled)
		}
	}
	wantDevices(t, s, 1, one)
}

func devicesConcurrent(t *testing.T, h Harness) {
	const n = 16
	s := h.open(t)
	release(t, s, register(t, s, 1, "alice"))
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		own := device("one", fmt.Sprint(i))
		wg.Go(func() {
			if i%2 == 0 {
				got, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{rememberAlice(0, own)})
				if err != nil {
					t.Errorf("UpdateAccounts: %v", err)
					return
				}
				errs[i] = got[0]
				return
			}
			a := withDevices(login(1, "alice", fmt.Sprint(i)), 0, own)
			got, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{a})
			if err != nil {
				t.Errorf("Admit: %v", err)
				return
			}
			errs[i] = got[0].Err
		})
	}
	wg.Wait()
	winners := 0
	for i, err := range errs {
		if err == nil {
			winners++
			wantDevices(t, s, 1, device("one", fmt.Sprint(i)))
			wantInside(t, s, i%2)
		} else if !errors.Is(err, rushgate.ErrAccountChanged) {
			t.Errorf("change %d: %v, want %v", i, err, rushgate.ErrAccountChanged)
		}
	}
	if winners != 1 {
		t.Errorf("%d changes have won", winners)
	}
}

func devicesInBatch(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	one, two, three := device("one", "a"), device("two", "b"), device("three", "c")
	got := admitAll(t, s, nodeA, withDevices(login(1, "alice", "first"), 0, one),
		withDevices(login(1, "alice", "first"), 0, two), withDevices(login(1, "alice", "first"), 1, three))
	for i, want := range []error{nil, rushgate.ErrAccountChanged, nil} {
		if !errors.Is(got[i].Err, want) {
			t.Errorf("admission %d: %v, want %v", i, got[i].Err, want)
		}
	}
	wantDevices(t, s, 2, three)
	errs := change(t, s, rememberAlice(2, one), rememberAlice(2, two), rememberAlice(3))
	for i, want := range []error{nil, rushgate.ErrAccountChanged, nil} {
		if !errors.Is(errs[i], want) {
			t.Errorf("change %d: %v, want %v", i, errs[i], want)
		}
	}
	wantDevices(t, s, 4)
}

func devicesLeft(t *testing.T, h Harness) {
	s := h.open(t)
	in := register(t, s, 1, "alice")
	one := device("one", "a")
	wantChanged(t, s, rememberAlice(0, one), nil)
	c := alice(0)
	c.PasswordHash, c.Credentials, c.RaiseEpoch = "new", fullAccount(1, "alice").Credentials, true
	c.Disabled, c.DevicesRevision, c.EndAttempt = &rushgate.Disabled{}, 99, "another"
	wantChanged(t, s, c, nil)
	wantDevices(t, s, 1, one)
	release(t, s, in)
	a := withHash(loginUnder(1, "b"), "new", "newer")
	a.Account.Devices.Revision = 99 // of no devices
	in = admit(t, s, nodeB, a)
	setNumber(&in.Character, "xp", 5)
	if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
		t.Error(err)
	}
	wantDevices(t, s, 1, one)
	wantHash(t, s, "alice", "newer")
}

func badDevices(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	before := load(t, s, "alice")[0]
	edited := func(edit func(*rushgate.Device)) []rushgate.Device {
		devices := []rushgate.Device{device("one", "a"), device("two", "b")}
		edit(&devices[1])
		return devices
	}
	for says, devices := range map[string][]rushgate.Device{
		"9 devices":        append(manyDevices("a"), device("ninth", "a")),
		"id of another":    edited(func(d *rushgate.Device) { d.ID = "one" }),
		"id of 0":          edited(func(d *rushgate.Device) { d.ID = "" }),
		"label of 65":      edited(func(d *rushgate.Device) { d.Label = strings.Repeat("x", rushgate.MaxDeviceLabel+1) }),
		"label of 0":       edited(func(d *rushgate.Device) { d.Label = "" }),
		"label of 3 bytes": edited(func(d *rushgate.Device) { d.Label = "a\x00b" }),
		"epoch":            edited(func(d *rushgate.Device) { d.Epoch = rushgate.MaxEpoch + 1 }),
		"token":            edited(func(d *rushgate.Device) { d.Token = d.Token[:42] }),
		"previous":         edited(func(d *rushgate.Device) { d.Previous = d.Previous[:42] + "/" }),
		"attempt of 0":     edited(func(d *rushgate.Device) { d.Attempt = "" }),
		"salt":             edited(func(d *rushgate.Device) { d.Salt = "x" }),
		"time":             edited(func(d *rushgate.Device) { d.ExpiresAt = time.Time{} }),
	} {
		good := alice(0)
		good.PasswordHash = "new"
		_, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{good, rememberAlice(0, devices...)})
		wantNamed(t, "UpdateAccounts", err, says)
		_, err = s.Admit(t.Context(), nodeA, []rushgate.Admission{
			registration(2, "bob", "b"), withDevices(login(1, "alice", "first"), 0, devices...),
		})
		wantNamed(t, "Admit", err, says)
	}
	for _, revision := range []uint64{1<<63 - 1, 1 << 63, 1<<64 - 1} { // behind the last of which comes 0
		_, err := s.UpdateAccounts(t.Context(), []rushgate.AccountChange{rememberAlice(revision)})
		wantNamed(t, "UpdateAccounts", err, "revision")
		_, err = s.Admit(t.Context(), nodeA, []rushgate.Admission{withDevices(login(1, "alice", "first"), revision)})
		wantNamed(t, "Admit", err, "revision")
	}
	wantAccount(t, load(t, s, "alice")[0], before)
	wantAccount(t, load(t, s, "bob")[0], rushgate.Account{})
}

// wantNamed checks that a batch was refused, for what it says, and that no token is in the error.
func wantNamed(t *testing.T, method string, err error, says string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v; want an error that names the %s", method, err, says)
	} else if strings.Contains(err.Error(), hashOf("twob")[:20]) {
		t.Errorf("%s: the error shows a token: %v", method, err)
	}
}

func devicesOfNewAccounts(t *testing.T, h Harness) {
	s := h.open(t)
	beginImport(t, s, 10)
	for _, devices := range []rushgate.Devices{{Revision: 1}, {List: []rushgate.Device{device("one", "a")}}} {
		a := registration(20, "alice", "a")
		a.Account.Devices = devices
		_, err := s.Admit(t.Context(), nodeA, []rushgate.Admission{a})
		wantNamed(t, "Admit", err, "devices")
		_, err = s.CreateAccounts(t.Context(), []rushgate.Account{a.Account})
		wantNamed(t, "CreateAccounts", err, "devices")
		r := record(1, "alice")
		r.Account.Devices = devices
		_, err = s.Import(t.Context(), []rushgate.Record{r})
		wantNamed(t, "Import", err, "devices")
	}
	wantAccount(t, load(t, s, "alice")[0], rushgate.Account{})
	create(t, s, registration(21, "bob", "b").Account)
	if got := load(t, s, "bob")[0].Devices; got.Revision != 0 || got.List != nil {
		t.Errorf("a new account has %+v", got)
	}
}

func devicesDeleted(t *testing.T, h Harness) {
	s := h.open(t)
	release(t, s, admit(t, s, nodeA, withDevices(registration(1, "alice", "a"), 0, device("one", "a"))))
	deleteAccount(t, s, "alice")
	admit(t, s, nodeA, registration(2, "alice", "b"))
	wantDevices(t, s, 0)
}

func devicesDurable(t *testing.T, h Harness) {
	s := h.open(t)
	register(t, s, 1, "alice")
	admit(t, s, nodeA, withDevices(login(1, "alice", "first"), 0, manyDevices("a")...))
	s = h.reopen(t, s)
	wantDevices(t, s, 1, manyDevices("a")...)
	wantChanged(t, s, rememberAlice(1, manyDevices("b")...), nil)
	s = h.reopen(t, s)
	wantDevices(t, s, 2, manyDevices("b")...)
	wantChanged(t, s, rememberAlice(1, manyDevices("b")...), nil) // repeated
	wantDevices(t, s, 2, manyDevices("b")...)
}
