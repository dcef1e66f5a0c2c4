#!/usr/bin/env bash
# github.com/pires/go-proxyproto 0.15.0, a Go library for the PROXY protocol, reads a header of version 2 however TCP has
# cut it, but refuses one of version 1 whose first part comes alone, although the rest follows at once:
# "proxyproto: can't read version 1 header". TCP promises nothing about where segments end, and the specification leaves
# it to the receiver whether it waits. Proxies send the header in one write, so it is seldom cut; one that relays the
# header of another proxy, or a header behind a full congestion window, can be. Who accepts such headers by this library
# had better have the proxy send version 2.
#
# Seen: versions 1 and 2 cut after the header, and version 2 cut within it, are read; version 1 cut within it is not.
# It runs without Rushgate and needs Go. Exit 0: as seen; 1: something else; 2: could not be run.
set -euo pipefail
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir"
export GOFLAGS=-mod=mod
go mod init example.org/split >go.log 2>&1
go get github.com/pires/go-proxyproto@v0.15.0 >>go.log 2>&1 || { cat go.log; exit 2; }
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"io"
	"net"
	"os"

	"github.com/pires/go-proxyproto"
)

// try sends a header and a greeting in two segments, and returns what a server reads.
func try(version byte, cut int) (string, error) {
	from, to := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4000}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 80}
	header, err := proxyproto.HeaderProxyFromAddrs(version, from, to).Format()
	if err != nil {
		panic(err)
	}
	sent := append(header, "hello"...)
	server, client := net.Pipe() // one Write is read by itself, like a segment
	go func() {
		client.Write(sent[:cut])
		client.Write(sent[cut:])
		client.Close()
	}()
	c := proxyproto.NewConn(server)
	defer c.Close()
	b, err := io.ReadAll(c)
	return fmt.Sprintf("%q from %v", b, c.RemoteAddr()), err
}

func main() {
	const whole = "\"hello\" from 192.0.2.1:4000"
	ok := true
	for _, t := range []struct {
		version byte
		cut     int
		works   bool
	}{{1, 40, true}, {1, 20, false}, {2, 28, true}, {2, 20, true}} {
		got, err := try(t.version, t.cut)
		fmt.Printf("version %d, cut after %d bytes: %s, %v\n", t.version, t.cut, got, err)
		ok = ok && (err == nil && got == whole) == t.works
	}
	if !ok {
		os.Exit(1)
	}
}
EOF
go run .
