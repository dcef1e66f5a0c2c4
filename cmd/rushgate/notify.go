package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"
)

// notifier tells the service manager how the node is, where there is one that wants to know: the protocol of
// sd_notify(3), a datagram to the socket that is named in the environment.
type notifier struct {
	socket string // empty: there is none
	logger *slog.Logger
}

// notifyTimeout is how long a service manager that takes nothing is waited for: players may be waiting, too.
const notifyTimeout = 200 * time.Millisecond

func newNotifier(logger *slog.Logger) notifier { return notifier{os.Getenv("NOTIFY_SOCKET"), logger} }

// ready says that this process is the node, whichever process the service manager has started, and serves.
func (n notifier) ready() { n.send(fmt.Sprintf("MAINPID=%d\nREADY=1", os.Getpid())) }

// reloading says that files are being read again, and ready follows.
func (n notifier) reloading() {
	if now, ok := monotonic(); ok {
		n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now))
	}
}

// stopping says that the node ends. A node that another process goes on in place of does not say it: the service goes
// on.
func (n notifier) stopping() { n.send("STOPPING=1") }

func (n notifier) send(state string) {
	if n.socket == "" {
		return
	}
	// A name that begins with @ is one of the abstract kind to package net too.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err == nil {
		_ = c.SetWriteDeadline(time.Now().Add(notifyTimeout)) // a socket takes deadlines
		_, err = c.Write([]byte(state))
		_ = c.Close() // a datagram is sent, or not
	}
	if err != nil {
		n.logger.Warn("the service manager could not be told", "state", state, "error", err)
	}
}
