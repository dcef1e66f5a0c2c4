package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/rushgate/rushgate/server"
)

// settingFlags are the flags by which the command line knows the settings that errors of package server are about.
var settingFlags = map[string]string{
	"ACMEDirectory": "acme-directory", "ACMEDomains": "acme-domain", "AdminAddr": "admin", "AdminTLSCert": "admin-tls-cert",
	"AppealURL":   "appeal-url",
	"AdminTLSKey": "admin-tls-key", "AdminTokenFile": "admin-token-file", "Backend": "db", "DataDir": "data",
	"DeleteAfter": "delete-after",
	"GuestKeep":   "guest-keep",
	"HTTPAddr":    "http", "Handover": "handover", "HashKernel": "hash-kernel", "Origins": "origins",
	"PasskeyOrigins": "passkey-origin",
	"MailFrom":       "mail-from", "MailTemplates": "mail-templates", "SMTPCA": "smtp-ca",
	"SMTPPasswordFile": "smtp-password-file", "SMTPURL": "smtp-url",
	"PageAccent": "page-accent", "PageTitle": "page-title", "PepperFile": "password-pepper-file",
	"Opaque": "opaque", "OpaqueKeyFile": "opaque-key-file",
	"OIDCFile": "oidc", "SteamAppID": "steam-app-id", "SteamKeyFile": "steam-key-file", "SteamReturn": "steam-return",
	"SteamIdentity": "steam-identity", "ProviderNetworks": "provider-networks",
	"PublicAddress": "public-address", "RedisPrefix": "redis-prefix", "RedisURLs": "redis-url", "RememberFor": "remember-for",
	"RenameAfter": "rename-after", "RenameHold": "rename-hold",
	"TLS":     "http", // which was given, and cannot be without the other
	"TLSCert": "tls-cert", "TLSKey": "tls-key", "TLSNames": "tls-names", "TrustedProxies": "trusted-proxies",
	"UDPAddr": "udp", "UDPPublic": "udp-public", "Zones": "zones",
}

const noMailServer = "--smtp-url says where the mail server is"

// waysOut say which flags put a setting right that cannot be as it is.
var waysOut = map[string]string{
	"AdminTLSCert":   "give --admin-tls-cert and --admin-tls-key, or --tls",
	"MailFrom":       "give --mail-from \"The Game <noreply@example.org>\", an address that the mail server sends from",
	"AdminTokenFile": "give --admin-token-file FILE; \"openssl rand -hex 32\" makes what belongs into it",
	"TLS": "give --tls-cert and --tls-key, --acme-domain for a certificate from Let's Encrypt, or --tls for a self-signed one; " +
		"--insecure-http only behind a proxy that speaks TLS",
	"MailTemplates": noMailServer, "SMTPPasswordFile": noMailServer, "SMTPCA": noMailServer,
	"RedisURLs": "see that the Redis or Valkey runs and takes connections from here; --redis-url, or --redis-host and " +
		"--redis-port, say where it is",
	"SteamAppID":     "give --steam-app-id N, as Steamworks has it",
	"TrustedProxies": "give --trusted-proxies the address of each",
	"UDPPublic":      "give --udp-public HOST:PORT, as players reach it, or --udp none",
}

// explainStart says in the words of the command line why a node does not start, and what would help: a line for each
// setting.
func explainStart(err error) error {
	var lines []error
	for _, e := range settingErrors(err) {
		said := e.Err
		if name, ok := settingFlags[e.Setting]; ok {
			said = fmt.Errorf("--%s: %w", name, said)
		}
		if help := wayOut(e); help != "" {
			said = fmt.Errorf("%w\n  %s", said, help)
		}
		lines = append(lines, said)
	}
	if lines == nil {
		return err
	}
	if errors.Is(err, server.ErrNotHandedOver) {
		lines = append(lines, server.ErrNotHandedOver)
	}
	return errors.Join(lines...)
}

// settingErrors returns the errors about settings that an error is made of.
func settingErrors(err error) []*server.SettingError {
	switch e := err.(type) { //nolint:errorlint // this walks through what wraps them
	case *server.SettingError:
		return []*server.SettingError{e}
	case interface{ Unwrap() []error }:
		var all []*server.SettingError
		for _, part := range e.Unwrap() {
			all = append(all, settingErrors(part)...)
		}
		return all
	case interface{ Unwrap() error }:
		return settingErrors(e.Unwrap())
	}
	return nil
}

// wayOut says what would help, or nothing.
func wayOut(e *server.SettingError) string {
	name := settingFlags[e.Setting]
	switch {
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return "another program listens there, perhaps a node: choose another address with --" + name + ", or have the new node go " +
			"on in place of one on the same --data with --handover"
	case errors.Is(e.Err, syscall.EADDRNOTAVAIL):
		return "this machine has no such address"
	case errors.Is(e.Err, fs.ErrNotExist) && e.Setting == "OpaqueKeyFile":
		return "put back your copy of it; only where no node of these players ever had --opaque prefer or only, \"rushgate key " +
			"opaque make FILE\" makes one"
	case errors.Is(e.Err, fs.ErrPermission) && strings.HasSuffix(e.Setting, "Addr"):
		return "ports below 1024 take a privilege: AmbientCapabilities=CAP_NET_BIND_SERVICE with systemd, or " +
			"setcap cap_net_bind_service=+ep on the program"
	}
	return waysOut[e.Setting]
}
