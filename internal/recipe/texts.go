package recipe

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// texts are what systems do to names and passwords before they hash them.
var texts = []*function{
	text("lower", "all letters in lower case", strings.ToLower),
	text("upper", "all letters in upper case", strings.ToUpper),
	text("asciilower", "A to Z in lower case", func(s string) string { return mapASCII(s, 'A', 'Z', 'a'-'A') }),
	text("asciiupper", "a to z in upper case", func(s string) string { return mapASCII(s, 'a', 'z', 'A'-'a') }),
	text("ascii", "\"?\" for each character that is not of ASCII, as Java writes them", func(s string) string {
		return toASCII(s, func(rune) string { return "?" })
	}),
	text("ascii16", "the same, with \"??\" for one that UTF-16 needs two units for, as .NET writes them",
		func(s string) string {
			return toASCII(s, func(r rune) string { return strings.Repeat("?", max(utf16.RuneLen(r), 1)) })
		}),
	text("latin1", "ISO 8859-1, with \"?\" for what it does not have", toLatin1),
	text("latin1_as_utf8", "UTF-8 of what the bytes are in ISO 8859-1, as programs write that take one for the other",
		func(s string) string {
			out, _ := charmap.ISO8859_1.NewDecoder().String(s) // which knows each byte
			return out
		}),
	text("utf16le", "UTF-16, the low byte first", func(s string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			b.Write([]byte{byte(u), byte(u >> 8)})
		}
		return b.String()
	}),
	text("cut_utf16", "as many of the bytes as UTF-16 would have units", func(s string) string {
		return s[:min(len(s), len(utf16.Encode([]rune(s))))]
	}),
	text("html", "& < > and \" as HTML writes them", strings.NewReplacer(
		"&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace),
	text("nfc", "Unicode's normal form C", norm.NFC.String),
	text("nfkc", "Unicode's normal form KC", norm.NFKC.String),
	text("saslprep", "the form of RFC 4013", saslPrep),
	text("trim", "without spaces, tabs, line ends and NULs around it", func(s string) string {
		return strings.Trim(s, " \t\n\r\x00\x0b")
	}),
}

func text(name, about string, f func(string) string) *function {
	return one(name, about, nil, nil, func(b []byte) []byte { return []byte(f(string(b))) })
}

func mapASCII(s string, low, high byte, by int) string {
	b := []byte(s)
	for i, c := range b {
		if low <= c && c <= high {
			b[i] = byte(int(c) + by)
		}
	}
	return string(b)
}

func toASCII(s string, other func(rune) string) string {
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
		} else {
			b.WriteString(other(r))
		}
	}
	return b.String()
}

func toLatin1(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r > 0xff {
			r = '?'
		}
		b.WriteByte(byte(r))
	}
	return b.String()
}

// saslPrep maps and normalises as RFC 4013 says. What it prohibits is let through: a system that follows the RFC has
// hashed no such password.
func saslPrep(s string) string {
	return norm.NFKC.String(strings.Map(func(r rune) rune {
		switch {
		case r == 0xad, r == 0x34f, r == 0x1806, r == 0x2060, r == 0xfeff, // RFC 3454, table B.1
			0x180b <= r && r <= 0x180d, 0x200b <= r && r <= 0x200d, 0xfe00 <= r && r <= 0xfe0f:
			return -1
		case r == 0xa0, r == 0x1680, r == 0x202f, r == 0x205f, r == 0x3000, // table C.1.2
			0x2000 <= r && r <= 0x200a:
			return ' '
		}
		return r
	}, s))
}
