package opaque

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestKeyFile(t *testing.T) {
	keys := newTestKeys(t)
	for i := range MaxKeys - 1 {
		more, err := keys.Prepared(chanceOf(byte(10 + i)))
		if err != nil {
			t.Fatal(err)
		}
		keys = more
	}
	if _, err := keys.Prepared(chanceOf(99)); err == nil {
		t.Error("there are more keys than allowed")
	}
	if len(keys.prepared) != MaxKeys-1 || keys.IsPrepared(keys.IDs()[0]) || !keys.IsPrepared(keys.IDs()[MaxKeys-1]) {
		t.Errorf("prepared are %v of %v", keys.prepared, keys.IDs())
	}
	path := filepath.Join(t.TempDir(), "opaque.key")
	if err := os.WriteFile(path, keys.Marshal(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadKeys(path)
	if err != nil || !bytes.Equal(got.Marshal(), keys.Marshal()) || len(got.IDs()) != MaxKeys {
		t.Fatalf("what was read is not what was written, %v", err)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(path); runtime.GOOS != "windows" && !errors.Is(err, ErrBadKeys) {
		t.Errorf("open to everybody: %v", err)
	}
	if _, err := LoadKeys(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := newTestKeys(t).Prepared(chanceOf(1)); err == nil {
		t.Error("the same key is there twice")
	}
	if _, err := newTestKeys(t).Without(KeyID{}); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without a key that is not there: %v", err)
	}
}

// The key that was prepared last is put to use, once; which one that is stays in the file, and does not move when
// somebody sorts its lines.
func TestPromotion(t *testing.T) {
	keys := newTestKeys(t)
	if _, err := keys.Promoted(); !errors.Is(err, ErrNonePrepared) {
		t.Errorf("none was prepared: %v", err)
	}
	first := keys.IDs()[0]
	for i := range 2 {
		more, err := keys.Prepared(chanceOf(byte(10 + i)))
		if err != nil {
			t.Fatal(err)
		}
		if keys, err = ParseKeys(more.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	second, third := keys.IDs()[1], keys.IDs()[2]
	used, err := keys.Promoted()
	if err != nil || !slices.Equal(used.IDs(), []KeyID{third, first, second}) {
		t.Fatalf("in use is the first of %v, %v", used.IDs(), err)
	}
	again, err := ParseKeys(used.Marshal())
	if err != nil || bytes.Contains(used.Marshal(), []byte(preparedMark)) {
		t.Errorf("a key is still prepared: %v", err)
	}
	if _, err := again.Promoted(); !errors.Is(err, ErrNonePrepared) {
		t.Errorf("a key of before is put to use: %v", err)
	}
	file := string(keys.Marshal())
	last := file[strings.LastIndex(file[:len(file)-1], "\n")+1:]
	head := keyFileVersion + "\n"
	byHand, err := ParseKeys([]byte(strings.Replace(strings.TrimSuffix(file, last), head, head+last, 1)))
	if err != nil || byHand.IDs()[0] != third || byHand.IsPrepared(third) || !byHand.IsPrepared(second) {
		t.Errorf("moved by hand: %v, prepared %v, %v", byHand.IDs(), byHand.prepared, err)
	}
	if left, err := keys.Without(third); err != nil || left.IsPrepared(third) {
		t.Errorf("a key that was taken away is prepared: %v", err)
	}
}

func TestBadKeyFiles(t *testing.T) {
	keys := newTestKeys(t)
	file := string(keys.Marshal())
	line := file[strings.LastIndex(file[:len(file)-1], "\n")+1 : len(file)-1]
	head := keyFileVersion + "\n"
	fields := strings.Split(line, " ")
	order := "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010" // of the group: not canonical
	for name, bad := range map[string]string{
		"empty":           "",
		"comments only":   "# nothing\n",
		"no version":      line + "\n",
		"another version": "rushgate-opaque-keys 2\n" + line + "\n",
		"no key":          head,
		"twice":           head + line + "\n" + line + "\n",
		"space":           head + line + " \n",
		"upper case":      head + fields[0] + " " + strings.ToUpper(strings.Join(fields[1:], " ")) + "\n",
		"another id":      head + "00000000" + line[8:] + "\n",
		"three fields":    head + strings.Join(fields[:3], " ") + "\n",
		"no private key":  head + fields[0] + " " + strings.Repeat("00", 32) + " " + fields[2] + " " + fields[3] + "\n",
		"too great a key": head + fields[0] + " " + order + " " + fields[2] + " " + fields[3] + "\n",
		"no seed":         head + fields[0] + " " + fields[1] + " " + strings.Repeat("00", 64) + " " + fields[3] + "\n",
		"large":           head + strings.Repeat("#\n", maxKeyFile),
	} {
		_, err := ParseKeys([]byte(bad))
		if !errors.Is(err, ErrBadKeys) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), fields[1][:12]) {
			t.Errorf("%s: the error shows a key: %v", name, err)
		}
	}
	if _, err := ParseKeys([]byte("\n# mine\r\n" + strings.ReplaceAll(file, "\n", "\r\n"))); err != nil {
		t.Errorf("with the line ends of Windows: %v", err)
	}
}

func TestRecordText(t *testing.T) {
	s, p := newTestServer(t, nil), newPlayer(t)
	record := p.register(s, "alice", "correct horse")
	text := record.Marshal()
	got, err := ParseRecord(text)
	if err != nil || got != record || len(text) != RecordLen || !IsRecord(text) {
		t.Fatalf("%q of %d, %v", text, len(text), err)
	}
	for name, bad := range map[string]string{
		"nothing":         "",
		"another version": strings.Replace(text, "v=1", "v=2", 1),
		"upper case":      recordPrefix + "ABCDEF01" + text[len(recordPrefix)+8:],
		"cut":             text[:len(text)-1],
		"longer":          text + "A",
		"line end":        text[:len(text)-1] + "\n",
		"other base64":    text[:len(text)-1] + "+",
		"no id":           recordPrefix + "zzzzzzzz" + text[len(recordPrefix)+8:],
		"no mask":         text[:len(text)-uploadText] + strings.Repeat("A", uploadText),
		"a hash":          "$pbkdf2-sha256$" + strings.Repeat("A", RecordLen-15),
	} {
		if _, err := ParseRecord(bad); !errors.Is(err, ErrBadRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
