package opaque

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
)

const (
	recordPrefix = "$opaque$v=1,k="
	uploadText   = UploadSize / 3 * 4 // there is no remainder, so that each record has one text
	// RecordLen is the length of the text of a record.
	RecordLen = len(recordPrefix) + 2*len(KeyID{}) + 1 + uploadText
)

// Record is what a server keeps of a player in place of a hash of the password: which key it was made with, and what
// the client uploaded. Without that key it is of no use; with it, passwords can be guessed at, each guess at the cost
// of an Argon2id. Records are compared with ==. No fmt verb and no log prints what one holds.
type Record struct {
	key    KeyID
	upload [UploadSize]byte
}

// fingerprintSize is the size of the hash by which the state of a login says which record it is proved with.
const fingerprintSize = 16

// newRecord checks what a client has uploaded. The error is [ErrMalformed].
func newRecord(id KeyID, upload []byte) (Record, error) {
	if len(upload) != UploadSize || allZero(upload[elementSize:elementSize+hashSize]) {
		return Record{}, ErrMalformed
	}
	if _, ok := element(upload[:elementSize]); !ok {
		return Record{}, ErrMalformed
	}
	return Record{key: id, upload: [UploadSize]byte(upload)}, nil
}

// Key names the key that the record was made with.
func (r Record) Key() KeyID { return r.key }

func (r Record) fingerprint() [fingerprintSize]byte {
	sum := sha256.Sum256(append(append([]byte("rushgate opaque record\x00"), r.key[:]...), r.upload[:]...))
	return [fingerprintSize]byte(sum[:])
}

// Marshal returns the text of the record, of [RecordLen] characters, in the manner of the hashes of package password:
// "$opaque$v=1,k=", the id of the key in 8 hexadecimal digits, "$", and the upload in base64url without padding.
func (r Record) Marshal() string {
	b := append(make([]byte, 0, RecordLen), recordPrefix...)
	b = append(hex.AppendEncode(b, r.key[:]), '$')
	return string(base64.RawURLEncoding.AppendEncode(b, r.upload[:]))
}

// IsRecord reports whether a stored proof says of itself that it is a record of this package, of whatever version.
func IsRecord(text string) bool { return len(text) > 8 && text[:8] == recordPrefix[:8] }

// ParseRecord reads what [Record.Marshal] writes, and nothing else. The error is [ErrBadRecord].
func ParseRecord(text string) (Record, error) {
	if len(text) != RecordLen || text[:len(recordPrefix)] != recordPrefix {
		return Record{}, ErrBadRecord
	}
	var r Record
	id, rest := []byte(text[len(recordPrefix):len(recordPrefix)+2*len(r.key)]), text[len(recordPrefix)+2*len(r.key):]
	if _, err := hex.Decode(r.key[:], id); err != nil || !bytes.Equal(id, bytes.ToLower(id)) || rest[0] != '$' {
		return Record{}, ErrBadRecord
	}
	upload, err := base64.RawURLEncoding.DecodeString(rest[1:])
	if err != nil || len(upload) != UploadSize { // the decoder passes over line ends
		return Record{}, ErrBadRecord
	}
	copy(r.upload[:], upload)
	if allZero(r.upload[elementSize : elementSize+hashSize]) {
		return Record{}, ErrBadRecord
	}
	return r, nil
}

// Format writes which key the record was made with, whatever the verb is.
func (r Record) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "a record of OPAQUE, key %v", r.key)
}

// LogValue returns which key the record was made with.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.key.String()) }
