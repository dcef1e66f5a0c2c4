package redistest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Watched is a master and its replica, watched by a Sentinel that puts one in the place of the other.
type Watched struct {
	Sentinel, Master, Replica *Server
}

// MasterName is how the Sentinel of a [Watched] calls the master.
const MasterName = "mymaster"

// StartWatched starts a master, a replica and a Sentinel, and stops them with the test.
func StartWatched(tb testing.TB) *Watched {
	tb.Helper()
	w := &Watched{Master: Start(tb)}
	w.Replica = Start(tb, "--replicaof", "127.0.0.1", w.Master.Port())
	await(tb, "replica that has caught up", func() bool {
		return strings.Contains(w.Master.shows("replication", "slave0"), "state=online")
	})
	w.Sentinel = prepare(tb, nil)
	w.Sentinel.sentinel = w.Sentinel.file("sentinel.conf")
	w.Sentinel.write("sentinel.conf", fmt.Appendf(nil, `port %d
bind 127.0.0.1
dir %q
sentinel monitor %s 127.0.0.1 %d 1
sentinel down-after-milliseconds %[3]s %[5]d
sentinel failover-timeout %[3]s 10000
`, w.Sentinel.port, w.Sentinel.dir, MasterName, w.Master.port, NodeTimeout/time.Millisecond))
	w.Sentinel.Restart()
	await(tb, "Sentinel that knows the replica", func() bool {
		return strings.Contains(w.Sentinel.shows("sentinel", "master0"), "slaves=1")
	})
	return w
}

// AwaitFailover returns when the replica has become the master.
func (w *Watched) AwaitFailover(tb testing.TB) {
	tb.Helper()
	await(tb, "promoted replica", func() bool { return w.Replica.shows("replication", "role") == "master" })
}

// OrderFailover has the Sentinel put the replica in the place of the master, which goes on running, and returns when
// the replica has become the master. The Sentinel refuses until it knows the replica well enough.
func (w *Watched) OrderFailover(tb testing.TB) {
	tb.Helper()
	await(tb, "Sentinel that takes the order", func() bool {
		_, err := w.Sentinel.try("SENTINEL", "FAILOVER", MasterName)
		return err == nil
	})
	w.AwaitFailover(tb)
}
