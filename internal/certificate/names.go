package certificate

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// MaxNames is how many names a self-signed certificate can have besides those of its machine.
const MaxNames = 100

// Names are what clients may call a server.
type Names struct {
	DNS []string // in lower case
	IP  []net.IP
}

// ParseNames reads DNS names, which may begin with "*." for all names one level below, and IP addresses. Each counts
// once, and the order is that of all. The error says which one is neither.
func ParseNames(all []string) (Names, error) {
	var n Names
	if len(all) > MaxNames {
		return n, fmt.Errorf("%d names, want at most %d", len(all), MaxNames)
	}
	for _, name := range all {
		if ip, err := netip.ParseAddr(name); err == nil {
			if ip.Zone() != "" || ip.IsUnspecified() {
				return Names{}, fmt.Errorf("name %q: no client can reach this address by a certificate", name)
			}
			n.addIP(net.IP(ip.Unmap().AsSlice()))
			continue
		}
		name = strings.ToLower(name)
		if err := checkDNS(name); err != nil {
			return Names{}, fmt.Errorf("name %q: %w", name, err)
		}
		if !slices.Contains(n.DNS, name) {
			n.DNS = append(n.DNS, name)
		}
	}
	return n, nil
}

func (n *Names) addIP(ip net.IP) {
	if !slices.ContainsFunc(n.IP, ip.Equal) {
		n.IP = append(n.IP, ip)
	}
}

// checkDNS checks a name in lower case as RFC 1123 writes them, with RFC 6125's wildcard.
func checkDNS(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-"
	if _, _, err := net.SplitHostPort(name); err == nil {
		return errors.New("want the name or address alone, without a port")
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r > '~' }) {
		return errors.New("want letters of ASCII: write other names as their DNS has them, like xn--bcher-kva.example")
	}
	if len(name) > 253 {
		return errors.New("longer than 253 characters")
	}
	labels := strings.Split(strings.TrimPrefix(name, "*."), ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, allowed) != "" || label[0] == '-' ||
			label[len(label)-1] == '-' {
			return errors.New("want a DNS name, like play.example.org, or an IP address")
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return errors.New("want a DNS name, like play.example.org, or an IP address: this looks like part of one")
	}
	if strings.HasPrefix(name, "*.") && len(labels) < 2 {
		return errors.New("a wildcard for a whole top level")
	}
	return nil
}
