package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/rushgate/rushgate"
)

var _ rushgate.Messenger = (*field)(nil)

// spoken returns what the field says, all of which has to be to all players, and reliable.
func spoken(t *testing.T, f *field) (lines []string) {
	t.Helper()
	for _, m := range f.Speak(nil) {
		if m.Player != 0 || !m.Reliable {
			t.Errorf("it says %+v", m)
		}
		lines = append(lines, string(m.Data))
	}
	return lines
}

func TestPlayersHearEachOther(t *testing.T) {
	f := filled(2)
	f.Hear(rushgate.Message{Player: 1, Data: []byte("you are it")})
	f.Hear(rushgate.Message{Player: 2, Data: []byte("no, you")})
	if got := spoken(t, f); !slices.Equal(got, []string{"alice: you are it", "bob: no, you"}) {
		t.Errorf("it says %q", got)
	}
	if got := spoken(t, f); len(got) != 0 {
		t.Errorf("it says %q once more", got)
	}
}

// What is passed on of anything that a client may send is a line of text, and short enough to be sent.
func TestChatIsALineOfText(t *testing.T) {
	for said, want := range map[string]string{
		" hi\tthere\n": "alice: hithere", "\x1b[2J": "alice: [2J", "\x00\x01": "", "  ": "", "Žofie": "alice: Žofie",
		strings.Repeat("a", maxLine+1): "", "a\xffb": "alice: a\ufffdb",
	} {
		f := filled(1)
		f.Hear(rushgate.Message{Player: 1, Data: []byte(said)})
		if got := strings.Join(spoken(t, f), ""); got != want || len(got) > rushgate.MaxMessage {
			t.Errorf("%q becomes %q, want %q", said, got, want)
		}
	}
	f := filled(1)
	f.Hear(rushgate.Message{Player: 1, Data: []byte(strings.Repeat("\xff", maxLine))})
	if got := spoken(t, f); len(got) != 1 || len(got[0]) > rushgate.MaxMessage {
		t.Errorf("it says %d bytes", len(strings.Join(got, "")))
	}
	f.Hear(rushgate.Message{Player: 99, Data: []byte("boo")})
	if got := spoken(t, f); len(got) != 0 {
		t.Errorf("a player who is not there says %q", got)
	}
}
