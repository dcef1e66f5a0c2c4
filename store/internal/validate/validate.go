// Package validate refuses the arguments that no [rushgate.Store] may act on, in the same words for every store. Its
// errors fail a batch as a whole, before anything is written, and never contain a secret.
package validate

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/device"
)

// Instance reports a node or a run without a name: two of those could not be told apart, and would share leases.
func Instance(by rushgate.Instance) error {
	if by.Node == "" {
		return errors.New("instance has no node id")
	}
	if by.Run == "" {
		return errors.New("instance has no run id")
	}
	return nil
}

// Admissions reports the first admission of a batch that cannot be carried out as it is written.
func Admissions(admissions []rushgate.Admission) error {
	for i := range admissions {
		if err := admission(&admissions[i]); err != nil {
			return fmt.Errorf("admission %d of %d: %w", i+1, len(admissions), err)
		}
	}
	return nil
}

func admission(a *rushgate.Admission) error {
	if err := attempt("attempt", a.Attempt); err != nil {
		return err
	}
	if err := devices(a.Devices, a.Account.Devices.Revision); err != nil {
		return err
	}
	if err := session(a); err != nil {
		return err
	}
	if !a.Create {
		return credentialsOf(a)
	}
	if a.Credentials != nil {
		return errors.New("a new account has no credentials to replace")
	}
	if a.NewHash != "" {
		return errors.New("a new account has no hash to replace")
	}
	if a.Account.Disabled != (rushgate.Disabled{}) {
		return errors.New("a new account that is disabled cannot be let in")
	}
	return account(&a.Account)
}

// credentialsOf checks those that an admission replaces, and by which.
func credentialsOf(a *rushgate.Admission) error {
	if a.Credentials == nil {
		return nil
	}
	if err := credentials(a.Account.Credentials); err != nil {
		return fmt.Errorf("replaced: %w", err)
	}
	return credentials(a.Credentials)
}

// session checks what an admission says of its session, and of another that it continues.
func session(a *rushgate.Admission) error {
	switch {
	case a.Session != "" && !device.IsHash(a.Session):
		return errors.New("session is not a SHA-256 in base64url")
	case a.Continue && a.Session == "":
		return errors.New("no session to continue")
	case a.Continue && (a.Create || a.NewHash != ""):
		return errors.New("a session that is continued makes no account, and replaces no hash")
	case a.Grace < 0 || a.Grace > rushgate.MaxResumable:
		return fmt.Errorf("grace of %v is not 0 to %v", a.Grace, rushgate.MaxResumable)
	case a.Gone != (rushgate.Instance{}):
		if err := Instance(a.Gone); err != nil {
			return fmt.Errorf("gone: %w", err)
		}
	}
	return nil
}

func attempt(field, s string) error {
	if s == "" {
		return fmt.Errorf("%s is empty", field)
	}
	if len(s) > rushgate.MaxAttemptLen {
		return fmt.Errorf("%s has %d bytes, more than %d", field, len(s), rushgate.MaxAttemptLen)
	}
	return nil
}

// Saves reports the first save of a batch whose Data is too long or whose Numbers cannot be kept, or that parks a
// session for longer than there is.
func Saves(saves []rushgate.Save) error {
	for i := range saves {
		if s := &saves[i]; s.Resumable < 0 || s.Resumable > rushgate.MaxResumable || s.Resumable > 0 && !s.Release {
			return fmt.Errorf("save %d of %d: session of player %d is parked for %v, want 0 to %v with a release",
				i+1, len(saves), s.Character.ID, s.Resumable, rushgate.MaxResumable)
		}
		if c := &saves[i].Character; len(c.Data) > rushgate.MaxDataLen {
			return fmt.Errorf("save %d of %d: data of player %d has %d bytes, more than %d",
				i+1, len(saves), c.ID, len(c.Data), rushgate.MaxDataLen)
		}
		if err := saves[i].Character.Numbers.Check(); err != nil {
			return fmt.Errorf("save %d of %d: player %d: %w", i+1, len(saves), saves[i].Character.ID, err)
		}
		if err := exchange(saves[i].Credentials, saves[i].Replaces); err != nil {
			return fmt.Errorf("save %d of %d: player %d: %w", i+1, len(saves), saves[i].Character.ID, err)
		}
	}
	return nil
}

// Records reports the first record of a batch that cannot be imported as it is.
func Records(records []rushgate.Record) error {
	for i := range records {
		if err := record(&records[i]); err != nil {
			return fmt.Errorf("record %d of %d: %w", i+1, len(records), err)
		}
	}
	return nil
}

func record(r *rushgate.Record) error {
	a, c := &r.Account, &r.Character
	switch name := a.Username; {
	case name == "" || len(name) > rushgate.MaxRecordNameLen:
		return fmt.Errorf("username has %d bytes, want 1 to %d", len(name), rushgate.MaxRecordNameLen)
	case !utf8.ValidString(name):
		return errors.New("username is not UTF-8")
	case c.ID != a.ID || c.Name != name:
		return fmt.Errorf("account %d has the character of another", a.ID)
	case len(c.Data) > rushgate.MaxDataLen:
		return fmt.Errorf("data of player %d has %d bytes, more than %d", a.ID, len(c.Data), rushgate.MaxDataLen)
	}
	if err := c.Numbers.Check(); err != nil {
		return fmt.Errorf("player %d: %w", a.ID, err)
	}
	return accountParts(a)
}

// SetAside reports the first record of a batch whose id is not among those set aside for imports, 1 to highest.
func SetAside(records []rushgate.Record, highest rushgate.PlayerID) error {
	for i := range records {
		if id := records[i].Account.ID; id == 0 || id > highest {
			return fmt.Errorf("record %d of %d: account id %d is outside 1..%d, which are set aside for imports",
				i+1, len(records), id, highest)
		}
	}
	return nil
}

// Highest reports a greatest id that cannot be one.
func Highest(id rushgate.PlayerID) error {
	if id == 0 || id > math.MaxInt64 {
		return fmt.Errorf("highest account id %d is outside 1..%d", id, int64(math.MaxInt64))
	}
	return nil
}

// Count reports a number of things asked for that is less than one.
func Count(what string, n int) error {
	if n < 1 {
		return fmt.Errorf("%s of %d is less than 1", what, n)
	}
	return nil
}
