package server

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
)

// AdminAddrName is the file in the data folder that says, while a node runs on it, where the node's admin listener is:
// a URL. "rushgate account" finds the node by it.
const AdminAddrName = "admin.addr"

// adminAddrFile returns the path of the file, or nothing for a node without a data folder.
func (c Config) adminAddrFile() string {
	if c.Backend == Memory {
		return ""
	}
	return filepath.Join(c.DataDir, AdminAddrName)
}

// announce writes down where the operator's listener is. What an earlier run has left behind is overwritten.
func (d *desk) announce() error {
	path := d.cfg.adminAddrFile()
	if path == "" {
		return nil
	}
	scheme := "http"
	if d.tls != nil {
		scheme = "https"
	}
	url := []byte(scheme + "://" + reachable(d.adminAddr) + "\n")
	if found, err := os.ReadFile(path); err == nil && bytes.Equal(found, url) {
		return nil // that of a node that this one goes on in place of, whose players wait
	}
	return writeFile(path, url, 0o600)
}

// withdraw removes what announce has written.
func (c Config) withdraw() error {
	path := c.adminAddrFile()
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("server: address of the admin listener: %w", err)
	}
	return nil
}

// reachable returns where a process of this machine reaches a listener: one that listens everywhere does so on
// loopback.
func reachable(listener net.Addr) string {
	at, err := netip.ParseAddrPort(listener.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return listener.String()
	}
	loopback := netip.IPv6Loopback()
	if at.Addr().Is4() {
		loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(loopback, at.Port()).String()
}
