package api

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/wschannel"
)

// channel opens a WebSocket. Like every connection that has not brought a login yet it may have to make room for
// another, until it has become a player's.
func (h *handler) channel(w http.ResponseWriter, r *http.Request) {
	if h.Channel == nil {
		h.refuse(w, errNoChannel)
		return
	}
	if !h.originAllowed(r) {
		h.refuse(w, errForeignPage)
		return
	}
	attached := func() { HoldConn(r.Context()) }
	err := h.Channel.Serve(countedHijacker{w, r}, r, attached)
	handshake, isHandshake := errors.AsType[*wschannel.HandshakeError](err)
	switch {
	case err == nil:
	case !isHandshake:
		h.refuse(w, &rushgate.Refusal{Reason: rushgate.ServerBusy, Cause: err})
	case handshake.Status >= http.StatusInternalServerError:
		h.refuse(w, &rushgate.Refusal{Reason: rushgate.InternalError, Cause: err})
	default:
		h.refuse(w, rejection{handshake.Status, handshake.Message})
	}
}

var errOrigin = errors.New("want http:// or https:// and a host, with a port if it is not the usual one, " +
	"and nothing else")

// ParseOrigin checks an origin (RFC 6454 section 6.2), like https://play.example.org or http://localhost:3000, and
// returns it as browsers write it: in lower case and without the scheme's usual port. The opaque origin "null" is none.
func ParseOrigin(s string) (string, error) {
	scheme, host, err := splitOrigin(s)
	if err != nil {
		return "", err
	}
	return scheme + "://" + host, nil
}

func splitOrigin(s string) (scheme, host string, err error) {
	u, err := url.Parse(s)
	if err != nil { // quotes what it was given; that is for the caller
		return "", "", errOrigin
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.ContainsAny(u.Host, "*,") ||
		!strings.EqualFold(s, u.Scheme+"://"+u.Host) {
		return "", "", errOrigin
	}
	return u.Scheme, canonicalHost(u.Scheme, u.Host), nil
}

// canonicalHost returns a host in lower case and without the port that the scheme has anyway.
func canonicalHost(scheme, host string) string {
	usual := map[string]string{"http": ":80", "https": ":443"}[scheme]
	return strings.TrimSuffix(strings.ToLower(host), usual)
}

// originAllowed reports whether the page that a request comes from, if any, may open a WebSocket, which browsers let
// pages do to wherever they like: a page of the node's own origin, or of a configured one. A proxy that is trusted may
// have changed scheme and port, so that behind one only the names of the hosts are compared. What sends no Origin is
// not a browser.
func (h *handler) originAllowed(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	scheme, host, err := splitOrigin(origins[0])
	if err != nil || len(origins) > 1 {
		return false
	}
	if slices.Contains(h.Origins, scheme+"://"+host) {
		return true
	}
	if h.Proxies.Passed(r) {
		return hostname(host) == hostname(strings.ToLower(r.Host))
	}
	served := "http"
	if r.TLS != nil {
		served = "https"
	}
	return scheme == served && host == canonicalHost(served, r.Host)
}

// hostname returns a host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}
