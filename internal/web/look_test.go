package web

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// A game of one's own has its name and its colour on the page, as text and nothing else.
func TestLook(t *testing.T) {
	h := Play(Look{Title: `Rust & "Bones" <b>`, Accent: "#B8860B"})
	ask := func(path string) (string, http.Header) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", path, w.Code)
		}
		return w.Body.String(), w.Header()
	}
	page, _ := ask("/play/")
	const title = "Rust &amp; &#34;Bones&#34; &lt;b&gt;"
	if n := strings.Count(page, title); n != 3 || strings.Contains(page, ownTitle) {
		t.Errorf("the title stands there %d times, ours %d times", n, strings.Count(page, ownTitle))
	}
	link := regexp.MustCompile(`<link rel="stylesheet" href="(look-[0-9a-f]{12}\.css)">`).FindStringSubmatch(page)
	if link == nil || strings.Index(page, "style-") > strings.Index(page, "look-") {
		t.Fatalf("no colours that come after those of the page: %s", page[:700])
	}
	sheet, header := ask("/play/" + link[1])
	if want := ":root{--accent:#"; !strings.HasPrefix(sheet, want) || header.Get("Cache-Control") != forever ||
		header.Get("Content-Type") != contentTypes[".css"] {
		t.Errorf("%v: %s", header, sheet)
	}
}

// The page of a node without a look of its own is the bundle as it is.
func TestNoLook(t *testing.T) {
	index, err := dist.ReadFile("dist/index.html")
	if err != nil {
		t.Fatal(err)
	}
	if got := (Look{}).page(index, ""); !bytes.Equal(got, index) {
		t.Error("the page is another one")
	}
	if n := bytes.Count(index, []byte(ownTitle)); n != 3 {
		t.Errorf("the bundle has the title %d times, want in title, description and heading", n)
	}
	if name, sheet := (Look{Title: "Game"}).sheet(); name != "" || sheet != nil {
		t.Errorf("colours that were not asked for: %s %s", name, sheet)
	}
}

// The page is told at which origins there are passkeys.
func TestPasskeyOrigins(t *testing.T) {
	index, err := dist.ReadFile("dist/index.html")
	if err != nil {
		t.Fatal(err)
	}
	got := (Look{PasskeyOrigins: []string{"https://a.example", "https://b.a.example"}}).page(index, "")
	want := `<main id="app" data-passkeys="https://a.example https://b.a.example" data-state=`
	if !bytes.Contains(got, []byte(want)) {
		t.Errorf("the page has no %s", want)
	}
}

// The page is told whether it proves passwords by OPAQUE, and how long new ones have to be.
func TestOpaqueOfAPage(t *testing.T) {
	index, err := dist.ReadFile("dist/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for want, look := range map[string]Look{
		`<main id="app" data-opaque="prefer" data-password-min="10" data-state=`: {Opaque: "prefer", PasswordMin: 10},
		`<main id="app" data-opaque="only" data-state=`:                          {Opaque: "only"},
		`<main id="app" data-state=`:                                             {PasswordMin: 10},
	} {
		if !bytes.Contains(look.page(index, ""), []byte(want)) {
			t.Errorf("the page of %+v has no %s", look, want)
		}
	}
}

func TestLooksThatAreNone(t *testing.T) {
	for title, ok := range map[string]bool{
		"": true, "Game": true, "Ёлки и волки": true, "大冒険": true, strings.Repeat("ä", 40): true, "a</title>b": true,
		strings.Repeat("a", 41): false, " Game": false, "Game ": false, "a\nb": false, "a\u202eb": false, "\xff": false,
		"a\u2028b": false, " ": false,
	} {
		if err := CheckTitle(title); (err == nil) != ok {
			t.Errorf("title %q: %v", title, err)
		}
	}
	for accent, ok := range map[string]bool{
		"": true, "#0f766e": true, "#FFFFFF": true, "#fff": false, "0f766e": false, "#0f766": false, "#0f766ef": false,
		"#gg0000": false, "red": false, "#0f766e;": false, "#+f766e": false, "##00000": false, "#0_0_00": false,
	} {
		if err := CheckAccent(accent); (err == nil) != ok {
			t.Errorf("accent %q: %v", accent, err)
		}
	}
	if (Look{Title: "\n", Accent: "red"}).Check() == nil {
		t.Error("a look of which nothing is right is right")
	}
}

// What the page writes can be read on what it stands on, in both colour schemes.
func TestColoursAreLegible(t *testing.T) {
	var sheet string
	for name, content := range distFiles(t) {
		if strings.HasPrefix(name, "style-") {
			sheet = string(content)
		}
	}
	root := regexp.MustCompile(`:root\{([^}]*)\}`).FindAllStringSubmatch(sheet, -1)
	if len(root) != 2 {
		t.Fatalf("%d sets of colours, want a light and a dark one", len(root))
	}
	for i, scheme := range []string{"light", "dark"} {
		of := make(map[string]colour)
		for _, c := range regexp.MustCompile(`--([a-z-]+): ?#([0-9a-f]+)`).FindAllStringSubmatch(root[i][1], -1) {
			of[c[1]] = shortColour(t, c[2])
		}
		for text, grounds := range map[string][]string{
			"ink": {"ground", "card", "control"}, "muted": {"ground", "card", "control"},
			"danger": {"ground", "card", "control"}, "on-accent": {"accent"}, "on-danger": {"danger"}, "accent": {"card"},
		} {
			for _, ground := range grounds {
				if c := of[text].contrast(of[ground]); c < legible {
					t.Errorf("%s: %s on %s has a contrast of %.2f", scheme, text, ground, c)
				}
			}
		}
	}
}

// shortColour reads the digits of a colour as style sheets may shorten it. A little that shines through is left out.
func shortColour(t *testing.T, digits string) colour {
	t.Helper()
	if len(digits) < 6 {
		var all strings.Builder
		for _, d := range digits {
			all.WriteRune(d)
			all.WriteRune(d)
		}
		digits = all.String()
	}
	c, err := parseColour("#" + digits[:6])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Whatever colour a game has, it can be read on both grounds, and so can what stands on it.
func TestAccentsAreLegible(t *testing.T) {
	for _, accent := range []string{"#000000", "#ffffff", "#ffff00", "#0000ff", "#808080", "#ff0000", "#00ff00", "#18201d",
		"#0f766e", "#777777"} {
		_, sheet := Look{Accent: accent}.sheet()
		found := regexp.MustCompile(`--accent:(#[0-9a-f]{6});--on-accent:(#[0-9a-f]{6})`).FindAllSubmatch(sheet, -1)
		if len(found) != 2 {
			t.Fatalf("%s: %s", accent, sheet)
		}
		for i, ground := range []colour{white, {0x18, 0x20, 0x1d}} {
			c, err := parseColour(string(found[i][1]))
			if err != nil {
				t.Fatal(err)
			}
			ink, err := parseColour(string(found[i][2]))
			if err != nil {
				t.Fatal(err)
			}
			if c.contrast(ground) < legible || c.contrast(ink) < legible {
				t.Errorf("%s: %s is %.1f on %s, and %s on it %.1f", accent, c, c.contrast(ground), ground, ink, c.contrast(ink))
			}
		}
	}
	if black.contrast(white) != 21 {
		t.Errorf("black on white is %v", black.contrast(white))
	}
}
