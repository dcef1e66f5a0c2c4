package linked

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/line"
)

const (
	// ProofLife is for how long a proof is good: enough to wait in a line and to ask again when an answer was lost.
	ProofLife = 10 * time.Minute
	// MaxProofText is how many characters the text of a proof has at most.
	MaxProofText = (line.LetterOverhead + 1 + 5*2 + maxProvider + maxIssuer + maxSubject + maxName + maxEmail + 2) / 3 * 4

	// proofSkew is by how much the clocks of a fleet's nodes may differ.
	proofSkew = time.Minute

	proofVersion = 1
	proofPurpose = "identity"

	maxProvider = 32
	maxIssuer   = 512
	maxSubject  = 255
	maxName     = 256 // bytes; 64 characters
	maxEmail    = 254
)

// The errors of [OpenProof].
var (
	// ErrBadProof is for what is no proof of this fleet's.
	ErrBadProof = errors.New("linked: not a proof of an identity")
	// ErrOldProof is for one that was good: the player has to visit the provider once more.
	ErrOldProof = errors.New("linked: a proof of an identity that is too old")
)

// Proof says that a provider has vouched for the player who shows it. A node seals it, and the client carries it to
// whichever node of the fleet it logs in at, or has an identity linked at. For [ProofLife] it is good on every one of
// them and as often as it is shown: a stolen one is worth a session for that time. It is handed to the client that
// asked and is in no URL and no log.
type Proof struct {
	// At is when the provider has vouched, to the microsecond.
	At time.Time
	// Provider is the operator's name of the provider, at most 32 bytes.
	Provider string
	// Issuer is the provider as it calls itself, at most 512 bytes, and Subject what it calls the player, at most 255,
	// both of printable ASCII without spaces. They are those of [OfProvider].
	Issuer, Subject string
	// Name is a proposal of a username, of at most 256 bytes of UTF-8 without control characters, perhaps empty. Email is
	// an address that the provider says it has verified, or empty.
	Name, Email string
}

// Credential returns what an account has that the proof opens.
func (p *Proof) Credential() rushgate.Credential { return OfProvider(p.Issuer, p.Subject) }

// Expires returns when the proof is good no longer.
func (p *Proof) Expires() time.Time { return p.At.Add(ProofLife) }

// Seal returns the text of the proof, at most [MaxProofText] characters of base64url. Random is read for 24 bytes; nil
// means [crypto/rand.Reader]. The error is [ErrBadProof] for one that no node would open, or that of random.
func (p *Proof) Seal(ring *line.Keyring, random io.Reader) (string, error) {
	if !p.valid() {
		return "", ErrBadProof
	}
	b := []byte{proofVersion}
	for _, s := range p.parts() {
		b = binary.BigEndian.AppendUint16(b, uint16(len(*s.field)))
		b = append(b, *s.field...)
	}
	sealed, err := ring.SealLetter(proofPurpose, p.At, b, random)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// OpenProof reads the text of a proof, at a time. The error is [ErrBadProof] or [ErrOldProof].
func OpenProof(ring *line.Keyring, text string, now time.Time) (Proof, error) {
	if len(text) > MaxProofText {
		return Proof{}, ErrBadProof
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(b)) != len(text) { // which passes over line breaks
		return Proof{}, ErrBadProof
	}
	at, content, err := ring.OpenLetter(proofPurpose, b)
	if err != nil {
		return Proof{}, ErrBadProof
	}
	p, err := parseProof(content)
	if err != nil {
		return Proof{}, err
	}
	p.At = at
	if age := now.Sub(at); age >= ProofLife || age < -proofSkew {
		return Proof{}, ErrOldProof
	}
	return p, nil
}

// parseProof reads what is in a letter.
func parseProof(b []byte) (p Proof, err error) {
	if len(b) == 0 || b[0] != proofVersion {
		return Proof{}, ErrBadProof
	}
	b = b[1:]
	for _, s := range p.parts() {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return Proof{}, ErrBadProof
		}
		end := 2 + int(binary.BigEndian.Uint16(b))
		*s.field, b = string(b[2:end]), b[end:]
	}
	if len(b) > 0 || !p.valid() {
		return Proof{}, ErrBadProof
	}
	return p, nil
}

// part is one text of a proof.
type part struct {
	field *string
	most  int // bytes
	free  bool
}

// parts returns those of a proof in the order in which they are sealed.
func (p *Proof) parts() [5]part {
	return [...]part{
		{field: &p.Provider, most: maxProvider},
		{field: &p.Issuer, most: maxIssuer},
		{field: &p.Subject, most: maxSubject},
		{field: &p.Name, most: maxName, free: true},
		{field: &p.Email, most: maxEmail, free: true},
	}
}

func (p *Proof) valid() bool {
	for _, s := range p.parts() {
		switch text := *s.field; {
		case len(text) > s.most, !s.free && (text == "" || !printable(text)):
			return false
		case s.free && !plain(text):
			return false
		}
	}
	return true
}

// printable reports whether a text is of printable ASCII characters without spaces.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// plain reports whether a text is UTF-8 without control characters.
func plain(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}
