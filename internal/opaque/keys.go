package opaque

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/gtank/ristretto255"
	"golang.org/x/crypto/chacha20poly1305"
)

// MaxKeys is how many keys there may be in a file.
const MaxKeys = 8

const sealSize = chacha20poly1305.KeySize

// KeyID names a key. It is derived from the key, so that a file cannot give one the name of another.
type KeyID [4]byte

// String returns the 8 hexadecimal digits that stand for the id in files and records. They are no secret.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// Keys are what a server answers with: the first of them registers players and answers for names without an account,
// and each answers for the records that were made with it. They do not change, and may be used by many goroutines. No
// fmt verb and no log prints a key.
type Keys struct {
	list     []*key  // 1 to MaxKeys
	prepared []KeyID // of the list, and not in use yet
}

// key is a private key, the seed of the OPRF keys, and what states are sealed with; decoded once.
type key struct {
	id      KeyID
	secret  [scalarSize + hashSize + sealSize]byte // all three, as in a file
	private *ristretto255.Scalar
	public  [elementSize]byte
	seed    [hashSize]byte
	seal    cipher.AEAD
	in      transcript

	fakeMasking [hashSize]byte
	fakeClient  [elementSize]byte
}

// transcript is what both sides have to have named alike. It is empty, and the public keys are the identities, but for
// the vectors of the RFC.
type transcript struct{ context, client, server []byte }

// newKey returns the key that consists of a private key, a seed, and a sealing key. The error holds none of them.
func newKey(secret []byte) (*key, error) {
	k := new(key)
	if len(secret) != len(k.secret) {
		return nil, errors.New("not of the right size")
	}
	copy(k.secret[:], secret)
	private, seed, sealKey := secret[:scalarSize], secret[scalarSize:scalarSize+hashSize], secret[scalarSize+hashSize:]
	if allZero(private) || allZero(seed) || allZero(sealKey) {
		return nil, errors.New("never set")
	}
	var err error
	if k.private, err = ristretto255.NewScalar().SetCanonicalBytes(private); err != nil {
		return nil, errors.New("not a private key of ristretto255")
	}
	if k.seal, err = chacha20poly1305.NewX(sealKey); err != nil {
		return nil, errors.New("not a sealing key")
	}
	copy(k.seed[:], seed)
	multiplyBase(k.public[:0], k.private)
	sum := sha256.Sum256(append([]byte("rushgate opaque key\x00"), secret...))
	copy(k.id[:], sum[:])
	copy(k.fakeMasking[:], mac(seed, []byte(labelFakeMasking)))
	multiplyBase(k.fakeClient[:0], deriveScalar(mac(seed, []byte(labelFakeClient))[:seedSize], labelDHPair))
	return k, nil
}

// NewKeys returns one new key, read from random (nil: crypto/rand.Reader).
func NewKeys(random io.Reader) (*Keys, error) {
	k, _, err := new(Keys).withNew(random)
	return k, err
}

// Prepared returns the keys with a new one, which is not in use yet: at the end of the file, for all nodes to have it
// before one of them uses it. [Keys.Promoted] then puts it to use.
func (k *Keys) Prepared(random io.Reader) (*Keys, error) {
	more, id, err := k.withNew(random)
	if err != nil {
		return nil, err
	}
	more.prepared = append(slices.Clip(k.prepared), id)
	return more, nil
}

func (k *Keys) withNew(random io.Reader) (more *Keys, id KeyID, err error) {
	made, err := k.newOne(random)
	if err != nil {
		return nil, id, fmt.Errorf("opaque: new key: %w", err)
	}
	return &Keys{list: append(slices.Clip(k.list), made)}, made.id, nil
}

func (k *Keys) newOne(random io.Reader) (*key, error) {
	if random == nil {
		random = rand.Reader
	}
	if len(k.list) == MaxKeys {
		return nil, fmt.Errorf("there are %d already", MaxKeys)
	}
	var uniform [2 * scalarSize]byte
	secret := make([]byte, scalarSize+hashSize+sealSize)
	_, err := io.ReadFull(random, uniform[:])
	if err == nil {
		_, err = io.ReadFull(random, secret[scalarSize:])
	}
	if err != nil {
		return nil, err
	}
	private, err := ristretto255.NewScalar().SetUniformBytes(uniform[:])
	if err != nil {
		return nil, err
	}
	copy(secret, private.Bytes())
	made, err := newKey(secret)
	if err != nil {
		return nil, err
	}
	if k.find(made.id) != nil {
		return nil, errors.New("the same as, or named like, one that is there")
	}
	return made, nil
}

// Promoted returns the keys with the one first that was prepared last, which puts it to use. The others answer for the
// records that were made with them, and none of them is put to use any more: it may have been stolen with the file. The
// error is [ErrNonePrepared] if there is none.
func (k *Keys) Promoted() (*Keys, error) {
	if len(k.prepared) == 0 {
		return nil, ErrNonePrepared
	}
	next := k.find(k.prepared[len(k.prepared)-1])
	rest := slices.DeleteFunc(slices.Clone(k.list), func(one *key) bool { return one == next })
	return &Keys{list: append([]*key{next}, rest...)}, nil
}

// Without returns the keys without one, whose records are then of no use to anybody. The error is [ErrUnknownKey], or
// says that it is the one in use.
func (k *Keys) Without(id KeyID) (*Keys, error) {
	if k.find(id) == nil {
		return nil, ErrUnknownKey
	}
	if k.current().id == id {
		return nil, fmt.Errorf("opaque: key %v is in use", id)
	}
	left := new(Keys)
	for _, one := range k.list {
		if one.id != id {
			left.list = append(left.list, one)
		}
	}
	left.prepared = slices.DeleteFunc(slices.Clone(k.prepared), func(p KeyID) bool { return p == id })
	return left, nil
}

// IDs returns the names of the keys, that of the one in use first.
func (k *Keys) IDs() []KeyID {
	ids := make([]KeyID, len(k.list))
	for i, one := range k.list {
		ids[i] = one.id
	}
	return ids
}

// IsPrepared reports whether a key is one that [Keys.Prepared] has added, and none was put to use since.
func (k *Keys) IsPrepared(id KeyID) bool { return slices.Contains(k.prepared, id) }

func (k *Keys) current() *key { return k.list[0] }

func (k *Keys) find(id KeyID) *key {
	for _, one := range k.list {
		if one.id == id {
			return one
		}
	}
	return nil
}

// Format writes how many keys there are, whatever the verb is.
func (k Keys) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%d keys of OPAQUE", len(k.list))
}

// LogValue returns how many keys there are.
func (k Keys) LogValue() slog.Value { return slog.IntValue(len(k.list)) }
