// Package tlsresume has TLS clients resume their sessions across a restart of the server. What a client needs for that
// is a ticket, which the server has sealed with a key of its own; package crypto/tls makes new keys for each process,
// so that after a restart every client makes a full handshake, all of them at once.
//
// # What a stolen file of keys is worth
//
// Keys that outlive a process can be stolen from where they are kept. So only tickets of TLS 1.3 are sealed with them:
// such a ticket holds no secret of the session that it was given in, and the next one exchanges keys anew (crypto/tls
// does not know the mode without), so that what was recorded stays unreadable whatever becomes of the key. What a thief
// can do, as with the certificate's key, is to pose as the server to clients that have such a ticket. In TLS 1.2 the
// ticket, which an eavesdropper can record, holds the secret of the session itself. Those are sealed with keys that
// crypto/tls makes and that never leave the process, so such clients resume until the next restart.
//
// A key seals for a day, which is what crypto/tls does, and is then kept for as long as the last ticket that it has
// sealed can live; then it is erased. That is to say, it is in the file no more: a disk that keeps what was
// overwritten, and a backup, are beyond this package.
package tlsresume

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"
)

const (
	// Rotation is how long a key seals new tickets.
	Rotation = 24 * time.Hour
	// TicketLife is how long a client may use a ticket: RFC 8446 (section 4.6.1) allows no more, and crypto/tls tells its
	// clients no less, and refuses what is older.
	TicketLife = 7 * 24 * time.Hour
	// KeyLife is how long a key is kept.
	KeyLife = Rotation + TicketLife
)

var (
	errOpen       = errors.New("it is open to everybody on this machine, who may know the keys")
	errForeign    = errors.New("it belongs to another user, who may know the keys")
	errNotRegular = errors.New("it is not a regular file")
)

// Config says where keys are kept.
type Config struct {
	// File is the path of the file with the keys, which need not be there.
	File string
	// Write writes a file such that it is there whole or not at all, and with that mode.
	Write func(path string, data []byte, mode fs.FileMode) error
	// Logger hears when the file cannot be used. It never hears of a key.
	Logger *slog.Logger
}

// Keys seal the tickets of a server. Its methods may be called from many goroutines.
type Keys struct {
	cfg     Config
	lasting *tls.Config // seals tickets of TLS 1.3, with keys
	process *tls.Config // seals those of older versions, with keys that crypto/tls makes and changes

	mu      sync.Mutex
	keys    []key // newest first; never empty once opened
	unsaved bool  // the file does not hold keys
	told    bool  // that it does not
}

// key seals and opens tickets.
type key struct {
	made   time.Time // to the second
	secret [32]byte
}

// fresh reports whether a key seals. A time of day that was set back a little makes no key useless.
func (k key) fresh(now time.Time) bool { return now.Sub(k.made).Abs() < Rotation }

// alive reports whether a ticket that a key has sealed can be alive. A key that was made well after now was made when
// the time of day was wrong, or is: how old it is cannot be known.
func (k key) alive(now time.Time) bool {
	age := now.Sub(k.made)
	return age > -Rotation && age < KeyLife
}

// Open returns the keys of a file, with a new one if there is none that seals at a time. It does not fail: if the file
// cannot be read, or others may know what is in it, new keys take the place of those in it; if it cannot be written,
// keys last as long as the process. The log then says so, and clients make full handshakes, which is all that is lost.
func Open(cfg Config, now time.Time) *Keys {
	k := &Keys{cfg: cfg, lasting: &tls.Config{}, process: &tls.Config{}}
	var err error
	if k.keys, err = read(cfg.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		cfg.Logger.Warn("the keys of TLS session tickets cannot be used, and new ones take their place: each client makes a "+
			"full handshake once", "file", cfg.File, "error", err)
		k.unsaved = true
	}
	k.Tend(now)
	return k
}

// Tend makes a new key when the newest has sealed for long enough, erases those whose tickets are dead, and writes the
// file if it does not hold the keys. It has to be called once an hour or so; a file that could not be written is tried
// again with each call.
func (k *Keys) Tend(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := make([]key, 0, len(k.keys)+1)
	for _, old := range k.keys {
		if old.alive(now) {
			next = append(next, old)
		}
	}
	changed := len(next) < len(k.keys)
	if len(next) == 0 || !next[0].fresh(now) {
		made := key{made: now.UTC().Truncate(time.Second)}
		_, _ = rand.Read(made.secret[:]) // which never fails
		next, changed = append([]key{made}, next...), true
	}
	k.keys = next
	k.use()
	if k.unsaved = k.unsaved || changed; k.unsaved {
		k.save()
	}
}

// use has the keys seal and open tickets.
func (k *Keys) use() {
	secrets := make([][32]byte, len(k.keys))
	for i, key := range k.keys {
		secrets[i] = key.secret
	}
	k.lasting.SetSessionTicketKeys(secrets)
}

func (k *Keys) save() {
	err := k.cfg.Write(k.cfg.File, format(k.keys), 0o600)
	k.unsaved = err != nil
	if err != nil && !k.told {
		k.cfg.Logger.Warn("the keys of TLS session tickets cannot be saved: after a restart each client makes a full "+
			"handshake once", "file", k.cfg.File, "error", err)
	}
	k.told = err != nil
}

// Apply has the keys seal and open the tickets of a server's configuration, of its clones, such as net/http makes, and
// of theirs: always with the keys of the moment. (Keys that tls.Config.SetSessionTicketKeys has put into a
// configuration do not reach the clones that exist.)
func (k *Keys) Apply(c *tls.Config) {
	c.WrapSession = func(cs tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
		return k.of(cs).EncryptTicket(cs, session)
	}
	c.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		return k.of(cs).DecryptTicket(ticket, cs)
	}
}

// of returns what has the keys for a connection.
func (k *Keys) of(cs tls.ConnectionState) *tls.Config {
	if cs.Version >= tls.VersionTLS13 {
		return k.lasting
	}
	return k.process
}

// read returns the keys of a file.
func read(file string) ([]key, error) {
	// Opening what is not a regular file, such as a pipe, could take for ever.
	if info, err := os.Stat(file); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, err
	case foreign(info):
		return nil, errForeign
	case info.Mode().Perm()&0o007 != 0 && runtime.GOOS != "windows":
		return nil, fmt.Errorf("%w (mode %#o)", errOpen, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	return parse(b)
}
