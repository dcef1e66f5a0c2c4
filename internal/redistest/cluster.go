package redistest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Cluster is a Redis Cluster of three masters with one replica each.
type Cluster struct {
	// Masters and Replicas are the servers as they began: Replicas[i] follows Masters[i], until a failover.
	Masters, Replicas [3]*Server
}

// NodeTimeout is how long a server of a [Cluster] must be silent before the others take it for gone.
const NodeTimeout = time.Second

// slots is how many parts a Cluster's keys are spread over.
const slots = 16384

// StartCluster starts a Cluster and stops it with the test. It returns when every server knows all others.
func StartCluster(tb testing.TB, config ...string) *Cluster {
	tb.Helper()
	config = append([]string{
		"--cluster-enabled", "yes", "--cluster-node-timeout", strconv.FormatInt(NodeTimeout.Milliseconds(), 10),
		"--cluster-replica-validity-factor", "0",
	}, config...)
	c := &Cluster{}
	for i := range c.Masters {
		c.Masters[i], c.Replicas[i] = Start(tb, config...), Start(tb, config...)
	}
	for i, m := range c.Masters {
		for slot := slots * i / 3; slot < slots*(i+1)/3; slot += slotsAtOnce {
			m.Do("CLUSTER", addSlots(slot, min(slot+slotsAtOnce, slots*(i+1)/3))...)
		}
		m.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, s := range c.all()[1:] {
		s.Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(c.Masters[0].port))
	}
	await(tb, "servers that know each other", func() bool { return c.everywhere("cluster_known_nodes", "6") })
	for i, r := range c.Replicas {
		id, err := c.Masters[i].Do("CLUSTER", "MYID").ToString()
		if err != nil {
			tb.Fatal(err)
		}
		r.Do("CLUSTER", "REPLICATE", id)
	}
	await(tb, "replicas that have caught up", func() bool {
		for _, m := range c.Masters {
			if !strings.Contains(m.shows("replication", "slave0"), "state=online") {
				return false
			}
		}
		return c.everywhere("cluster_state", "ok")
	})
	return c
}

// slotsAtOnce keeps a command short; CLUSTER ADDSLOTSRANGE would take them all, from Redis 7 on.
const slotsAtOnce = 4096

func addSlots(from, to int) []string {
	args := []string{"ADDSLOTS"}
	for slot := from; slot < to; slot++ {
		args = append(args, strconv.Itoa(slot))
	}
	return args
}

func (c *Cluster) all() []*Server { return slices.Concat(c.Masters[:], c.Replicas[:]) }

// URLs returns the addresses of all servers.
func (c *Cluster) URLs() []string {
	var urls []string
	for _, s := range c.all() {
		urls = append(urls, s.URL())
	}
	return urls
}

// everywhere reports whether all servers that run show a value in CLUSTER INFO.
func (c *Cluster) everywhere(field, value string) bool {
	for _, s := range c.all() {
		if s.process == nil {
			continue
		}
		result, err := s.try("CLUSTER", "INFO")
		if err != nil {
			return false
		}
		text, err := result.ToString()
		if err != nil || !strings.Contains(text, field+":"+value+"\r\n") {
			return false
		}
	}
	return true
}

// AwaitReplicas returns when every replica has all that its master has written before the call.
func (c *Cluster) AwaitReplicas(tb testing.TB) {
	tb.Helper()
	for i, m := range c.Masters {
		c.Replicas[i].AwaitAll(tb, m)
	}
}

func less(a, b string) bool {
	x, _ := strconv.ParseUint(a, 10, 64)
	y, _ := strconv.ParseUint(b, 10, 64)
	return x < y
}

// AwaitFailover returns when the i-th replica has become a master and the Cluster works again.
func (c *Cluster) AwaitFailover(tb testing.TB, i int) {
	tb.Helper()
	await(tb, "promoted replica", func() bool {
		return c.Replicas[i].shows("replication", "role") == "master" && c.everywhere("cluster_state", "ok")
	})
}

// await asks again and again, because servers announce nothing.
func await(tb testing.TB, what string, ready func() bool) {
	tb.Helper()
	deadline := time.After(startTimeout)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !ready() {
		select {
		case <-again.C:
		case <-deadline:
			tb.Fatalf("there is no %s yet", what)
		}
	}
}
