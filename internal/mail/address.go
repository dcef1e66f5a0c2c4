package mail

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Bounds of an address, in bytes (RFC 5321 section 4.5.3.1; RFC 3696 erratum 1690 on the whole).
const (
	MaxAddress = 254
	maxLocal   = 64
	maxDomain  = 253
	// maxTyped bounds what is looked at of a text that is to be an address: a domain may be longer as it is typed.
	maxTyped = 1024
)

// ErrAddress is wrapped by the errors about what is no address that mail is sent to. They say nothing of the text, and
// may be shown.
var ErrAddress = errors.New("not an e-mail address")

// ParseAddress returns the form of an e-mail address that mail is sent to: one addr-spec without quotes, comments or a
// name, at most [MaxAddress] bytes of printable ASCII, with at least two labels in its domain, which is in lower case
// and, if it is of other letters, in its IDNA form. The part before the @ is left as it is: whether case matters there
// is known to its host alone.
func ParseAddress(s string) (string, error) {
	if len(s) > maxTyped {
		return "", fmt.Errorf("%w: it has more than %d bytes", ErrAddress, MaxAddress)
	}
	local, domain, found := strings.Cut(s, "@")
	if !found {
		return "", fmt.Errorf("%w: it has no @", ErrAddress)
	}
	if !isLocal(local) {
		return "", fmt.Errorf("%w: before the @ only letters, digits and !#$%%&'*+-/=?^_`{|}~ can stand, with "+
			"single dots between them", ErrAddress)
	}
	domain, err := parseDomain(domain)
	if err != nil {
		return "", err
	}
	address := local + "@" + domain
	if len(address) > MaxAddress {
		return "", fmt.Errorf("%w: it has more than %d bytes", ErrAddress, MaxAddress)
	}
	if read, err := mail.ParseAddress(address); err != nil || read.Name != "" || read.Address != address {
		return "", ErrAddress // which the rules above should leave nothing of
	}
	return address, nil
}

// isLocal reports whether a text is a dot-atom (RFC 5322 section 3.2.3) of ASCII that fits before an @.
func isLocal(s string) bool {
	if len(s) > maxLocal {
		return false
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, isNotAtom) {
			return false
		}
	}
	return true
}

func isNotAtom(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// parseDomain returns the ASCII form of a domain with at least two labels. One whose last label is a number is an
// address of the Internet, to which nobody's mail goes.
func parseDomain(s string) (string, error) {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", fmt.Errorf("%w: there is no such domain", ErrAddress)
	}
	domain, err := idna.Lookup.ToASCII(s)
	if err != nil || len(domain) > maxDomain {
		return "", fmt.Errorf("%w: there is no such domain", ErrAddress)
	}
	labels := strings.Split(domain, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return "", fmt.Errorf("%w: there is no such domain", ErrAddress)
		}
	}
	if last := labels[len(labels)-1]; len(labels) < 2 || strings.Trim(last, "0123456789") == "" {
		return "", fmt.Errorf("%w: its domain is not complete", ErrAddress)
	}
	return domain, nil
}

// isLabel reports whether a text is a label of a host's name (RFC 1123 section 2.1), in lower case.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
