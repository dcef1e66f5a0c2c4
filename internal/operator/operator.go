// Package operator knows who may run a game: operators with a name, a role and a token of their own, as the nodes of a
// fleet share them. It has no HTTP: the command line and the operator's listener call it.
package operator

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// SharedName is the name of the value that nodes share which has all operators.
	SharedName = "operators"
	// TokenPrefix begins every token, so that one that was left lying about is known for what it is.
	TokenPrefix = "rgo_"
	// Max is how many operators there may be.
	Max = 200
	// MaxNameLen is the greatest length of an operator's name.
	MaxNameLen = 32
	// tokenLen is how many random bytes a token has.
	tokenLen = 32
	// docVersion is that of the stored value.
	docVersion = 1
)

// The names that no operator can have, because they stand for others in the audit log.
const (
	// Root shows the token of the node's own file.
	Root = "root"
	// Local is anyone who reaches a listener on loopback that asks for no token.
	Local = "local"
	// Console is whoever runs a command on the store itself.
	Console = "console"
	// System is the node, doing what no operator has asked for.
	System = "system"
)

// The errors of this package, besides those of the store.
var (
	// ErrInvalid is what the errors about a name or a role are that cannot be.
	ErrInvalid = errors.New("no operator can have such a name or role")
	// ErrUnknown says that there is no operator of the name.
	ErrUnknown = errors.New("there is no operator of this name")
	// ErrTaken refuses to add an operator whose name another has.
	ErrTaken = errors.New("there already is an operator of this name")
	// ErrLast refuses what would leave nobody with the role all, who alone can add operators.
	ErrLast = errors.New("one operator has to have the role all")
	// ErrFull refuses to add more than [Max].
	ErrFull = errors.New("there are too many operators")
	// ErrBusy gives a change up that others were ahead of again and again.
	ErrBusy = errors.New("the operators keep being changed by others")
	// ErrUnreadable says that what is stored is no list of operators, or one of a newer version. It quotes nothing.
	ErrUnreadable = errors.New("the list of operators cannot be read; a newer version may have written it")
)

// Operator is who may run the game. Nothing in it is a secret: of the token it has the SHA-256 only.
type Operator struct {
	// Name has 1 to [MaxNameLen] characters of a-z, 0-9, ".", "_" and "-".
	Name string
	Role Role
	// CreatedAt is when the operator was added, to the second, and CreatedBy by whom.
	CreatedAt time.Time
	CreatedBy string

	token [sha256.Size]byte
}

// invalidError is an [ErrInvalid] that says in its own words what is wrong.
type invalidError string

func invalidf(format string, args ...any) error { return invalidError(fmt.Sprintf(format, args...)) }

func (e invalidError) Error() string { return string(e) }

// Is reports whether that is what the error is.
func (e invalidError) Is(target error) bool { return target == ErrInvalid }

// CheckName returns an error that is an [ErrInvalid] for what can be no operator's name.
func CheckName(name string) error {
	bad := invalidf("an operator's name has 1 to %d characters, each of a-z, 0-9, \".\", \"_\" and \"-\"", MaxNameLen)
	if name == "" || len(name) > MaxNameLen {
		return bad
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return bad
		}
	}
	switch name {
	case Root, Local, Console, System:
		return invalidf("no operator can be named %s: it stands for others in the audit log", name)
	}
	return nil
}

// newToken returns a token and what is kept of it.
func newToken() (token string, sum [sha256.Size]byte) {
	secret := make([]byte, tokenLen)
	rand.Read(secret) // which never fails
	token = TokenPrefix + base64.RawURLEncoding.EncodeToString(secret)
	return token, sha256.Sum256([]byte(token))
}

// document is the stored value.
type document struct {
	Version   int      `json:"version"`
	Operators []stored `json:"operators"`
}

type stored struct {
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	Token     string    `json:"token_sha256"` // in hexadecimal
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

// parse reads the stored value. An empty one stands for none. The error is [ErrUnreadable].
func parse(value []byte) ([]Operator, error) {
	if len(value) == 0 {
		return nil, nil
	}
	var doc document
	if json.Unmarshal(value, &doc) != nil || doc.Version != docVersion || len(doc.Operators) > Max {
		return nil, ErrUnreadable
	}
	seen := make(map[string]bool, len(doc.Operators))
	out := make([]Operator, len(doc.Operators))
	for i, s := range doc.Operators {
		role, err := ParseRole(s.Role)
		sum, hexErr := hex.DecodeString(s.Token)
		if err != nil || hexErr != nil || len(sum) != sha256.Size || CheckName(s.Name) != nil || seen[s.Name] {
			return nil, ErrUnreadable
		}
		seen[s.Name] = true
		out[i] = Operator{Name: s.Name, Role: role, CreatedAt: s.CreatedAt, CreatedBy: s.CreatedBy}
		copy(out[i].token[:], sum)
	}
	return out, nil
}

// format writes what is stored.
func format(all []Operator) ([]byte, error) {
	doc := document{docVersion, make([]stored, len(all))}
	for i, o := range all {
		doc.Operators[i] = stored{o.Name, o.Role.String(), hex.EncodeToString(o.token[:]), o.CreatedAt, o.CreatedBy}
	}
	return json.Marshal(doc)
}
