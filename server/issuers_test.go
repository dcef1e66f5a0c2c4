package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rushgate/rushgate/internal/oidc"
)

// withProviders returns the configuration of a node with a file of providers, and where its log goes.
func withProviders(t *testing.T, entries ...string) (Config, *bytes.Buffer) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "providers.json")
	content := `{"providers":[` + strings.Join(entries, ",") + `]}`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	return Config{
		HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0", UDPAddr: NoUDP, Backend: Memory, DataDir: t.TempDir(),
		Logger: slog.New(slog.NewTextHandler(&log, nil)), OIDCFile: file,
	}, &log
}

// A node does not start with a provider that it would call by an address inside a network, and be it the machine's own,
// as long as it is not told that it may: no player could come in.
func TestIssuersAtAddressesThatAreNotCalled(t *testing.T) {
	const entry = `{"name":"guild","issuer":%q,"client_id":"web","redirect":"https://play.example/play/back/guild"}`
	for issuer, allow := range map[string]string{
		"http://127.0.0.1:8081": "127.0.0.1/32", "http://localhost:8081": "127.0.0.0/8",
		"https://10.1.2.3/realms/game": "10.0.0.0/8",
		"https://[fd00::1]":            "fd00::/8", "https://192.168.1.1:8443": "192.168.1.1/32", "https://[::1]": "::1/128",
	} {
		cfg, _ := withProviders(t, fmt.Sprintf(entry, issuer))
		_, err := Start(t.Context(), cfg)
		host, _ := issuerHost(issuer)
		var wrong *SettingError
		if !errors.As(err, &wrong) || wrong.Setting != "ProviderNetworks" || !strings.Contains(err.Error(), "guild") ||
			!strings.Contains(err.Error(), host) {
			t.Errorf("%s: %v", issuer, err)
		}
		cfg.ProviderNetworks = []netip.Prefix{netip.MustParsePrefix(allow)}
		if _, err := cfg.readProviders(); err != nil {
			t.Errorf("%s, allowed: %v", issuer, err)
		}
	}
	cfg, _ := withProviders(t, fmt.Sprintf(entry, "https://93.184.216.34"))
	if _, err := cfg.readProviders(); err != nil {
		t.Errorf("an address of the Internet: %v", err)
	}
	cfg, _ = withProviders(t, `{"name":"guild","preset":"gogle","client_id":"web","redirect":"https://play.example/back"}`)
	if _, err := cfg.readProviders(); err == nil || !strings.Contains(err.Error(),
		"apple, discord, epic, google, microsoft, twitch") {
		t.Errorf("a preset that there is not: %v", err)
	}
}

// The log is told of providers whose names lead into a network, and of no others.
func TestIssuersWhoseNamesLeadInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		names := map[string]string{
			"outside.example": "93.184.216.34", "inside.example": "10.0.0.7", "allowed.example": "10.1.0.7",
			"both.example": "10.0.0.8 93.184.216.34",
		}
		look := func(ctx context.Context, _, host string) (found []netip.Addr, err error) {
			if host == "slow.example" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			for a := range strings.FieldsSeq(names[host]) {
				found = append(found, netip.MustParseAddr(a))
			}
			return found, nil
		}
		var all []oidc.Settings
		for _, name := range []string{"outside", "inside", "allowed", "both", "unknown", "slow"} {
			all = append(all, oidc.Settings{Name: name, Issuer: "https://" + name + ".example/"})
		}
		cfg := Config{
			Logger:           slog.New(slog.NewTextHandler(&log, nil)),
			ProviderNetworks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
		}
		v := &vouchers{life: t.Context()}
		v.findIssuers(cfg, all, look)
		v.looking.Wait() // the slow one has its time
		if said := log.String(); strings.Count(said, "level=WARN") != 1 || !strings.Contains(said, "provider=inside") ||
			!strings.Contains(said, "address=10.0.0.7") || !strings.Contains(said, "--provider-networks") {
			t.Error(said)
		}
	})
}

// The log is told of addresses to which browsers are sent back in vain.
func TestReturnsThatNobodyTakes(t *testing.T) {
	const entry = `{"name":%q,"issuer":"https://id.example","client_id":"web","redirect":%q}`
	cfg, log := withProviders(t,
		fmt.Sprintf(entry, "good", "https://play.example/play/back/good"),
		fmt.Sprintf(entry, "below", "https://play.example/game/play/back/below"),
		fmt.Sprintf(entry, "swapped", "https://play.example/play/back/good"),
		fmt.Sprintf(entry, "elsewhere", "https://play.example/callback"),
		fmt.Sprintf(entry, "unknown", "https://play.example/play/back/nobody"),
		fmt.Sprintf(entry, "program", "http://127.0.0.1:17600/back"))
	cfg.SteamReturn = "https://play.example/play/back/Steam"
	s := &Server{cfg: cfg}
	if err := s.openProviders(); err != nil {
		t.Fatal(err)
	}
	s.closeProviders()
	said := log.String()
	for name, want := range map[string]string{
		"good": "", "below": "", "program": "", "swapped": "another one", "elsewhere": "not this node's",
		"unknown": "not this node's", "steam": "not this node's",
	} {
		var got string
		for line := range strings.Lines(said) {
			if strings.Contains(line, "provider="+name+" ") {
				got += line
			}
		}
		if (want == "") != (got == "") || !strings.Contains(got, want) || strings.Count(got, "\n") > 1 {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
