package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxTitle is the greatest length of a title, in characters.
const MaxTitle = 40

// ownTitle is what stands in the bundle where the title goes.
const ownTitle = "Rushgate"

// appTag is where the bundle's page is told what there is.
const appTag = `<main id="app"`

// Look is what of the page is a game's own. The zero value is Rushgate's.
type Look struct {
	// Title is the name of the game, up to [MaxTitle] printable characters.
	Title string
	// Accent is the colour of buttons, of the player, and of what is to be seen first, as in #0f766e. It is made darker or
	// lighter where it could not be told from the ground that it stands on.
	Accent string
	// PasskeyOrigins are those at which the page offers to come in with a passkey.
	PasskeyOrigins []string
	// Guests has the page offer to play as a guest, and Providers to come in by those of /v1/identities.
	Guests, Providers bool
	// Opaque is how the page proves passwords by OPAQUE: "prefer" or "only", as /v1/status has it; empty if it does not.
	Opaque string
	// PasswordMin is how many characters a new password needs, which a page that proves it by OPAQUE has to see to; 0
	// stands for the usual number.
	PasswordMin int
}

// Check returns what is wrong with a look.
func (l Look) Check() error { return errors.Join(CheckTitle(l.Title), CheckAccent(l.Accent)) }

// CheckTitle returns what is wrong with a title. The empty one stands for that of Rushgate.
func CheckTitle(title string) error {
	printable := !strings.ContainsFunc(title, func(r rune) bool { return !unicode.IsPrint(r) })
	switch n := utf8.RuneCountInString(title); {
	case !utf8.ValidString(title), !printable, strings.TrimSpace(title) != title:
		return fmt.Errorf("%q, want printable characters, none of them a space at an end", title)
	case n > MaxTitle:
		return fmt.Errorf("%d characters, want at most %d", n, MaxTitle)
	}
	return nil
}

// CheckAccent returns what is wrong with a colour. The empty one stands for that of Rushgate.
func CheckAccent(accent string) error {
	if _, err := parseColour(accent); err != nil && accent != "" {
		return err
	}
	return nil
}

// page returns index.html with the title, and with a reference to the style sheet if there is one.
func (l Look) page(index []byte, sheet string) []byte {
	title := cmp.Or(l.Title, ownTitle)
	index = bytes.ReplaceAll(index, []byte(ownTitle), []byte(html.EscapeString(title)))
	index = bytes.Replace(index, []byte(appTag), []byte(appTag+l.told()), 1)
	if sheet == "" {
		return index
	}
	link := []byte(`<link rel="stylesheet" href="` + sheet + `">` + "\n<script")
	return bytes.Replace(index, []byte("<script"), link, 1)
}

// told returns what the page is told of the node, as attributes.
func (l Look) told() string {
	var told strings.Builder
	attribute := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&told, ` data-%s="%s"`, name, html.EscapeString(value))
		}
	}
	attribute("passkeys", strings.Join(l.PasskeyOrigins, " "))
	attribute("opaque", l.Opaque)
	var others []string
	if l.Guests {
		others = append(others, "guests")
	}
	if l.Providers {
		others = append(others, "providers")
	}
	attribute("others", strings.Join(others, " "))
	if l.Opaque != "" && l.PasswordMin > 0 {
		attribute("password-min", strconv.Itoa(l.PasswordMin))
	}
	return told.String()
}

// sheet returns the name of the style sheet with the colours, and what is in it; nothing for those of Rushgate. The
// grounds are those of style.css.
func (l Look) sheet() (name string, content []byte) {
	accent, err := parseColour(l.Accent)
	if err != nil {
		return "", nil
	}
	var b bytes.Buffer
	light, dark := accent.legibleOn(white, black), accent.legibleOn(colour{0x18, 0x20, 0x1d}, white)
	fmt.Fprintf(&b, ":root{--accent:%s;--on-accent:%s}\n", light, light.ink())
	fmt.Fprintf(&b, "@media(prefers-color-scheme:dark){:root{--accent:%s;--on-accent:%s}}\n", dark, dark.ink())
	sum := sha256.Sum256(b.Bytes())
	return "look-" + hex.EncodeToString(sum[:6]) + ".css", b.Bytes()
}

// colour is one of sRGB: red, green and blue, 0 to 255.
type colour [3]float64

var black, white = colour{}, colour{255, 255, 255}

// legible is the least contrast of text, by WCAG 2.2, success criterion 1.4.3.
const legible = 4.5

func parseColour(s string) (c colour, err error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 16, 24)
	if err != nil || len(s) != 7 || s[0] != '#' {
		return c, fmt.Errorf("%.20q, want six hexadecimal digits after a #, as in #0f766e", s)
	}
	return colour{float64(n >> 16), float64(n >> 8 & 0xff), float64(n & 0xff)}, nil
}

func (c colour) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0])), int(math.Round(c[1])), int(math.Round(c[2])))
}

// legibleOn returns a colour, moved towards another one as far as it takes to be legible on a ground.
func (c colour) legibleOn(ground, towards colour) colour {
	moved := c
	for step := 1.0; step <= 20 && moved.contrast(ground) < legible; step++ {
		for i := range moved {
			moved[i] = math.Round(c[i] + (towards[i]-c[i])*step/20)
		}
	}
	return moved
}

// ink returns black or white, whichever can be read better on a colour.
func (c colour) ink() colour {
	if c.contrast(white) >= c.contrast(black) {
		return white
	}
	return black
}

// contrast returns that of two colours by WCAG 2.2, 1 to 21.
func (c colour) contrast(o colour) float64 {
	a, b := c.luminance(), o.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// luminance returns the relative luminance of WCAG 2.2.
func (c colour) luminance() float64 {
	linear := func(v float64) float64 {
		if v /= 255; v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}
