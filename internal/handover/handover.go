// Package handover is the conversation in which a process takes the place of another one that goes on running until it
// has: over a unix socket, the old one gives its sockets and locks, then stands still, gives its state, and ends once
// the new one runs.
//
//	new                                old
//	hello: what I am, what I want  →
//	                               ←   offer: what I am, and my descriptors       (or no, and why)
//	able: I could run with these   →
//	                                   takes in nothing new, works off what it has, stands still
//	                               ←   state                                      (or no, and why)
//	loaded: I have read it         →                                              (or no, and why)
//	                               ←   go
//	done: I run                    →                                              (or no, and why)
//	                               ←   connections that have brought nothing yet, as many as there are
//
// One of the two goes on whatever happens, and never both. Until "go" that is the old one, unless it has died: then the
// new one has the state and runs with it, or has not and starts as after a crash. From "go" on it is the new one,
// unless it has died, or has said that it does not run; see [Host] for how the old one makes sure of that, and
// [Taker.Await] for how the new one does.
package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// Version is that of the conversation. A process that speaks another one is refused, and told so.
const Version = 1

// SocketName is the name of the socket within the data folder.
const SocketName = "handover.sock"

// Hello is what a process that wants to take over says of itself.
type Hello struct {
	Version int    `json:"version"` // of the conversation; filled in by [Dial]
	Program string `json:"program"` // its version, for the log
	// Terms are what both have to agree on, in the same words: where it listens, say.
	Terms map[string]string `json:"terms"`
}

// Offer is what a process that is to be replaced says of itself.
type Offer struct {
	Program string            `json:"program"` // its version, for the log
	Facts   map[string]string `json:"facts"`   // what the new one has to know before it has the state
	Files   []string          `json:"files"`   // names of the descriptors that come with it; filled in by [Host]
}

// File is a descriptor with a name.
type File struct {
	Name string
	// Control calls f with the descriptor, as [syscall.RawConn] and [os.File.SyscallConn] do: it is used while f runs, and
	// no longer.
	Control func(f func(fd uintptr)) error
}

// FileOf names a file.
func FileOf(name string, f *os.File) File {
	return File{Name: name, Control: func(use func(fd uintptr)) error {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(use)
	}}
}

// Part is a piece of the state. What its data mean is for those who make and read it to know, versions included.
type Part struct {
	Name string // 1 to 64 bytes
	Data []byte
}

var (
	// ErrNobody is returned by [Dial] where no process listens.
	ErrNobody = errors.New("handover: nobody there to take over from")
	// ErrOldDied is returned to a process that takes over if the old one has died. What had been taken is still good.
	ErrOldDied = errors.New("handover: the old process has died")
	// ErrUnsupported is returned on systems where descriptors cannot be given to another process.
	ErrUnsupported = errors.New("handover: this system cannot give sockets to another process")
	// errHungUp is the end of a connection.
	errHungUp = errors.New("the other process has hung up")
	// errLate is a wait that was too long.
	errLate = errors.New("the other process has not answered in time")
)

// Refusal is the other process's word that it does not go on with this, and why.
type Refusal struct{ Words string }

// Error returns the other process's words.
func (r *Refusal) Error() string { return r.Words }

// Limits are for how long the one waits for the other.
type Limits struct {
	Answer time.Duration // for hello, and for its answer
	Able   time.Duration // for the new one to make ready, while the old one goes on undisturbed
	State  time.Duration // for the old one to work off what it has, to stand still, and to tell its state
	Load   time.Duration // for the new one to read the state
	Go     time.Duration // for "go"
	Done   time.Duration // for the new one to run
	Dead   time.Duration // for the end of a process that has to be dead
}

// DefaultLimits are for a node.
func DefaultLimits() Limits {
	return Limits{
		Answer: 5 * time.Second, Able: time.Minute, State: 20 * time.Second, Load: 10 * time.Second, Go: 5 * time.Second,
		Done: 10 * time.Second, Dead: 5 * time.Second,
	}
}

// marshal encodes a message of a few fields.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // strings and maps of them can be encoded
		panic(err)
	}
	return b
}

// unexpected is the error for a message that has no place here.
func unexpected(k, want kind) error {
	return fmt.Errorf("the other process says %v, and not %v", k, want)
}
