package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// README's ways of trusting a self-signed certificate work with a real curl, and refuse another node's.
func TestCurlPinsTheSelfSignedCertificate(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	dir := t.TempDir()
	n := startNode(t, dir, "--tls-names", "play.example.org")
	addr := strings.TrimPrefix(n.http, "http://")
	_, port, _ := strings.Cut(addr, ":")
	n.log.waitFor(t, "key_sha256_base64=") // the log comes by another way than the line that the node is ready
	key := regexp.MustCompile(`key_sha256_base64="?([A-Za-z0-9+/=]{44})`).FindStringSubmatch(n.log.String())
	if key == nil {
		t.Fatalf("the log does not name the key:\n%s", n.log)
	}
	other := filepath.Join(t.TempDir(), "other")
	startNode(t, other, "--tls")
	byName := []string{"--resolve", "play.example.org:" + port + ":127.0.0.1", "https://play.example.org:" + port + "/healthz"}
	byOtherName := []string{"--resolve", "other.example.org:" + port + ":127.0.0.1",
		"https://other.example.org:" + port + "/healthz"}
	trusting := []string{"--cacert", filepath.Join(dir, "tls-cert.pem")}
	pinning := []string{"--insecure", "--pinnedpubkey", "sha256//" + key[1]}
	for name, c := range map[string]struct {
		how, where []string
		works      bool
	}{
		"the file":                  {trusting, byName, true},
		"the file, by address":      {trusting, []string{"https://" + addr + "/healthz"}, true},
		"the file, by another name": {trusting, byOtherName, false},
		"another node's file":       {[]string{"--cacert", filepath.Join(other, "tls-cert.pem")}, byName, false},
		"neither":                   {nil, byName, false},
		"the key":                   {pinning, byName, true},
		"the key, by another name":  {pinning, byOtherName, true},
		"another key":               {[]string{"--insecure", "--pinnedpubkey", "sha256//" + strings.Repeat("A", 43) + "="}, byName, false},
	} {
		args := append(append([]string{"--silent", "--show-error", "--fail", "--max-time", "20"}, c.how...), c.where...)
		out, err := exec.CommandContext(t.Context(), curl, args...).CombinedOutput()
		if (err == nil) != c.works {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
